//! Blobs that nothing durable names yet, and are not deleted meanwhile: what arrives before its record, what is made before its mark.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use crate::Result;
use crate::blob_store::{BlobStore, Inner};
use blindscope_federation::Blob;

/// Who holds what, and what was finished when.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    /// Counts finished blobs and holds.
    clock: u64,
    /// When each blob was finished last, of those that a hold may be about.
    finished: BTreeMap<Blob, u64>,
    /// Begin of each hold, and the blobs that it names.
    held: BTreeMap<u64, Vec<Blob>>,
}

impl Holds {
    /// A blob is under its name.
    pub(crate) fn finished(&mut self, blob: &Blob) {
        if self.held.is_empty() {
            return;
        }
        self.clock += 1;
        self.finished.insert(*blob, self.clock);
    }

    /// Blobs that are named, or were finished since the oldest hold began.
    fn spared(&self) -> impl Iterator<Item = Blob> + '_ {
        self.held.values().flatten().chain(self.finished.keys()).copied()
    }

    /// Forgets what was finished before the oldest hold began.
    fn forget(&mut self) {
        match self.held.first_key_value() {
            None => self.finished.clear(),
            Some((&oldest, _)) => self.finished.retain(|_, at| *at > oldest),
        }
    }
}

/// While it lives, [`BlobStore::tidy`] deletes none of its blobs and nothing that is finished.
#[derive(Debug)]
#[must_use = "what is dropped at once holds nothing"]
pub struct Hold {
    store: BlobStore,
    begun: u64,
}

impl BlobStore {
    /// Holds these blobs, and whatever is finished from now on. Waits for a deletion that is under way.
    pub fn hold(&self, blobs: &[Blob]) -> Hold {
        let mut holds = self.0.holds();
        holds.clock += 1;
        let begun = holds.clock;
        holds.held.insert(begun, blobs.to_vec());
        Hold { store: self.clone(), begun }
    }

    /// Deletes every blob that is neither needed nor held; how many bytes that freed. `needed` is asked once nothing can be held anew or
    /// finished: what was held until a moment ago is named by now by whatever `needed` looks at.
    ///
    /// # Errors
    /// As [`BlobStore::retain`].
    pub fn tidy(&self, needed: impl FnOnce() -> Vec<Blob>) -> Result<u64> {
        let holds = self.0.holds();
        let mut all = needed();
        all.extend(holds.spared());
        self.retain(&all)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut holds = self.store.0.holds();
        holds.held.remove(&self.begun);
        holds.forget();
    }
}

impl Inner {
    pub(crate) fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
