//! `site init`: a commented settings file, in place of the bare one that comes with a kit.

use std::path::PathBuf;

use super::reference::commented;
use super::{Kit, PartySettings, config, provision};
use crate::error::{Error, Result};
use crate::files;

/// What the caller says; the rest is taken from the file that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Init {
    /// The party's name.
    pub name: Option<String>,
    /// Where the coordinator is, `HOST:PORT`.
    pub coordinator: Option<String>,
    /// The study's model, whose digest `preflight` checks.
    pub backbone: Option<PathBuf>,
    /// Keys of the table `learning` with the files that they name, relative to the kit's folder.
    pub learning: Vec<(&'static str, PathBuf)>,
}

/// Writes `startup/settings.toml` with every key and its meaning; keys that the file has already keep what they say unless `init`
/// says otherwise. A file that somebody edited is left alone unless `force`.
///
/// # Errors
/// [`Error::Kit`] for an edited file, or where name or address are not known; [`Error::File`] where the kit cannot be read or
/// written; [`Error::Settings`] for settings that are none.
pub fn init(kit: &Kit, init: &Init, force: bool) -> Result<PathBuf> {
    let path = kit.startup("settings.toml");
    let before = if path.exists() { Some(config::load::<PartySettings>(&path, &[])?) } else { None };
    if let Some(settings) = before.as_ref().filter(|_| !force) {
        let text = files::read_text(&path, 1 << 20)?;
        // Only what a command wrote, word for word, can be written again without losing somebody's work.
        let bare = provision::settings_text(&path, settings)?;
        if *text != bare && *text != commented(settings) {
            return Err(wrong(
                kit,
                "edited",
                "a file as a command wrote it",
                "edit it on, or overwrite it with --force",
            ));
        }
    }
    let of = |given: &Option<String>, known: fn(&PartySettings) -> &String| {
        given.clone().or_else(|| before.as_ref().map(|settings| known(settings).clone()))
    };
    let name = of(&init.name, |settings| &settings.name);
    let coordinator = of(&init.coordinator, |settings| &settings.coordinator);
    let (Some(name), Some(coordinator)) = (name, coordinator) else {
        let repair = "install the startup folder that `provision` wrote, or give --name and --coordinator";
        return Err(wrong(kit, "not there", "a party's name and the coordinator's address", repair));
    };
    provision::check_name("--name", &name)?;
    let mut settings = PartySettings {
        name,
        coordinator,
        backbone: init
            .backbone
            .clone()
            .or_else(|| before.as_ref().and_then(|settings| settings.backbone.clone())),
        metrics: before.as_ref().and_then(|settings| settings.metrics.clone()),
        max_jobs: before.as_ref().and_then(|settings| settings.max_jobs),
        learning: before.map(|settings| settings.learning).unwrap_or_default(),
    };
    for (key, file) in &init.learning {
        let file = toml::Value::String(file.display().to_string());
        settings.learning.insert((*key).to_owned(), file);
    }
    files::folder(&kit.folder().join("startup"))?;
    files::write(&path, commented(&settings).as_bytes())?;
    Ok(path)
}

fn wrong(kit: &Kit, found: &str, expected: &str, repair: &'static str) -> Error {
    let (found, expected) = (found.to_owned(), expected.to_owned());
    Error::Kit { folder: kit.folder().to_owned(), what: "startup/settings.toml", found, expected, repair }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_edited_is_never_overwritten_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let kit = Kit::at(folder.path());
        let train = || Init { learning: vec![("train", "t.safetensors".into())], ..Init::default() };
        let said = init(&kit, &train(), false).unwrap_err().to_string();
        assert!(said.contains("--coordinator"), "{said}");
        let known = Init { name: Some("a".into()), coordinator: Some("h:1".into()), ..train() };
        let path = init(&kit, &known, false).unwrap();
        // Written by the command itself: again, with one thing more, and nothing is lost.
        let more = Init { learning: vec![("validation", "v.safetensors".into())], ..Init::default() };
        init(&kit, &more, false).unwrap();
        let settings: PartySettings = kit.settings(&[]).unwrap();
        assert_eq!((settings.name.as_str(), settings.learning.len()), ("a", 2));
        // Somebody's own words.
        let edited =
            format!("{}\n# ask Maria before changing this\n", std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, &edited).unwrap();
        let said = init(&kit, &more, false).unwrap_err().to_string();
        assert!(said.contains("--force"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), edited);
        init(&kit, &more, true).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("Maria"));
    }
}
