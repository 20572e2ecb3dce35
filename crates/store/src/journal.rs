//! Small blobs on their way to the disk.
//!
//! Flushing a file and its folder takes longer than writing a small blob. So small blobs are kept without that, in memory, and
//! their bytes go into the transaction of the log's next entries: one flush makes the entries and the blobs that they name durable
//! together. They are there again from these rows when the store is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use blindscope_federation::Blob;

/// Largest blob that rides with entries.
pub(crate) const SMALL: u64 = 1 << 20;

/// Bytes of rows that make it worth to flush the files instead.
const ENOUGH: u64 = 64 << 20;

/// Which blobs ride, and which rows there are.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Lists>);

/// By the names of their files.
#[derive(Debug, Default)]
struct Lists {
    /// Placed without a flush and in no row yet.
    fresh: BTreeMap<String, Blob>,
    /// In a row.
    held: BTreeMap<String, Blob>,
    /// Deleted from the folder; their rows go with the next entries.
    gone: BTreeSet<String>,
}

/// What the next entries take with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Riding {
    pub(crate) fresh: Vec<Blob>,
    pub(crate) gone: Vec<String>,
}

impl Journal {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        // Every change below is one step: a panic elsewhere leaves the lists as they should be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A blob was placed without a flush.
    pub(crate) fn placed(&self, blob: &Blob) {
        let mut lists = self.lists();
        let name = name(blob);
        lists.gone.remove(&name);
        if !lists.held.contains_key(&name) {
            lists.fresh.insert(name, *blob);
        }
    }

    /// The blob of this name was deleted.
    pub(crate) fn deleted(&self, name: &str) {
        let mut lists = self.lists();
        // What was only passing has no row.
        let (fresh, held) = (lists.fresh.remove(name), lists.held.remove(name));
        if fresh.or(held).is_some() {
            lists.gone.insert(name.to_owned());
        }
    }

    /// What the next entries take with them.
    pub(crate) fn riding(&self) -> Riding {
        let lists = self.lists();
        Riding { fresh: lists.fresh.values().copied().collect(), gone: lists.gone.iter().cloned().collect() }
    }

    /// The entries are on the disk, and this with them.
    pub(crate) fn rode(&self, riding: &Riding) {
        let mut lists = self.lists();
        for name in &riding.gone {
            lists.gone.remove(name);
        }
        for blob in &riding.fresh {
            // One that was deleted meanwhile has a row now that has to go.
            let name = name(blob);
            if lists.fresh.remove(&name).is_some() {
                lists.held.insert(name, *blob);
            }
        }
    }

    /// A row that the store was opened with.
    pub(crate) fn found(&self, blob: &Blob) {
        self.lists().held.insert(name(blob), *blob);
    }

    /// Blobs whose files should be flushed, so that their rows can go: all of them once there are enough.
    pub(crate) fn settling(&self) -> Vec<Blob> {
        let lists = self.lists();
        let bytes: u64 = lists.held.values().map(|blob| blob.len).sum();
        if bytes > ENOUGH { lists.held.values().copied().collect() } else { Vec::new() }
    }

    /// The files of these are flushed: their rows go with the next entries.
    pub(crate) fn settled(&self, blobs: &[Blob]) {
        let mut lists = self.lists();
        for blob in blobs {
            let name = name(blob);
            if lists.held.remove(&name).is_some() {
                lists.gone.insert(name);
            }
        }
    }
}

fn name(blob: &Blob) -> String {
    blob.digest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_rides_once_and_its_row_goes_when_it_does() {
        let (journal, a, b) = (Journal::default(), Blob::of(b"a"), Blob::of(b"b"));
        journal.placed(&a);
        journal.placed(&b);
        let riding = journal.riding();
        assert_eq!(riding.fresh.len(), 2);
        // Deleted while the entries are being written.
        journal.deleted(&name(&b));
        journal.rode(&riding);
        assert_eq!(journal.riding(), Riding { fresh: Vec::new(), gone: vec![name(&b)] });
        journal.placed(&a);
        assert!(journal.riding().fresh.is_empty(), "it has a row");
        journal.deleted(&name(&a));
        journal.placed(&a);
        assert_eq!(journal.riding(), Riding { fresh: vec![a], gone: vec![name(&b)] });
    }

    #[test]
    fn files_are_flushed_once_there_is_enough() {
        let (journal, large) = (Journal::default(), Blob { len: ENOUGH + 1, ..Blob::of(b"large") });
        journal.found(&Blob::of(b"small"));
        assert!(journal.settling().is_empty());
        journal.found(&large);
        let blobs = journal.settling();
        assert_eq!(blobs.len(), 2);
        journal.settled(&blobs);
        assert_eq!(journal.riding().gone.len(), 2);
        assert!(journal.settling().is_empty());
    }
}
