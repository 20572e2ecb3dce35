//! Heads and keys that are read once for many questions.

use std::sync::{Arc, Mutex, PoisonError};

use crate::coordinator::{HeadReader, Offered};
use crate::work::{PieceBlobs, Questioned, Refused, Result};
use blindscope_classify::EvaluationKeys;
use blindscope_federation::Blob;

/// Of each, so many.
const READY: usize = 4;
/// Longest result that may hold a head.
const MAX_HEAD: u64 = 512 << 20;

/// What a head's plan follows from.
type HeadName = (Blob, usize, Option<u32>);
/// The newest last.
type Newest<K, V> = Mutex<Vec<(K, Arc<V>)>>;

/// Heads with their plans, and keys for them.
pub(super) struct Ready {
    read: HeadReader,
    heads: Newest<HeadName, Offered>,
    keys: Newest<(Blob, HeadName), EvaluationKeys>,
}

impl Ready {
    pub(super) fn new(read: HeadReader) -> Self {
        Self { read, heads: Mutex::default(), keys: Mutex::default() }
    }

    /// The head that a question is to and the keys that its answer takes.
    pub(super) fn of(
        &self,
        asked: &Questioned,
        blobs: &PieceBlobs<'_>,
    ) -> Result<(Arc<Offered>, Arc<EvaluationKeys>)> {
        let form = |what, reason: &dyn std::fmt::Display| Refused::Form { what, reason: reason.to_string() };
        let name = (asked.result, asked.batch, asked.precision);
        let head = kept(&self.heads, name, || {
            let bytes = blobs.read(&asked.result, MAX_HEAD)?;
            let made = Offered::make(&self.read, (name.1, name.2), (&asked.spec, name.0), &bytes);
            made.map_err(|e| form("head", &e))
        })?;
        let keys = kept(&self.keys, (asked.keys, name), || {
            let bytes = blobs.read(&asked.keys, head.plan.keys_len() as u64)?;
            EvaluationKeys::from_bytes(&head.plan, &bytes).map_err(|e| form("keys", &e))
        })?;
        Ok((head, keys))
    }
}

/// What is kept under a name, or made.
fn kept<K: PartialEq, V>(of: &Newest<K, V>, name: K, make: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
    let found = of.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, value)) = found.iter().find(|(known, _)| *known == name) {
        return Ok(value.clone());
    }
    drop(found);
    let made = Arc::new(make()?);
    let mut all = of.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= READY {
        all.remove(0);
    }
    all.push((name, made.clone()));
    Ok(made)
}
