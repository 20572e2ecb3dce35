//! What parsers say, in words.

/// What a parser of files says, for people: in one line where it is a sentence, and without names of types.
pub fn in_words(said: &str) -> String {
    const WHOLE: &str = "expected a whole number, 0 or more";
    let names = [
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", WHOLE),
        ("expected usize", WHOLE),
        ("expected i64", "expected a whole number"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list, [...]"),
        ("invalid type: null", "it is nothing, or no finite number"),
        ("invalid type: map", "it is a table"),
        ("invalid type: sequence", "it is a list"),
        ("\nin `", " in `"),
    ];
    names.iter().fold(said.trim_end().to_owned(), |said, (name, words)| said.replace(name, words))
}

#[cfg(test)]
mod tests {
    use crate::JobSpec;

    #[test]
    fn parsers_speak_in_words() {
        for (line, word) in [
            ("values = -1", "a whole number, 0 or more"),
            ("max = 1.5", "a whole number, 0 or more"),
            ("upload_seconds = \"soon\"", "a whole number, 0 or more"),
            ("levels = 3", "a list"),
        ] {
            let text = format!("name = \"a\"\nkind = \"sum\"\n{line}\n");
            let said = JobSpec::from_toml(&text).unwrap_err().to_string();
            assert!(said.contains(word) && said.contains(line), "{said}");
            assert!(!["u64", "usize", "u32", "sequence"].iter().any(|name| said.contains(name)), "{said}");
            assert!(said.ends_with("; correct the file") && !said.contains("\n;"), "{said}");
        }
    }

    #[test]
    fn a_sum_without_its_size_is_told_so() {
        let said = JobSpec::from_toml("name = \"a\"\nkind = \"sum\"\nmax = 3\n").unwrap_err().to_string();
        assert!(said.contains("values is missing or none, expected 1 to 4294967296 for a sum"), "{said}");
    }
}
