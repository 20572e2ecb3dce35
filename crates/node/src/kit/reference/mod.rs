//! Every key of every file that people write, with kind, unit, default and meaning: `docs/settings.md`, and the comments of a
//! settings file. All of it is taken from the types that are parsed.

mod commented;
mod page;
mod sample;
mod tables;

pub use commented::commented;
pub use page::page;

use serde_json::Value;

use blindscope_learn::documented::Key;

/// A file or table, ready to be shown.
pub(super) struct Section {
    /// Its heading.
    pub(super) title: String,
    /// What it is for.
    pub(super) about: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
    /// What it is when nothing but the required keys is written.
    pub(super) defaults: Value,
    /// Keys that have to be there.
    pub(super) required: Vec<&'static str>,
}

impl Section {
    /// What stands for a key that is left out.
    pub(super) fn default_of(&self, key: &Key) -> String {
        if self.required.contains(&key.name) {
            return "required".to_owned();
        }
        match (key.without(), self.defaults.get(key.name)) {
            (Some(told), _) => told.to_owned(),
            (None, Some(value)) => format!("`{}`", inline(value, key.of == "f32")),
            (None, None) => "none".to_owned(),
        }
    }
}

/// A value as TOML writes it in one line.
fn inline(value: &Value, single: bool) -> String {
    match value {
        Value::Object(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", inline(value, single)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let items = items.iter().map(|value| inline(value, single));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        // Single precision has fewer digits than the number that JSON makes of it.
        Value::Number(number) if single => {
            number.as_f64().map_or_else(|| number.to_string(), |number| (number as f32).to_string())
        }
        other => other.to_string(),
    }
}
