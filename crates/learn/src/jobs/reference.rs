//! What the settings of each kind of job may say, for pages and for filling in.

use serde_json::Value;

use super::kind;
use crate::documented::Key;
use blindscope_federation::JobKind;

/// Kinds whose files say the same, with what they may say.
pub struct SettingsOf {
    /// The kinds.
    pub kinds: Vec<JobKind>,
    /// What their jobs do.
    pub about: &'static str,
    /// The keys of their settings.
    pub keys: &'static [Key],
    /// Every key at its default; keys without one are missing.
    pub defaults: Value,
    /// The keys that a file has to have.
    pub required: &'static [&'static str],
}

/// The settings of every kind that has some, in the order of [`JobKind::ALL`].
pub fn settings_of_kinds() -> Vec<SettingsOf> {
    let mut all: Vec<SettingsOf> = Vec::new();
    for (kind, row) in JobKind::ALL.iter().filter_map(|kind| Some((*kind, kind::of(*kind)?))) {
        match all.iter_mut().find(|known| known.about == row.about) {
            Some(known) => known.kinds.push(kind),
            None => all.push(SettingsOf {
                kinds: vec![kind],
                about: row.about,
                keys: row.keys,
                defaults: (row.defaults)(),
                required: row.required,
            }),
        }
    }
    all
}

/// The keys of a kind's settings; none where it has no settings.
pub(super) fn keys(kind: JobKind) -> &'static [Key] {
    kind::of(kind).map_or(&[], |row| row.keys)
}
