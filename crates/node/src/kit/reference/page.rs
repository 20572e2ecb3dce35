//! `docs/settings.md`.

use std::fmt::Write as _;

use super::Section;
use super::sample::sections;

const HEAD: &str = "\
# Settings

Every key of every file that people write. `blindscope settings` prints this page, from the types that the files are parsed with; a
test holds the page against it. A key that is not listed is refused. Required keys have no default.
";

/// The page, Markdown.
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    for section in sections() {
        write(&mut out, &section);
    }
    out
}

fn write(out: &mut String, section: &Section) {
    let Section { title, about, keys, .. } = section;
    // Into a text nothing fails to be written.
    let _ = write!(
        out,
        "\n## {title}\n\n{about}\n\n| key | value | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n"
    );
    for key in *keys {
        let (unit, default) = (key.unit().unwrap_or(""), section.default_of(key));
        let meaning = key.meaning().replace('|', "\\|");
        let _ = writeln!(out, "| `{}` | {} | {unit} | {default} | {meaning} |", key.name, key.kind());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use blindscope_federation::{Deadlines, JobSpec, Policy, Privacy};
    use blindscope_learn::jobs::{
        EncryptedHeadSettings, FedAvgSettings, MetricsSettings, SiteSettings, StatisticsSettings,
        UpdateSettings,
    };
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::super::sample;
    use super::*;
    use crate::kit::provision::Project;
    use crate::kit::{CoordinatorSettings, InferenceSettings, PartySettings};
    use crate::plain::Plain;

    #[test]
    fn the_page_is_what_the_types_say() {
        let found = include_str!("../../../../../docs/settings.md");
        assert!(found == page(), "write it anew: blindscope settings > docs/settings.md");
    }

    /// The names that a parser lists when it meets one that it does not know.
    fn taken<T: DeserializeOwned>(minimal: &Value) -> BTreeSet<String> {
        let mut odd = minimal.clone();
        odd.as_object_mut().unwrap().insert("no-such-key".to_owned(), json!(1));
        let said = serde_json::from_value::<T>(odd).err().expect("an unknown key is refused").to_string();
        let list = said.split_once("expected").unwrap().1;
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// Every key of a section is one that its parser takes, and the other way round; what is called required is; what is called a
    /// default makes no difference when it is written.
    fn holds<T: DeserializeOwned + Serialize>(title: &str, minimal: &Value) {
        let section = sections().into_iter().find(|s| s.title == title).expect(title);
        let listed: BTreeSet<String> = section.keys.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(listed, taken::<T>(minimal), "{title}");
        let read = |value: &Value| serde_json::from_value::<T>(value.clone());
        let form = |value: &Value| serde_json::to_value(read(value).unwrap()).unwrap();
        for key in section.keys {
            assert!(!key.meaning().is_empty(), "{title}: {}", key.name);
            let mut without = minimal.clone();
            if without.as_object_mut().unwrap().remove(key.name).is_some() {
                assert!(read(&without).is_err(), "{title}: {} is called required", key.name);
                assert_eq!(section.default_of(key), "required");
                continue;
            }
            if section.required.contains(&key.name) {
                continue;
            }
            if let Some(default) = section.defaults.get(key.name) {
                let mut with = minimal.clone();
                with.as_object_mut().unwrap().insert(key.name.to_owned(), default.clone());
                assert_eq!(form(&with), form(minimal), "{title}: {} is not the default", key.name);
            }
        }
    }

    #[test]
    fn each_key_is_taken_and_each_default_is_true() {
        holds::<PartySettings>("settings.toml of a party", &sample::party());
        holds::<SiteSettings>("`[learning]` of a site", &sample::learning());
        holds::<CoordinatorSettings>("settings.toml of the coordinator", &sample::coordinator());
        holds::<InferenceSettings>("`[inference]` of the coordinator", &json!({}));
        holds::<Project>("The project file", &sample::project());
        holds::<StatisticsSettings>("`[settings]` of `statistics` and `auto` and `cls-mean`", &json!({}));
        holds::<FedAvgSettings>("`[settings]` of `fedavg`", &json!({}));
        holds::<UpdateSettings>("`[settings]` of `update`", &json!({}));
        holds::<MetricsSettings>("`[settings]` of `metrics`", &json!({}));
        holds::<EncryptedHeadSettings>("`[settings]` of `inference-keys` and `encrypted-head`", &json!({}));
        holds::<JobSpec>("A job file", &json!({ "name": "x", "kind": "sum" }));
        let policy = json!({
            "minimum_cohort": 2, "backbone": "00".repeat(32), "jobs": [], "maximum_decryptions": 1,
            "maximum_rounds": 1
        });
        let privacy = json!({ "epsilon": 8, "delta": 1e-5, "unit": "patient", "norm": 1 });
        holds::<Privacy>("`[privacy]` of a job file", &privacy);
        holds::<Policy>("`[policy]`: policy.toml of a site", &policy);
    }

    #[test]
    fn deadlines_and_plain_sums_are_told_as_they_are_read() {
        let all = json!({ "ceremony_seconds": 1, "upload_seconds": 1, "opening_seconds": 1 });
        let listed = |title: &str| -> BTreeSet<String> {
            let section = sections().into_iter().find(|s| s.title == title).unwrap();
            section.keys.iter().map(|key| key.name.to_owned()).collect()
        };
        assert_eq!(taken::<Deadlines>(&all), listed("`[deadlines]` of the project file"));
        let said = serde_json::from_value::<Plain>(json!({ "other": 1 })).unwrap_err().to_string();
        let names = listed("`[learning.plain]` of a site");
        assert!(names.iter().all(|name| said.contains(&format!("`{name}`"))), "{said}");
    }
}
