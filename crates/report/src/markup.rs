//! The only way text gets onto a page: escaped.

use std::fmt::Write;

/// Text with the five characters that markup knows replaced, and control characters left out.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Appends formatted markup. Writing to a string cannot fail.
pub(crate) fn put(out: &mut String, markup: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(markup);
    debug_assert!(written.is_ok(), "writing to a string");
}

/// An anchor made of a heading: letters and digits, words joined by `-`.
pub(crate) fn anchor(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// A coordinate with at most two decimals; what is not finite lies at zero.
pub(crate) fn coordinate(x: f64) -> String {
    let x = if x.is_finite() { x } else { 0.0 };
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number for people: few digits, thousands kept apart by a thin space, an em dash for what is not finite.
pub(crate) fn number(x: f64) -> String {
    if !x.is_finite() {
        return "—".into();
    }
    let size = x.abs();
    let decimals = match size {
        s if s >= 1000.0 || x.fract().abs() < 1e-9 => 0,
        s if s >= 100.0 => 1,
        s if s >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{x:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let grouped = group(whole);
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

fn group(whole: &str) -> String {
    let digits = whole.trim_start_matches('-');
    let sign = if whole.len() == digits.len() { "" } else { "−" };
    if digits.len() < 5 {
        return format!("{sign}{digits}");
    }
    let first = digits.len() % 3;
    let mut out = digits[..first].to_owned();
    for (i, c) in digits[first..].chars().enumerate() {
        if i % 3 == 0 && !(first == 0 && i == 0) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    format!("{sign}{out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_text_stays_markup() {
        assert_eq!(escape("<a href=\"x\">'&\u{0}\u{1b}"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.9612, "0.961"),
            (66.25, "66.25"),
            (326_000.0, "326\u{202f}000"),
            (-12_345_678.0, "−12\u{202f}345\u{202f}678"),
            (f64::NAN, "—"),
            (3.0, "3"),
            (100_000.0, "100\u{202f}000"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn anchors_are_plain() {
        assert_eq!(anchor("Bytes & times, <each> step"), "bytes-times-each-step");
    }
}
