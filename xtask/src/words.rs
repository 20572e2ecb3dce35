//! Words: the other names that the glossary forbids, public types whose words it lacks, and imports that rename.
//!
//! An import of ours under another name tells of two things with one name; the path is written instead. A facade's
//! `pub use .. as ..` and `use blindscope_x as x` give a crate its short name, `as _` a trait none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::sources::{self, Source};

/// Names under which something of ours may be imported.
const SHORT: &[&str] = &["_", "vector"];
/// The page that decides.
const GLOSSARY: &str = "docs/glossary.md";
/// Crates whose public types are called by words of the glossary.
const NAMED: &[&str] = &["wire", "ring", "ckks", "threshold", "aggregate", "classify", "federation", "node"];
/// Words of types that say what they say anywhere.
const PLAIN: &[&str] = &[
    "admin",
    "agreed",
    "ask",
    "asked",
    "asking",
    "authority",
    "check",
    "dealt",
    "demand",
    "downloaded",
    "encrypted",
    "entry",
    "error",
    "founded",
    "hasher",
    "header",
    "held",
    "id",
    "init",
    "kind",
    "learn",
    "machine",
    "map",
    "matrix",
    "mean",
    "memory",
    "message",
    "missing",
    "named",
    "no",
    "of",
    "output",
    "owner",
    "person",
    "plain",
    "powers",
    "prediction",
    "preflight",
    "processes",
    "project",
    "promised",
    "proof",
    "public",
    "quadratic",
    "received",
    "recovered",
    "report",
    "request",
    "result",
    "ring",
    "role",
    "second",
    "secret",
    "settings",
    "shape",
    "signature",
    "signed",
    "signer",
    "sizes",
    "sorted",
    "spec",
    "tools",
    "two",
    "uploader",
    "usage",
    "validity",
    "value",
    "verified",
    "weighted",
];

/// Fails on a forbidden word in sources or documents, on a type that is called by none, on a glossary out of order, and on an import
/// that renames.
pub(crate) fn run() -> Result<()> {
    let glossary = fs::read_to_string(GLOSSARY)?;
    let forbidden = forbidden(&glossary);
    ensure!(!forbidden.is_empty(), "words: {GLOSSARY} has no table `| not | but |`");
    let mut found = disordered(&glossary);
    let known = known(&glossary);
    for source in sources::read()?.iter().filter(|source| NAMED.contains(&source.room())) {
        found.extend(strange(source, &known));
    }
    for path in sources::listed(&["*.rs", "*.md", "*.py"])?.iter().filter(|path| *path != GLOSSARY) {
        // A file deleted but not yet committed is still listed.
        let Ok(text) = fs::read_to_string(path) else { continue };
        // These are where the words are spelt out.
        if path.starts_with("xtask/") {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            let lower = line.to_lowercase();
            let words = forbidden.iter().filter(|(not, _)| lower.contains(not.as_str()));
            found.extend(words.map(|(not, but)| format!("{path}:{number}: `{not}`: say `{but}`")));
            if Path::new(path).extension().is_some_and(|kind| kind == "rs")
                && let Some(name) = renamed(line)
            {
                found.push(format!("{path}:{number}: imported as `{name}`: write the path instead"));
            }
        }
    }
    if !found.is_empty() {
        bail!("words: {} to mend\n  {}", found.len(), found.join("\n  "));
    }
    println!(
        "words: {} forbidden ones are nowhere, types go by the glossary, no import renames",
        forbidden.len()
    );
    Ok(())
}

/// The first cells of the glossary's first table.
fn terms(glossary: &str) -> impl Iterator<Item = &str> {
    let rows = glossary.lines().skip_while(|line| *line != "| term | meaning |").skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.trim_matches('|').split('|').next().map(str::trim))
}

/// Every word of a term, in lower case.
fn known(glossary: &str) -> BTreeSet<String> {
    let letters = |c: char| !c.is_alphabetic();
    terms(glossary)
        .flat_map(|term| term.split(letters))
        .map(str::to_lowercase)
        .filter(|w| !w.is_empty())
        .collect()
}

/// Terms that stand behind one that they belong before.
fn disordered(glossary: &str) -> Vec<String> {
    let key = |term: &str| {
        // Rows of one term stand together: the term, then what it is of.
        let (term, of) = term.split_once(", ").unwrap_or((term, ""));
        let plain =
            |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != ' ', "");
        (plain(term), plain(of))
    };
    let terms: Vec<&str> = terms(glossary).collect();
    let pairs = terms.windows(2).filter(|pair| key(pair[0]) > key(pair[1]));
    pairs.map(|pair| format!("{GLOSSARY}: `{}` belongs before `{}`", pair[1], pair[0])).collect()
}

/// Public types of a file with a word that is neither a term's nor plain. Words of one stem are one: `Agreed`, agreement.
fn strange(source: &Source, known: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(source.code.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["pub", "struct" | "enum" | "trait" | "type", name, ..] = words[..] else { continue };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
        let strange = parts(&name).into_iter().find(|part| !is_known(part, known));
        if let Some(part) = strange {
            let path = &source.path;
            found.push(format!("{path}:{number}: `{part}` of {name} is not in {GLOSSARY}: give it a row, or take a word that has one"));
        }
    }
    found
}

/// The words of a type's name, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for c in name.chars() {
        match parts.last_mut() {
            Some(part) if !c.is_uppercase() => part.push(c),
            _ => parts.push(c.to_lowercase().collect()),
        }
    }
    parts
}

fn is_known(part: &str, known: &BTreeSet<String>) -> bool {
    let stem = |word: &str| -> String {
        let word = ["ation", "ment", "ies", "ing", "ed", "es", "s", "e", "y"]
            .iter()
            .find_map(|end| word.strip_suffix(end))
            .unwrap_or(word);
        word.to_owned()
    };
    let all = known.iter().map(String::as_str).chain(PLAIN.iter().copied());
    let mut all = all.filter(|word| word.len() > 1);
    all.any(|word| word == part || stem(word) == stem(part))
}

/// The glossary's second table, in lower case: what is not said, and what is.
fn forbidden(glossary: &str) -> Vec<(String, String)> {
    let rows = glossary.lines().skip_while(|line| *line != "| not | but |").skip(2);
    let cells = |row: &str| -> Option<(String, String)> {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?.to_lowercase(), cells.next()?.to_owned()))
    };
    rows.take_while(|line| line.starts_with('|')).filter_map(cells).collect()
}

/// The other name under which a line imports something of ours.
fn renamed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let path = line.strip_prefix("use ")?;
    if !["blindscope", "crate", "super", "self"].iter().any(|ours| path.starts_with(ours)) {
        return None;
    }
    let mut names = path.split(" as ").skip(1).map(|rest| rest.trim_end_matches(';'));
    let name = |rest: &'_ str| rest.split([',', '}', ' ', ';']).next().map(str::len);
    names.find_map(|rest| {
        let name = &rest[..name(rest)?];
        let short = path.strip_prefix("blindscope_").is_some_and(|path| {
            [format!("{name} as {name};"), format!("{name}::{{self as {name}")]
                .iter()
                .any(|p| path.starts_with(p))
        });
        (!short && !SHORT.contains(&name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_table_is_read() {
        let page = "| term | meaning |\n| --- | --- |\n| a | b |\n\n| not | but |\n| --- | --- |\n| Class token | CLS token |\n\nend\n";
        assert_eq!(forbidden(page), [("class token".to_owned(), "CLS token".to_owned())]);
        assert!(forbidden("| a | b |\n").is_empty());
    }

    #[test]
    fn a_type_goes_by_words_of_the_glossary() {
        let page = "| term | meaning |\n| --- | --- |\n| agreement | a |\n| key share | b |\n\n";
        let known = known(page);
        let strange = |code: &str| strange(&Source::new("crates/node/src/a.rs", code), &known).len();
        assert_eq!(
            strange("pub struct Agreed;\npub enum KeyShares {}\npub trait Sizes {}\nstruct Gizmo;\n"),
            0
        );
        assert_eq!(strange("pub struct KeyGizmo(u8);\n"), 1);
        assert_eq!(strange("pub type Gizmo<'a> = u8;\n    pub fn gizmo() {}\n"), 1);
    }

    #[test]
    fn the_glossary_is_in_order() {
        let page = |rows: &[&str]| {
            let rows: Vec<String> = rows.iter().map(|term| format!("| {term} | x |")).collect();
            let rows = rows.join("\n");
            disordered(&format!("| term | meaning |\n| --- | --- |\n{rows}\n\n")).len()
        };
        assert_eq!(
            page(&["CLS token", "colluder", "P, special prime", "question", "question, as a job", "`q`"]),
            1
        );
        assert_eq!(page(&["answer, of a head", "answer, of a site", "answering"]), 0);
    }

    #[test]
    fn renaming_imports_are_found() {
        assert_eq!(renamed("use blindscope_wire::Error as WireError;"), Some("WireError"));
        assert_eq!(renamed("    use super::{a, Opening as Masks, b};"), Some("Masks"));
        for fine in [
            "use blindscope_testkit as testkit;",
            "pub use blindscope_ckks as ckks;",
            "use std::fmt::Write as _;",
            "use blindscope_classify::{self as classify, Head};",
            "let x = y as u8;",
        ] {
            assert_eq!(renamed(fine), None, "{fine}");
        }
    }
}
