//! Words: the other names that the glossary forbids, and imports that rename.
//!
//! An import of ours under another name tells of two things with one name; the path is written instead. A facade's
//! `pub use .. as ..` gives a crate its short name, `as _` a trait none, and `testkit` is the tests' own.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::sources;

/// Names under which something of ours may be imported.
const SHORT: &[&str] = &["_", "testkit", "vector"];
/// The page that decides.
const GLOSSARY: &str = "docs/glossary.md";

/// Fails on a forbidden word in sources or documents, and on an import that renames.
pub(crate) fn run() -> Result<()> {
    let forbidden = forbidden(&fs::read_to_string(GLOSSARY)?);
    ensure!(!forbidden.is_empty(), "words: {GLOSSARY} has no table `| not | but |`");
    let mut found = Vec::new();
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
    println!("words: {} forbidden ones are nowhere, no import renames", forbidden.len());
    Ok(())
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
        (!SHORT.contains(&name)).then_some(name)
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
    fn renaming_imports_are_found() {
        assert_eq!(renamed("use blindscope_wire::Error as WireError;"), Some("WireError"));
        assert_eq!(renamed("    use super::{a, Opening as Masks, b};"), Some("Masks"));
        for fine in [
            "use blindscope_testkit as testkit;",
            "pub use blindscope_ckks as ckks;",
            "use std::fmt::Write as _;",
            "let x = y as u8;",
        ] {
            assert_eq!(renamed(fine), None, "{fine}");
        }
    }
}
