//! Lengths of functions: from the line of `fn` to the line of its last brace, both counted.

use crate::sources::Source;

/// A function with a body.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Line of `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// Every function of a file, those inside others too.
pub(crate) fn of(source: &Source) -> Vec<Function> {
    let code = &source.code;
    let starts = code.match_indices("fn ").filter(|(at, _)| starts_word(code, *at));
    starts.filter_map(|(at, _)| function(code, at)).collect()
}

fn starts_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '#')
}

fn function(code: &str, at: usize) -> Option<Function> {
    let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let (open, close) = body(code, at + 3)?;
    let line = code[..at].matches('\n').count() + 1;
    let lines = code[at..=close].matches('\n').count() + 1;
    (open < close && !name.is_empty()).then_some(Function { name, line, lines })
}

/// The braces of a body; `None` where a semicolon ends the signature first.
fn body(code: &str, from: usize) -> Option<(usize, usize)> {
    let (mut nested, mut open, mut depth) = (0i32, None, 0i32);
    for (at, c) in code[from..].char_indices().map(|(at, c)| (from + at, c)) {
        match (c, open) {
            // Arrays and arguments of the signature: `[u8; 4]` ends nothing.
            ('(' | '[', None) => nested += 1,
            (')' | ']', None) => nested -= 1,
            (';', None) if nested == 0 => return None,
            ('{', _) if nested == 0 => {
                open = open.or(Some(at));
                depth += 1;
            }
            ('}', Some(start)) => {
                depth -= 1;
                if depth == 0 {
                    return Some((start, at));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<(String, usize, usize)> {
        let found = of(&Source::new("a.rs", text));
        found.into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    #[test]
    fn lengths_are_counted() {
        let text = "trait A {\n    fn a(x: [u8; 4]);\n}\n/// fn no() {}\npub fn b(\n    f: fn(u8),\n) {\n    if x {\n    }\n}\n";
        assert_eq!(lengths(text), [("b".to_owned(), 5, 6)]);
        let nested = "fn a() {\n    fn b() {}\n    let s = \"}\";\n}\n";
        assert_eq!(lengths(nested), [("a".to_owned(), 1, 4), ("b".to_owned(), 2, 1)]);
    }
}
