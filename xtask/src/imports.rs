//! The order of imports: the standard library, other crates, ours; a blank line between.
//!
//! Ours are the workspace's crates, `crate`, `self`, `super`, and modules that the file declares. Inside a group the
//! formatter sorts. `--fix` puts them so.

use std::fs;

use anyhow::{Result, bail};

use crate::sources;

/// Fails where a file's imports stand in another order; with `fix` it puts them right.
pub(crate) fn run(fix: bool) -> Result<()> {
    let mut wrong = Vec::new();
    for path in sources::listed(&["*.rs"])? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let ordered = ordered(&text);
        if ordered != text {
            if fix {
                fs::write(&path, ordered)?;
            }
            wrong.push(path);
        }
    }
    match (fix, wrong.len()) {
        (_, 0) => println!("imports: every file has one order"),
        (true, files) => println!("imports: {files} files put in order; run cargo fmt --all"),
        (false, files) => bail!(
            "imports: {files} files mix the groups (standard library, other crates, ours); \
             run `cargo run -p xtask -- imports --fix`, then cargo fmt\n  {}",
            wrong.join("\n  ")
        ),
    }
    Ok(())
}

/// One import with the attributes and comments above it.
struct Import<'a> {
    group: usize,
    lines: Vec<&'a str>,
}

/// The text with each row of imports in groups.
fn ordered(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (mut out, mut at): (Vec<&str>, usize) = (Vec::new(), 0);
    while at < lines.len() {
        let (imports, next) = row(&lines, at);
        if imports.is_empty() {
            out.push(lines[at]);
            at += 1;
            continue;
        }
        let mut first = true;
        for group in 0..3 {
            let mut members = imports.iter().filter(|import| import.group == group).peekable();
            if members.peek().is_some() && !first {
                out.push("");
            }
            for import in members {
                out.extend(&import.lines);
                first = false;
            }
        }
        at = next;
    }
    let ending = if text.ends_with('\n') { "\n" } else { "" };
    out.join("\n") + ending
}

/// The imports from a line on, blank lines between them passed over, and the line after the last.
fn row<'a>(lines: &[&'a str], from: usize) -> (Vec<Import<'a>>, usize) {
    let (mut imports, mut next, mut at) = (Vec::new(), from, from);
    loop {
        // Blank lines may stand between imports, not before the first.
        while !imports.is_empty() && lines.get(at).is_some_and(|line| line.is_empty()) {
            at += 1;
        }
        let begin = at;
        while lines.get(at).is_some_and(|line| line.starts_with("#[") || line.starts_with("// ")) {
            at += 1;
        }
        if !lines.get(at).is_some_and(|line| line.starts_with("use ")) {
            return (imports, next);
        }
        let group = group(lines, lines[at]);
        while !lines[at].ends_with(';') && at + 1 < lines.len() {
            at += 1;
        }
        at += 1;
        imports.push(Import { group, lines: lines[begin..at].to_vec() });
        next = at;
    }
}

fn group(lines: &[&str], import: &str) -> usize {
    let root: String =
        import["use ".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let declared =
        |line: &&str| line.ends_with(&format!("mod {root};")) || line.contains(&format!("mod {root} {{"));
    match root.as_str() {
        "std" | "core" | "alloc" => 0,
        "crate" | "self" | "super" => 2,
        ours if ours.starts_with("blindscope") || lines.iter().any(declared) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_apart() {
        let mixed = "//! A.\n\nuse super::a;\nuse blindscope_ring::{\n    b,\n};\n#[cfg(unix)]\nuse rand::c;\nuse std::d;\n\nmod e;\n";
        let apart = "//! A.\n\nuse std::d;\n\n#[cfg(unix)]\nuse rand::c;\n\nuse super::a;\nuse blindscope_ring::{\n    b,\n};\n\nmod e;\n";
        assert_eq!(ordered(mixed), apart);
        assert_eq!(ordered(apart), apart);
    }

    #[test]
    fn a_module_of_the_file_is_ours() {
        let text = "mod common;\n\nuse std::a;\n\nuse rand::b;\n\nuse common::c;\n";
        assert_eq!(ordered(text), text);
        assert_ne!(
            ordered(&text.replace("rand::b;\n\n", "rand::b;\n")),
            text.replace("rand::b;\n\n", "rand::b;\n")
        );
    }

    #[test]
    fn other_lines_stay() {
        let text = "#![allow(x)]\n// why\nfn f() {}\n\nstruct S;";
        assert_eq!(ordered(text), text);
    }
}
