//! The sections of the page, each with the smallest file that its parser takes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Section, tables};
use crate::kit::provision::Project;
use crate::kit::{CoordinatorSettings, InferenceSettings, PartySettings};
use blindscope_learn::documented::Documented;
use blindscope_learn::jobs::{SettingsOf, SiteSettings, settings_of_kinds};

/// The smallest project file.
pub(super) fn project() -> Value {
    json!({
        "name": "lung", "address": "coordinator.example.org:8443", "classes": ["aca", "scc"],
        "backbone": "00".repeat(32), "width": 768, "sites": ["hospital-a", "hospital-b"],
        "admins": ["study-office"], "threshold": 2, "minimum_cohort": 2
    })
}

/// The smallest settings of a party, of the coordinator, and of a site's learning.
pub(super) fn party() -> Value {
    json!({ "name": "hospital-a", "coordinator": "coordinator.example.org:8443" })
}

pub(super) fn coordinator() -> Value {
    json!({ "listen": "0.0.0.0:8443" })
}

pub(super) fn learning() -> Value {
    json!({ "train": "train.safetensors" })
}

fn section<T>(title: &str, about: &'static str, minimal: &Value) -> Section
where
    T: Documented + Serialize + DeserializeOwned,
{
    let read: Option<T> = serde_json::from_value(minimal.clone()).ok();
    let defaults = read.and_then(|read| serde_json::to_value(read).ok()).unwrap_or_default();
    let given = |name: &&'static str| minimal.get(name).is_some();
    let required = T::KEYS.iter().map(|key| key.name).filter(given).collect();
    Section { title: title.to_owned(), about, keys: T::KEYS, defaults, required }
}

/// Everything, in the page's order.
pub(super) fn sections() -> Vec<Section> {
    let about = "`startup/settings.toml` of a site, an administrator and an asker. `blindscope site init` writes one with comments.";
    let mut all = vec![section::<PartySettings>("settings.toml of a party", about, &party())];
    let about = "What a site learns from. Paths are relative to the kit's folder.";
    all.push(section::<SiteSettings>("`[learning]` of a site", about, &learning()));
    let about = "Instead of all of the above, for integers that a site brings itself.";
    all.push(by_hand("`[learning.plain]` of a site", about, tables::PLAIN, Value::Null, &[]));
    let about = "`startup/settings.toml` of the coordinator.";
    all.push(section::<CoordinatorSettings>("settings.toml of the coordinator", about, &coordinator()));
    let about = "What askers may do: in the coordinator's `settings.toml`, or in the project file, which it is taken from.";
    all.push(section::<InferenceSettings>("`[inference]` of the coordinator", about, &json!({})));
    let about = "What `blindscope provision` founds a study on.";
    let founded = section::<Project>("The project file", about, &project());
    let deadlines = founded.defaults.get("deadlines").cloned().unwrap_or_default();
    all.push(founded);
    let about = "How long steps wait. Where the table is written, all three are.";
    all.push(by_hand("`[deadlines]` of the project file", about, tables::DEADLINES, deadlines, &[]));
    let about = "`local/policy.toml` of a site: its own rules, which neither the coordinator nor `-c` can change. `provision` proposes one.";
    let required = tables::POLICY.iter().filter(|key| key.without().is_none());
    let names: Vec<&str> = required.map(|key| key.name).collect();
    all.push(by_hand("`[policy]`: policy.toml of a site", about, tables::POLICY, Value::Null, &names));
    let about = "What `blindscope job submit` takes, TOML or JSON.";
    all.push(by_hand("A job file", about, tables::JOB, Value::Null, &["name", "kind"]));
    let about =
        "Differential privacy of a job: [privacy](privacy.md). Where the table is written, all keys are.";
    let names: Vec<&str> = tables::PRIVACY.iter().map(|key| key.name).collect();
    all.push(by_hand("`[privacy]` of a job file", about, tables::PRIVACY, Value::Null, &names));
    all.extend(kinds());
    all
}

/// The settings of each kind of job that has some.
fn kinds() -> impl Iterator<Item = Section> {
    settings_of_kinds().into_iter().map(|of| {
        let names: Vec<String> = of.kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let title = format!("`[settings]` of {}", names.join(" and "));
        let SettingsOf { about, keys, defaults, required, .. } = of;
        Section { title, about, keys, defaults, required: required.to_vec() }
    })
}

fn by_hand(
    title: &str,
    about: &'static str,
    keys: &'static [blindscope_learn::documented::Key],
    defaults: Value,
    required: &[&'static str],
) -> Section {
    Section { title: title.to_owned(), about, keys, defaults, required: required.to_vec() }
}
