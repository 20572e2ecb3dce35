//! Sections of documentation that promise something: `# Errors` says when, `# Timing` stands wherever secrets are touched.

use crate::sources::Source;

/// Crates whose functions on secrets say what their time depends on.
const TIMED: &[&str] = &["ring", "ckks", "threshold", "aggregate", "classify", "federation"];

/// Types that hold a secret.
const SECRET: &[&str] = &[
    "AskerSecret",
    "Dealt",
    "DecryptionSession",
    "IdentityKey",
    "KeyShare",
    "PairKey",
    "Part",
    "PartSeed",
    "SealingKey",
    "SecretKey",
    "SecretSeed",
    "ShamirPart",
    "SiteRound",
    "SiteSecret",
    "SmallSecret",
];

/// `# Errors` sections that are a list of types and no word of when, each as `path:line: text`.
pub(crate) fn silent_errors(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "/// # Errors") {
        let section = lines[at + 1..].iter().map_while(|line| line.strip_prefix("///").map(str::trim));
        let text: Vec<&str> = section.take_while(|line| !line.starts_with('#')).collect();
        let text = text.join(" ");
        let said = if LOOSE.contains(&source.room()) { says_something(&text) } else { says_when(&text) };
        if !said {
            found.push(format!("{}:{}: {}", source.path, at + 1, text.trim()));
        }
    }
    found
}

/// Crates whose sections have yet to be brought to a word of when for each name.
const LOOSE: &[&str] = &["federation"];

/// Whether something is left of a section without its links and what joins them.
fn says_something(text: &str) -> bool {
    let words = pieces(text)
        .into_iter()
        .filter_map(|piece| if let Piece::Text(text) = piece { Some(text) } else { None });
    words
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .any(|word| !matches!(word, "" | "and" | "or"))
}

/// Whether every error that a section begins a clause with is followed by when it comes. What joins names by `and` or `or` may say it
/// once for all; a comma joins nothing. A section that refers to others (`As [..]`) says it there.
fn says_when(text: &str) -> bool {
    let pieces = pieces(text);
    let names = || pieces.iter().enumerate().filter(|(_, piece)| matches!(piece, Piece::Name));
    if names().next().is_none() {
        return !words(text).all(str::is_empty);
    }
    names().all(|(at, _)| !begins_clause(&pieces[..at]) || is_explained(&pieces[at + 1..]))
}

/// A section as its links and what stands between them.
enum Piece<'a> {
    Name,
    Text(&'a str),
}

fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some((before, rest)) = text.split_once('[') {
        found.push(Piece::Text(before.trim()));
        let Some((_, mut rest)) = rest.split_once(']') else { break };
        if let Some((_, after)) = rest.strip_prefix('(').and_then(|target| target.split_once(')')) {
            rest = after;
        }
        found.push(Piece::Name);
        text = rest;
    }
    found.push(Piece::Text(text.trim()));
    found
}

/// Whether a name after these pieces begins a clause: nothing stands before it, or the end of one, or another such name and a joint.
fn begins_clause(before: &[Piece<'_>]) -> bool {
    let Some((Piece::Text(last), earlier)) = before.split_last() else { return true };
    match *last {
        "" => earlier.is_empty(),
        "," | "and" | "or" | ", and" | ", or" => {
            earlier.split_last().is_none_or(|(_, rest)| begins_clause(rest))
        }
        text => text.ends_with(';') || text.ends_with('.') || text.ends_with(','),
    }
}

/// Whether these pieces, behind a name, say when it comes.
fn is_explained(after: &[Piece<'_>]) -> bool {
    match after {
        [Piece::Text("and" | "or" | ", and" | ", or"), Piece::Name, rest @ ..] => is_explained(rest),
        // In `A, B and C where`, `A` and `B` share the clause of `C`.
        [Piece::Text(","), Piece::Name, rest @ ..] => is_joined(rest),
        [Piece::Text(text), ..] => {
            text.starts_with(|c: char| c.is_alphanumeric()) || text.starts_with(", ") || text.starts_with(':')
        }
        _ => false,
    }
}

/// Whether a list that these pieces continue ends in a joint and a clause.
fn is_joined(after: &[Piece<'_>]) -> bool {
    match after {
        [Piece::Text(","), Piece::Name, rest @ ..] => is_joined(rest),
        [Piece::Text("and" | "or" | ", and" | ", or"), Piece::Name, rest @ ..] => is_explained(rest),
        _ => false,
    }
}

/// Public functions that take, keep or make a secret and do not say what their time depends on. One that only hands something out or
/// on, in a line, need not.
pub(crate) fn untimed(source: &Source) -> Vec<String> {
    if !TIMED.contains(&source.room()) {
        return Vec::new();
    }
    let code: Vec<&str> = source.code.lines().collect();
    let text: Vec<&str> = source.text.lines().collect();
    let (mut of, mut found) = ("", Vec::new());
    for (at, line) in code.iter().enumerate() {
        if let Some(of_impl) = implemented(line) {
            of = of_impl;
        } else if line.starts_with('}') {
            of = "";
        }
        if !line.trim_start().starts_with("pub fn ") {
            continue;
        }
        let Some((signature, end)) = signature(&code[at..]) else { continue };
        let touches = words(&signature).any(|word| SECRET.contains(&word))
            || (SECRET.contains(&of) && words(&signature).any(|word| matches!(word, "self" | "Self")));
        if touches && body_lines(&code[at + end..], line) > 1 && !is_timed(&text[..at]) {
            found.push(format!("{}:{}: {}", source.path, at + 1, text[at].trim()));
        }
    }
    found
}

/// The type of an `impl` that begins here.
fn implemented(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.trim_start() };
    let name = rest.split_once(" for ").map_or(rest, |(_, of)| of);
    name.split(|c: char| !c.is_alphanumeric()).next()
}

/// A signature up to its brace, and on which line that is; none where there is no body.
fn signature(code: &[&str]) -> Option<(String, usize)> {
    let mut all = String::new();
    for (at, line) in code.iter().enumerate() {
        if let Some((before, _)) = line.split_once('{') {
            all.push_str(before);
            return Some((all, at));
        }
        all.push_str(line);
        all.push(' ');
    }
    None
}

/// Lines between the brace that opens on the first of `code` and the one that stands where `first` begins.
fn body_lines(code: &[&str], first: &str) -> usize {
    let indent = first.len() - first.trim_start().len();
    let close = format!("{}}}", " ".repeat(indent));
    code.iter().skip(1).take_while(|line| **line != close).count()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn is_timed(before: &[&str]) -> bool {
    let documentation = before.iter().rev().map(|line| line.trim());
    documentation
        .take_while(|line| line.starts_with("///") || line.starts_with("#["))
        .any(|line| line == "/// # Timing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_types_says_nothing() {
        let silent = |section: &str| {
            let text = format!("/// What.\n///\n/// # Errors\n{section}pub fn a() {{}}\n");
            silent_errors(&Source::new("crates/a/src/b.rs", &text)).len()
        };
        assert_eq!(silent("/// [`Error::A`], [`Error::B`](x) and [`Error`].\n"), 1);
        assert_eq!(silent("/// [`Error`]\n///\n/// # Panics\n/// Never.\n"), 1);
        assert_eq!(silent("/// [`Error::A`] where the file is cut.\n"), 0);
        assert_eq!(silent("/// As [`b`].\n"), 0);
        assert_eq!(silent("/// As [`b`] and [`c`]; [`Error::A`] for bytes that are cut.\n"), 0);
        assert_eq!(silent("/// [`Error::A`]; [`Error::B`] where the file is cut.\n"), 1);
        assert_eq!(silent("/// [`Error::A`], [`Error::B`] where the file is cut.\n"), 1);
        assert_eq!(silent("/// [`Error::A`], [`Error::B`] and [`Error::C`] where the file is cut.\n"), 0);
        assert_eq!(silent("/// [`Error::A`] where the file is cut; [`Error::B`].\n"), 1);
        assert_eq!(silent("/// [`Error::A`] where the file is cut, [`Error::B`]. Nothing is kept.\n"), 1);
        assert_eq!(silent("/// [`Error::A`] as in [`b`].\n"), 0);
        assert_eq!(silent("/// Those of the disk.\n"), 0);
    }

    #[test]
    fn what_touches_secrets_says_what_its_time_depends_on() {
        let untimed =
            |room: &str, text: &str| untimed(&Source::new(&format!("crates/{room}/src/b.rs"), text)).len();
        let long = "{\n        one();\n        two();\n    }\n}\n";
        let taken = format!(
            "impl Other {{\n    /// What.\n    pub fn a(\n        key: &SecretKey,\n    ) -> u8 {long}"
        );
        assert_eq!(untimed("ckks", &taken), 1);
        assert_eq!(untimed("vision", &taken), 0);
        let own = format!("impl<'a> Drop for KeyShare {{\n    pub fn a(&self) {long}");
        assert_eq!(untimed("threshold", &own), 1);
        let made = format!("impl SmallSecret {{\n    pub fn a() -> Self {long}");
        assert_eq!(untimed("ckks", &made), 1);
        let said = format!(
            "impl KeyShare {{\n    /// # Timing\n    /// Of sizes.\n    #[must_use]\n    pub fn a(&self) {long}"
        );
        assert_eq!(untimed("threshold", &said), 0);
        assert_eq!(
            untimed("threshold", "impl KeyShare {\n    pub fn a(&self) -> u8 {\n        1\n    }\n}\n"),
            0
        );
        assert_eq!(untimed("threshold", &format!("impl Public {{\n    pub fn a(&self) {long}")), 0);
    }
}
