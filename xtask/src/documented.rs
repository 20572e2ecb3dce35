//! Public items without a sentence, and files that do not say what they are.

use crate::sources::Source;

/// Words that begin an item after `pub`.
const ITEMS: &[&str] =
    &["fn", "struct", "enum", "trait", "const", "static", "type", "union", "unsafe", "async", "macro"];

/// Whether a file begins with module documentation.
pub(crate) fn has_module_documentation(source: &Source) -> bool {
    let first = source.text.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_some_and(|line| line.starts_with("//!"))
}

/// Public items and fields without documentation, each as `path:line: text`.
pub(crate) fn bare_items(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let code: Vec<&str> = source.code.lines().collect();
    let bare = (0..code.len()).filter(|at| is_public_item(code[*at]) && !documented(&lines[..*at]));
    bare.map(|at| format!("{}:{}: {}", source.path, at + 1, lines[at].trim())).collect()
}

fn is_public_item(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else { return false };
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let field = rest[word.len()..].starts_with(':') && !rest[word.len()..].starts_with("::");
    ITEMS.contains(&word.as_str()) || (field && !word.is_empty())
}

/// Whether what stands before an item, its attributes passed over, is documentation.
fn documented(before: &[&str]) -> bool {
    let mut lines = before.iter().rev().map(|line| line.trim());
    // An attribute over several lines ends with `)]` and begins with `#[`.
    while let Some(line) = lines.next() {
        if line.starts_with("///") || line.starts_with("#[doc") {
            return true;
        }
        if line.ends_with(")]") && !line.starts_with("#[") {
            lines.by_ref().find(|line| line.starts_with("#["));
        } else if !line.starts_with("#[") {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_item_is_found() {
        let bare = |text: &str| bare_items(&Source::new("a.rs", text)).len();
        assert_eq!(bare("/// What.\n#[derive(Debug)]\npub struct A {\n    /// How.\n    pub x: u8,\n}\n"), 0);
        assert_eq!(bare("/// What.\npub struct A {\n    pub x: u8,\n}\n"), 1);
        assert_eq!(bare("pub fn a() {}\npub(crate) fn b() {}\npub use c::D;\npub mod e;\n"), 1);
        assert_eq!(bare("/// What.\n#[allow(\n    dead_code\n)]\npub const A: u8 = 1;\n"), 0);
    }

    #[test]
    fn a_file_says_what_it_is() {
        let says = |text: &str| has_module_documentation(&Source::new("a.rs", text));
        assert!(says("//! What.\nuse a;\n"));
        assert!(!says("use a;\n//! What.\n"));
        assert!(!says(""));
    }
}
