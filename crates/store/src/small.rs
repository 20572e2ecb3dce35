//! Small blobs in memory: what rides with a log's entries is in the log's rows, and what only passes is given again, so neither needs a
//! file. Of more than fits the oldest go into files, as they did when nothing was kept here.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blindscope_federation::Blob;

/// Most bytes of all of them.
const MOST: u64 = 16 << 20;

/// Blobs beside a log, by their names.
#[derive(Debug, Default)]
pub(crate) struct Small(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    blobs: BTreeMap<Blob, Arc<Vec<u8>>>,
    /// From the oldest on; names of what was removed meanwhile are among them.
    order: VecDeque<Blob>,
    bytes: u64,
}

impl Small {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        // Every change below is one step: a panic elsewhere leaves the lists as they should be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a blob, if they are here.
    pub(crate) fn get(&self, blob: &Blob) -> Option<Arc<Vec<u8>>> {
        self.lists().blobs.get(blob).cloned()
    }

    /// Keeps the bytes of a blob, which have its name.
    pub(crate) fn put(&self, blob: Blob, bytes: Vec<u8>) {
        let mut lists = self.lists();
        if lists.blobs.insert(blob, Arc::new(bytes)).is_none() {
            lists.bytes += blob.len;
            lists.order.push_back(blob);
        }
    }

    /// Forgets a blob: it is deleted, or in a file.
    pub(crate) fn remove(&self, blob: &Blob) {
        let mut lists = self.lists();
        if lists.blobs.remove(blob).is_some() {
            lists.bytes = lists.bytes.saturating_sub(blob.len);
            lists.order.retain(|other| other != blob);
        }
    }

    /// Everything that is here.
    pub(crate) fn all(&self) -> Vec<Blob> {
        self.lists().blobs.keys().copied().collect()
    }

    /// The oldest blob, where there is more than fits.
    pub(crate) fn beyond(&self) -> Option<(Blob, Arc<Vec<u8>>)> {
        let lists = self.lists();
        let oldest = lists.order.front().filter(|_| lists.bytes > MOST)?;
        Some((*oldest, lists.blobs.get(oldest)?.clone()))
    }
}

/// Bytes from memory. They are those of their name: nothing else is ever put here.
#[derive(Debug)]
pub(crate) struct FromMemory {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) at: usize,
}

impl Read for FromMemory {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.read(out)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_no_sooner_than_there_is_too_much() {
        let small = Small::default();
        let kept: Vec<Blob> = (0..17u8)
            .map(|k| {
                let bytes = vec![k; 1 << 20];
                let blob = Blob::of(&bytes);
                small.put(blob, bytes);
                blob
            })
            .collect();
        let (oldest, bytes) = small.beyond().unwrap();
        assert_eq!((oldest, bytes[0]), (kept[0], 0));
        small.remove(&oldest);
        assert!(small.beyond().is_none() && small.get(&oldest).is_none());
        // The same again is there once.
        small.put(kept[1], vec![1; 1 << 20]);
        assert!(small.beyond().is_none());
        assert_eq!(small.all().len(), 16);
        small.remove(&kept[1]);
        small.put(kept[0], vec![0; 1 << 20]);
        small.put(kept[1], vec![1; 1 << 20]);
        assert_eq!(small.beyond().unwrap().0, kept[2]);
    }
}
