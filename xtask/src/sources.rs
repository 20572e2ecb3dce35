//! The source files that git knows or would add, and what a reader without a compiler can tell of them.
//!
//! Tests do not count: files under `tests/`, `benches/` and `examples/`, and inline test modules, which by convention
//! end their file.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// One source file.
pub(crate) struct Source {
    /// Path from the repository's root, with `/`.
    pub(crate) path: String,
    /// Its text before the inline tests.
    pub(crate) text: String,
    /// The same, line for line, with comments and the content of strings and characters blanked.
    pub(crate) code: String,
}

impl Source {
    /// Cuts the tests off and blanks what is no code.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let text = without_tests(text);
        Self { path: path.to_owned(), code: blanked(&text), text }
    }

    /// The crate it belongs to: the folder under `crates/`, or the first folder.
    pub(crate) fn room(&self) -> &str {
        let mut parts = self.path.split('/');
        let first = parts.next().unwrap_or_default();
        if first == "crates" { parts.next().unwrap_or_default() } else { first }
    }

    /// Lines before the tests.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

/// Every source file that ships, in the order of its path.
pub(crate) fn read() -> Result<Vec<Source>> {
    let paths = listed(&["*.rs"])?;
    let shipped = paths.iter().filter(|path| ships(path));
    // A file deleted but not yet committed is still listed.
    Ok(shipped.filter_map(|path| Some(Source::new(path, &fs::read_to_string(path).ok()?))).collect())
}

/// Paths that git knows or would add, by pattern.
pub(crate) fn listed(patterns: &[&str]) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--"])
        .args(patterns)
        .output()
        .context("run git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("read the file list")?;
    Ok(listing.lines().map(str::to_owned).collect())
}

fn ships(path: &str) -> bool {
    !path
        .split('/')
        .any(|part| matches!(part, "tests" | "benches" | "examples" | "tests.rs" | "fuzz" | "bench"))
        || path.contains("/src/bench")
}

fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    lines[..tests.unwrap_or(lines.len())].join("\n")
}

/// What the scanner of [`blanked`] is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    Line,
    /// Depth of nesting.
    Block(usize),
    Text,
    /// Number of hashes.
    Raw(usize),
}

/// Blanks comments, strings and characters; line breaks stay.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut inside, mut at) = (String::with_capacity(text.len()), Inside::Code, 0);
    while at < chars.len() {
        let (next, length) = step(&chars, at, inside);
        let kept = inside == Inside::Code && next == Inside::Code && length == 1;
        for c in &chars[at..(at + length).min(chars.len())] {
            out.push(if *c == '\n' || kept { *c } else { ' ' });
        }
        (inside, at) = (next, at + length);
    }
    out
}

/// What comes after `at`, and how many characters were taken.
fn step(chars: &[char], at: usize, inside: Inside) -> (Inside, usize) {
    let pair = (chars[at], chars.get(at + 1).copied().unwrap_or(' '));
    match (inside, pair) {
        (Inside::Code, ('/', '/')) => (Inside::Line, 2),
        (Inside::Code, ('/', '*')) => (Inside::Block(1), 2),
        (Inside::Code, ('"', _)) => (Inside::Text, 1),
        (Inside::Code, ('r', '"' | '#')) if !word_before(chars, at) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            let opens = chars.get(at + 1 + hashes) == Some(&'"');
            if opens { (Inside::Raw(hashes), hashes + 2) } else { (Inside::Code, 1) }
        }
        (Inside::Code, ('\'', '\\')) => {
            let end = chars[at + 3..].iter().position(|c| *c == '\'').unwrap_or(0);
            (Inside::Code, end + 4)
        }
        (Inside::Code, ('\'', _)) if chars.get(at + 2) == Some(&'\'') => (Inside::Code, 3),
        (Inside::Block(depth), ('/', '*')) => (Inside::Block(depth + 1), 2),
        (Inside::Block(1), ('*', '/')) => (Inside::Code, 2),
        (Inside::Block(depth), ('*', '/')) => (Inside::Block(depth - 1), 2),
        (Inside::Text, ('\\', _)) => (Inside::Text, 2),
        (Inside::Text, ('"', _)) | (Inside::Line, ('\n', _)) => (Inside::Code, 1),
        (Inside::Raw(hashes), ('"', _)) => {
            let closes = chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
            if closes { (Inside::Code, hashes + 1) } else { (inside, 1) }
        }
        _ => (inside, 1),
    }
}

/// Whether a letter or digit precedes, so that `r` ends a name.
fn word_before(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert!(ships("crates/ring/src/ntt.rs"));
        assert!(ships("crates/app/src/bench/core.rs"));
        assert!(!ships("crates/ring/tests/ntt.rs"));
        assert!(!ships("crates/wire/benches/pack.rs"));
        assert!(!ships("crates/wire/src/pack/tests.rs"));
        assert_eq!(Source::new("a.rs", "a\nb\n#[cfg(test)]\nmod tests {\n}\n").lines(), 2);
        assert_eq!(Source::new("a.rs", "a\n#[cfg(test)]\nuse b;\nc\n").lines(), 4);
    }

    #[test]
    fn only_code_is_left() {
        let left = |text: &str| blanked(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(left("a // {\nb /* { /* } */ { */ c"), "a b c");
        assert_eq!(left(r#"f("{\"{", '{', '\'', '\u{7b}') {"#), "f( , , , ) {");
        assert_eq!(left("x(r#\"\"{\"#) for<'a> r#fn"), "x( ) for<'a> r#fn");
        assert_eq!(blanked("\"\n\n\"").lines().count(), 3);
    }

    #[test]
    fn a_file_has_a_room() {
        assert_eq!(Source::new("crates/ring/src/lib.rs", "").room(), "ring");
        assert_eq!(Source::new("xtask/src/main.rs", "").room(), "xtask");
    }
}
