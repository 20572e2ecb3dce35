//! Tokens that each certificate, and the study, has been answered: in this hour and in all, on the disk before they are answered.
//!
//! What is counted is what an answer can carry ([`blindscope_classify::Plan::capacity`]), whatever its asker says that it holds.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::documents::Answered;
use crate::error::{Error, Result};
use crate::kit::InferenceSettings;
use blindscope_store::Document;
use blindscope_transport::{Answer, Class, PeerId, Refusal};

const HOUR_MS: u64 = 3_600_000;
/// Longest document: some ten thousand certificates.
const MAX: u64 = 2 << 20;
/// The study's own line, among those of certificates.
const STUDY: &str = "study";

/// Most tokens of one asker, or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Most {
    hour: u64,
    life: u64,
}

/// Counts by certificate.
pub(in crate::coordinator) struct Usage {
    document: Document,
    asker: Most,
    study: Most,
    counts: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    /// Hours since 1970.
    hour: u64,
    /// Tokens in that hour.
    tokens: u64,
    /// Tokens in all.
    #[serde(default)]
    life: u64,
}

impl Usage {
    pub(super) fn open(document: Document, settings: &InferenceSettings) -> Result<Self> {
        let counts = match document.read(MAX)? {
            Some(text) => serde_json::from_slice(&text)
                .map_err(|e| Error::Settings { path: document.place(), reason: e.to_string() })?,
            None => BTreeMap::new(),
        };
        let asker = Most { hour: settings.tokens_an_hour, life: settings.tokens_in_all };
        let study = Most { hour: settings.study_tokens_an_hour, life: settings.study_tokens_in_all };
        Ok(Self { document, asker, study, counts: Mutex::new(counts) })
    }

    /// What the study and each certificate was answered, by its name in this file.
    pub(in crate::coordinator) fn answered(&self, now_ms: u64) -> (Answered, Vec<(String, Answered)>) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now_ms / HOUR_MS;
        let of = |count: &Count| Answered {
            hour: if count.hour == hour { count.tokens } else { 0 },
            life: count.life,
        };
        let study = counts.get(STUDY).map(of).unwrap_or_default();
        let askers = counts.iter().filter(|(name, _)| *name != STUDY);
        (study, askers.map(|(name, count)| (name.clone(), of(count))).collect())
    }

    /// Counts tokens that are about to be answered. Blocks for the disk.
    pub(in crate::coordinator) fn count(&self, peer: PeerId, tokens: u64, now_ms: u64) -> Answer<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = counts.clone();
        let lines =
            [(peer.to_string(), "this asker", self.asker), (STUDY.to_owned(), "the study", self.study)];
        for (name, whose, most) in lines {
            let count = changed.entry(name).or_default();
            *count = count.after(tokens, whose, most, now_ms)?;
        }
        let text = serde_json::to_vec(&changed).map_err(|e| super::super::refusal::internal(&e))?;
        if text.len() as u64 > MAX {
            return Err(super::super::refusal::internal(&"the file of counted tokens is full"));
        }
        self.document.write(&text).map_err(|e| super::super::refusal::store(&e))?;
        *counts = changed;
        Ok(())
    }
}

impl Count {
    /// The count with these tokens in it, if that is allowed.
    fn after(self, tokens: u64, whose: &str, most: Most, now_ms: u64) -> Answer<Self> {
        let hour = now_ms / HOUR_MS;
        let before = if self.hour == hour { self.tokens } else { 0 };
        let after =
            Self { hour, tokens: before.saturating_add(tokens), life: self.life.saturating_add(tokens) };
        let refuse = |code: &'static str, asked: u64, most: u64, message: String| {
            Err(Refusal::new(Class::Exhausted, code, message).fact("asked", asked).fact("most", most))
        };
        if after.life > most.life {
            let message = format!(
                "infer: an answer that can carry {tokens} tokens would make {} of {whose} in all, {} are allowed; who runs \
                 the coordinator can raise them in its settings",
                after.life, most.life
            );
            return refuse("no-tokens-left", after.life, most.life, message);
        }
        if after.tokens > most.hour {
            let wait = (HOUR_MS - now_ms % HOUR_MS).div_ceil(60_000);
            let message = format!(
                "infer: an answer that can carry {tokens} tokens would make {} of {whose} in this hour, {} are allowed; ask \
                 again in {wait} minutes",
                after.tokens, most.hour
            );
            return refuse("too-many-tokens", after.tokens, most.hour, message);
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> InferenceSettings {
        InferenceSettings {
            tokens_an_hour: 10,
            tokens_in_all: 25,
            study_tokens_an_hour: 18,
            study_tokens_in_all: 40,
            ..InferenceSettings::default()
        }
    }

    #[test]
    fn tokens_are_counted_by_hour_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.json");
        let (a, b) = (PeerId([1; 32]), PeerId([2; 32]));
        let usage = Usage::open(Document::file(&path), &settings()).unwrap();
        usage.count(a, 6, HOUR_MS).unwrap();
        usage.count(b, 8, HOUR_MS).unwrap();
        let refused = usage.count(a, 5, HOUR_MS + 1).unwrap_err();
        assert_eq!((refused.code.as_ref(), refused.retry), ("too-many-tokens", None));
        let again = Usage::open(Document::file(&path), &settings()).unwrap();
        again.count(a, 4, HOUR_MS + 2).unwrap();
        assert!(again.count(a, 1, HOUR_MS + 3).is_err(), "a restart forgets nothing");
        again.count(a, 10, 2 * HOUR_MS).unwrap();
    }

    #[test]
    fn what_is_refused_is_not_counted_and_lives_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.json");
        let usage = Usage::open(Document::file(&path), &settings()).unwrap();
        let (a, b, c) = (PeerId([1; 32]), PeerId([2; 32]), PeerId([3; 32]));
        // The study's hour: the third asker is too much, and takes nothing from anybody.
        usage.count(a, 9, HOUR_MS).unwrap();
        usage.count(b, 9, HOUR_MS).unwrap();
        let refused = usage.count(c, 1, HOUR_MS).unwrap_err();
        assert!(refused.message.contains("the study in this hour"), "{}", refused.message);
        usage.count(a, 9, 2 * HOUR_MS).unwrap();
        // An asker's life: 27 of 25.
        let refused = usage.count(a, 9, 3 * HOUR_MS).unwrap_err();
        assert_eq!(refused.code.as_ref(), "no-tokens-left");
        usage.count(a, 7, 3 * HOUR_MS).unwrap();
        // The study's: 34 so far.
        let refused = usage.count(c, 7, 4 * HOUR_MS).unwrap_err();
        assert!(refused.message.contains("the study in all"), "{}", refused.message);
        usage.count(c, 6, 4 * HOUR_MS).unwrap();
    }
}
