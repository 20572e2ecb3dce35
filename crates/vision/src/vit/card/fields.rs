//! The fields of one JSON object, taken one by one, so that none is left without a word.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::tensorfile;
use blindscope_pixels::foreign::Found;

/// Longest file that is read: real ones have a few kilobytes.
const MOST: u64 = 4 << 20;

/// Fields not taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    path: PathBuf,
    /// Names of the objects that these lie in, each with a full stop.
    inside: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The object that a file holds.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::io("reading", path))?.len();
        if length > MOST {
            return Err(Error::format(
                "JSON",
                path,
                format!("{length} bytes are too many for a configuration"),
            ));
        }
        let found = tensorfile::found(path)?;
        if let Some(other) = found.filter(|found| *found != Found::Json) {
            return Err(Error::format("JSON", path, other.described()));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let map = serde_json::from_str(&text).map_err(|e| Error::format("JSON", path, e))?;
        Ok(Self { path: path.to_owned(), inside: String::new(), map })
    }

    /// Whether a field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|v| !v.is_null())
    }

    /// Whether a field is a bare number.
    pub(super) fn number(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(Value::is_number)
    }

    /// Takes a field; none when it is absent or null.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.map.remove(name).filter(|v| !v.is_null()) else { return Ok(None) };
        match serde_json::from_value(value.clone()) {
            Ok(value) => Ok(Some(value)),
            Err(e) => Err(self.refuse(name, &value, format!("that is no value for it: {e}"))),
        }
    }

    /// Takes a field that may be an object; other values come back.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => {
                let inside = format!("{}{name}.", self.inside);
                Ok(Some(Self { path: self.path.clone(), inside, map }))
            }
            Some(value) => Err(self.refuse(name, &value, "it has to be an object")),
        }
    }

    /// Passes over fields that do not touch a feature.
    pub(super) fn pass(&mut self, names: &[&str]) {
        for name in names {
            self.map.remove(*name);
        }
    }

    /// Takes a field that has to equal one of `served`, if it is there.
    pub(super) fn only(&mut self, name: &str, served: &[&str]) -> Result<()> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(text)) if served.contains(&text.as_str()) => Ok(()),
            Some(value) => {
                Err(self.refuse(name, &value, format!("only {} is carried out", served.join(", "))))
            }
        }
    }

    /// Takes a switch that has to be off, if it is there.
    pub(super) fn off(&mut self, name: &str) -> Result<()> {
        match self.map.remove(name) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(()),
            Some(value) => Err(self.refuse(name, &value, "that is not carried out")),
        }
    }

    /// The refusal of a field.
    pub(super) fn refuse(&self, name: &str, value: &impl ToString, rule: impl Into<String>) -> Error {
        let mut value = value.to_string();
        if value.chars().count() > 80 {
            value = value.chars().take(77).chain("...".chars()).collect();
        }
        let field = format!("{}{name}", self.inside);
        Error::Setting { path: self.path.clone(), field, value, rule: rule.into() }
    }

    /// Refuses what is left, but for nulls, switches that are off and private notes (`_…`).
    pub(super) fn finish(self) -> Result<()> {
        let silent = |name: &str, value: &Value| {
            name.starts_with('_') || matches!(value, Value::Null | Value::Bool(false))
        };
        match self.map.iter().find(|(name, value)| !silent(name, value)) {
            None => Ok(()),
            Some((name, value)) => Err(self.refuse(
                name,
                value,
                "this field is not known here and might change the features; remove it if it does not",
            )),
        }
    }
}
