//! Settings: a TOML file, with single keys replaced from the command line.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::in_words;

/// Longest settings file.
const MAX: u64 = 1 << 20;

/// The settings of a file, with `overrides` (`key=value`, `table.key=value`) in place of its own.
///
/// A value is read as TOML; what is none (`host:8443`, `/data`) is taken as text.
///
/// # Errors
/// [`Error::File`] where the file cannot be read or written; [`Error::Settings`] for text that is not the file's
/// format; [`Error::Override`] for an override that is not `key=value`.
pub fn load<T: DeserializeOwned>(path: &Path, overrides: &[String]) -> Result<T> {
    let text = files::read_text(path, MAX)?;
    let wrong = |reason: String| Error::Settings { path: path.to_owned(), reason };
    let mut table: Table = toml::from_str(&text).map_err(|e| wrong(in_words(&e.to_string())))?;
    for one in overrides {
        replace(&mut table, one)?;
    }
    table.try_into().map_err(|e| wrong(in_words(&e.to_string())))
}

fn replace(table: &mut Table, one: &str) -> Result<()> {
    let wrong = |reason| Error::Override { given: one.to_owned(), reason };
    let (key, value) = one.split_once('=').ok_or_else(|| wrong("there is no '='"))?;
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().filter(|part| !part.is_empty()).ok_or_else(|| wrong("the key is empty"))?;
    let mut at = table;
    for part in parts {
        let inner = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = inner.as_table_mut().ok_or_else(|| wrong("a part of the key is no table"))?;
    }
    at.insert(last.to_owned(), parse(value.trim()));
    Ok(())
}

fn parse(value: &str) -> Value {
    let line = format!("v = {value}");
    let parsed = toml::from_str::<Table>(&line).ok().and_then(|mut table| table.remove("v"));
    parsed.unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_says_is_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "listen = \"h:1\"\n[inference]\nkeys_each = -3\n").unwrap();
        let said = load::<crate::kit::CoordinatorSettings>(&path, &[]).unwrap_err().to_string();
        assert!(
            said.contains("keys_each")
                && said.contains("a whole number")
                && !said.contains("u32")
                && !said.contains('\n'),
            "{said}"
        );
    }

    #[test]
    fn overrides_replace_single_keys() {
        let mut table: Table = toml::from_str("a = 1\n[limits]\nrate = 5\n").unwrap();
        for one in ["a=2", "limits.rate = 9", "listen=0.0.0.0:8443", "limits.names=[\"x\"]", "new.deep=true"]
        {
            replace(&mut table, one).unwrap();
        }
        assert_eq!(table["a"].as_integer(), Some(2));
        assert_eq!(table["limits"]["rate"].as_integer(), Some(9));
        assert_eq!(table["limits"]["names"][0].as_str(), Some("x"));
        assert_eq!(table["listen"].as_str(), Some("0.0.0.0:8443"));
        assert_eq!(table["new"]["deep"].as_bool(), Some(true));
        for wrong in ["a", "=1", "a.b=1", "limits.=1"] {
            assert!(replace(&mut table, wrong).is_err(), "{wrong}");
        }
    }
}
