//! Evaluation keys of askers: blobs of a store of their own, a few for each certificate, the newest last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::refusal;
use crate::error::{Error, Result};
use blindscope_classify::{EvaluationKeys, Plan};
use blindscope_federation::Blob;
use blindscope_store::{BlobStore, Document, Home, Unfinished};
use blindscope_transport::{Answer, Class, PeerId, Refusal};

/// Longest index.
const MAX: u64 = 1 << 20;
/// Key sets held decoded.
const READY: usize = 4;

/// Everybody's keys.
pub(super) struct Kept {
    blobs: BlobStore,
    index: Document,
    each: usize,
    owned: Mutex<BTreeMap<String, Vec<Blob>>>,
    ready: Mutex<Vec<(Blob, Arc<EvaluationKeys>)>>,
}

impl Kept {
    /// The keys that are kept at `home`; at most `each` sets a certificate and `limit` bytes in all.
    pub(super) fn open(home: &Home, each: usize, limit: u64) -> Result<Self> {
        let blobs = home.blobs_of("keys/blobs", limit)?;
        let index = home.document("keys/index.json");
        let owned: BTreeMap<String, Vec<Blob>> = match index.read(MAX)? {
            Some(text) => serde_json::from_slice(&text)
                .map_err(|e| Error::Settings { path: index.place(), reason: e.to_string() })?,
            None => BTreeMap::new(),
        };
        Ok(Self { blobs, index, each: each.max(1), owned: Mutex::new(owned), ready: Mutex::default() })
    }

    /// Whether the certificate has brought these keys.
    pub(super) fn owns(&self, peer: PeerId, keys: &Blob) -> bool {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        owned.get(&peer.to_string()).is_some_and(|blobs| blobs.contains(keys)) && self.blobs.contains(keys)
    }

    pub(super) fn begin(&self, len: u64) -> Answer<Unfinished> {
        self.blobs.begin(len).map_err(|e| refusal::store(&e))
    }

    /// Keeps keys that have come, and drops the certificate's oldest beyond its share. Blocks for the disk.
    pub(super) fn keep(&self, peer: PeerId, keys: Blob, unfinished: Unfinished) -> Answer<()> {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.finish_as(&keys).map_err(|e| refusal::store(&e))?;
        let blobs = owned.entry(peer.to_string()).or_default();
        blobs.retain(|blob| *blob != keys);
        blobs.push(keys);
        let surplus = blobs.len().saturating_sub(self.each);
        blobs.drain(..surplus);
        let text = serde_json::to_vec(&*owned).unwrap_or_default();
        self.index.write(&text).map_err(|e| refusal::store(&e))?;
        if surplus > 0 {
            let needed: Vec<Blob> = owned.values().flatten().copied().collect();
            self.blobs.retain(&needed).map_err(|e| refusal::store(&e))?;
        }
        Ok(())
    }

    /// The object that holds keys, where workers find them.
    #[cfg(feature = "scale")]
    pub(super) fn object_of(&self, keys: &Blob) -> Option<String> {
        self.blobs.object_of(keys)
    }

    /// The keys, decoded for a plan. Blocks for the disk.
    pub(super) fn decoded(&self, plan: &Plan, keys: &Blob) -> Answer<Arc<EvaluationKeys>> {
        let find = |ready: &[(Blob, Arc<EvaluationKeys>)]| {
            ready.iter().find(|(b, _)| b == keys).map(|(_, k)| k.clone())
        };
        if let Some(found) = find(&self.ready.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(found);
        }
        let bytes = self.blobs.read(keys, plan.keys_len() as u64).map_err(|e| refusal::store(&e))?;
        let decoded = EvaluationKeys::from_bytes(plan, &bytes)
            .map_err(|e| Refusal::new(Class::Invalid, "bad-keys", e.to_string()))?;
        let decoded = Arc::new(decoded);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY {
            ready.remove(0);
        }
        ready.push((*keys, decoded.clone()));
        Ok(decoded)
    }
}
