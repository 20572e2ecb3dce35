//! Tokens that each certificate has asked for in an hour, on the disk before they are answered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use blindscope_transport::{Answer, Class, PeerId, Refusal};
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Result};
use crate::files;

const HOUR_MS: u64 = 3_600_000;
/// Longest file.
const MAX: u64 = 1 << 20;

/// Counts by certificate.
pub(in crate::coordinator) struct Usage {
    path: PathBuf,
    most: u64,
    counts: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Count {
    /// Hours since 1970.
    hour: u64,
    /// Tokens in that hour.
    tokens: u64,
}

impl Usage {
    pub(super) fn open(path: &Path, most: u64) -> Result<Self> {
        let counts = if path.exists() {
            let text = files::read(path, MAX)?;
            serde_json::from_slice(&text)
                .map_err(|e| AppError::Settings { path: path.to_owned(), reason: e.to_string() })?
        } else {
            BTreeMap::new()
        };
        Ok(Self { path: path.to_owned(), most, counts: Mutex::new(counts) })
    }

    /// Counts tokens that are about to be answered. Blocks for the disk.
    pub(in crate::coordinator) fn count(&self, peer: PeerId, tokens: u64, now_ms: u64) -> Answer<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now_ms / HOUR_MS;
        counts.retain(|_, count| count.hour == hour);
        let mut changed = counts.clone();
        let count = changed.entry(peer.to_string()).or_insert(Count { hour, tokens: 0 });
        count.tokens = count.tokens.saturating_add(tokens);
        if count.tokens > self.most {
            let wait = std::time::Duration::from_millis(HOUR_MS - now_ms % HOUR_MS);
            let message = format!(
                "infer: {} tokens would make {} in this hour, {} are allowed; ask again in {} minutes",
                tokens,
                count.tokens,
                self.most,
                wait.as_secs().div_ceil(60)
            );
            return Err(Refusal::new(Class::Exhausted, "too-many-tokens", message)
                .fact("asked", count.tokens)
                .fact("most", self.most));
        }
        let text = serde_json::to_vec(&changed).unwrap_or_default();
        files::write(&self.path, &text).map_err(|e| super::super::refusal::internal(&e))?;
        *counts = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_by_hour_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.json");
        let (a, b) = (PeerId([1; 32]), PeerId([2; 32]));
        let usage = Usage::open(&path, 10).unwrap();
        usage.count(a, 6, HOUR_MS).unwrap();
        usage.count(b, 10, HOUR_MS).unwrap();
        let refused = usage.count(a, 5, HOUR_MS + 1).unwrap_err();
        assert_eq!((refused.code.as_ref(), refused.retry), ("too-many-tokens", None));
        let again = Usage::open(&path, 10).unwrap();
        again.count(a, 4, HOUR_MS + 2).unwrap();
        assert!(again.count(a, 1, HOUR_MS + 3).is_err(), "a restart forgets nothing");
        again.count(a, 10, 2 * HOUR_MS).unwrap();
    }
}
