//! A settings file with a comment for each key.

use std::fmt::Write as _;

use serde_json::Value;

use super::inline;
use crate::kit::PartySettings;
use blindscope_learn::documented::{Documented as _, Key};
use blindscope_learn::jobs::SiteSettings;

const HEAD: &str = "\
# Settings of one party. Every key is here; those behind a # are left out, and what then holds stands above them.
# All keys of all files: `blindscope settings`.
";

/// Longest line of a comment.
const WIDTH: usize = 110;

/// The file of these settings, TOML. Reading it gives the same settings.
pub fn commented(settings: &PartySettings) -> String {
    let given = serde_json::to_value(settings).unwrap_or_default();
    let mut out = HEAD.to_owned();
    for key in PartySettings::KEYS.iter().filter(|key| key.name != "learning") {
        write(&mut out, key, given.get(key.name));
    }
    let learning = given.get("learning").cloned().unwrap_or_default();
    if let Some(plain) = learning.get("plain") {
        let _ = write!(
            out,
            "\n# Integers of its own, instead of features.\n[learning]\nplain = {}\n",
            inline(plain, false)
        );
        return out;
    }
    out.push_str("\n# What this site learns from. Paths are relative to the folder that startup/ lies in.\n[learning]\n");
    for key in SiteSettings::KEYS {
        write(&mut out, key, learning.get(key.name));
    }
    out
}

/// One key: its meaning as comments, and its value, or an example behind a `#`.
fn write(out: &mut String, key: &Key, given: Option<&Value>) {
    let without = match (given, key.without()) {
        (None, Some(without)) => format!(" Without it: {without}."),
        (None, None) => " Required.".to_owned(),
        (Some(_), _) => String::new(),
    };
    let mut line = "#".to_owned();
    out.push('\n');
    for word in format!("{}{without}", key.meaning()).split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            let _ = writeln!(out, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
    let _ = match given {
        Some(value) => writeln!(out, "{} = {}", key.name, inline(value, false)),
        None => writeln!(out, "# {} = \"…\"", key.name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commented_file_is_the_same_settings() {
        let text = "name = \"a\"\ncoordinator = \"h:1\"\nbackbone = \"with \\\"quotes\\\" \\\\ and \\t\"\n\n[learning]\ntrain = \"t.safetensors\"\nmodels = \"m\"\n";
        let plain = "name = \"a\"\ncoordinator = \"h:1\"\n\n[learning.plain]\nseed = 3\n";
        for text in [text, plain, "name = \"a\"\ncoordinator = \"h:1\"\n"] {
            let settings: PartySettings = toml::from_str(text).unwrap();
            let commented = commented(&settings);
            let again: PartySettings = toml::from_str(&commented).unwrap();
            assert_eq!(again, settings, "{commented}");
            for key in PartySettings::KEYS {
                assert!(commented.contains(key.name), "{}", key.name);
            }
        }
    }
}
