//! A blob that is being written: into memory where it rides with a log's entries, else into a file without a blob's name.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use crate::blob_store::BlobStore;
use crate::journal::SMALL;
use crate::{Error, Result};
use blindscope_federation::{Blob, BlobHasher};

/// A blob that is being written. Dropped unfinished, it is gone.
#[derive(Debug)]
pub struct Unfinished {
    store: BlobStore,
    to: To,
    hasher: BlobHasher,
    reserved: u64,
    placed: bool,
}

#[derive(Debug)]
enum To {
    Memory(Vec<u8>),
    File(PathBuf, File),
}

impl Unfinished {
    /// One of at most `reserved` bytes, which count already, few enough to ride.
    pub(crate) fn in_memory(store: BlobStore, reserved: u64) -> Self {
        let to = To::Memory(Vec::with_capacity(reserved.min(SMALL) as usize));
        Self { store, to, hasher: BlobHasher::default(), reserved, placed: false }
    }

    /// One of at most `reserved` bytes, which count already, in a file.
    pub(crate) fn in_file(store: BlobStore, (path, file): (PathBuf, File), reserved: u64) -> Self {
        let to = To::File(path, file);
        Self { store, to, hasher: BlobHasher::default(), reserved, placed: false }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`Error::OtherBytes`] beyond the length begun with; [`Error::Full`] beyond the limit or the disk; [`Error::Io`] where the
    /// disk fails.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let len = self.hasher.len() + bytes.len() as u64;
        if len > self.reserved {
            let found = Blob { len, ..self.hasher.clone().finish() };
            return Err(Error::OtherBytes { expected: Blob { len: self.reserved, ..found }, found });
        }
        match &mut self.to {
            To::Memory(all) => all.extend_from_slice(bytes),
            To::File(path, file) => {
                file.write_all(bytes).map_err(Error::io("write blob", path, bytes.len() as u64))?;
            }
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.hasher.len()
    }

    /// Whether nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.hasher.is_empty()
    }

    /// Makes it durable under its name; a small one beside a log that carries it with the log's next entries.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk is full; [`Error::Io`] where it fails, or cannot promise to keep the bytes; then nothing is
    /// kept.
    pub fn finish(self) -> Result<Blob> {
        self.place(true)
    }

    /// Places it under its name; without `rides`, a small one beside a log is not durable.
    fn place(mut self, rides: bool) -> Result<Blob> {
        let blob = self.hasher.clone().finish();
        let store = self.store.clone();
        let journal = store.journal().filter(|_| blob.len <= SMALL);
        // Before it is looked for: a deletion is over by then, or spares it.
        store.0.holds().finished(&blob);
        let known = store.contains(&blob);
        if let Some(journal) = journal.filter(|_| known && store.holds(&blob)) {
            // An unflushed copy in its place would be worse. One that was only passing rides from now on.
            if rides {
                journal.placed(&blob);
            }
            return Ok(blob);
        }
        match &mut self.to {
            To::Memory(bytes) => {
                store.0.small.put(blob, std::mem::take(bytes));
                if known {
                    // What stood there was damaged.
                    store.0.shelf.remove(&[blob.digest.to_string()])?;
                }
            }
            To::File(path, file) => store.0.shelf.place(&blob, (path, file), journal.is_none())?,
        }
        self.placed = true;
        store.release(if known { self.reserved } else { self.reserved - blob.len });
        match journal {
            Some(journal) if rides => journal.placed(&blob),
            Some(_) => {}
            None => store.0.shelf.settle()?,
        }
        store.spill()?;
        Ok(blob)
    }

    /// As [`Self::finish_as`], for a blob that whoever gave it gives again: a small one beside a log that carries blobs is not made
    /// durable. What a power cut leaves of it is removed when the folder is next opened.
    ///
    /// # Errors
    /// As [`Self::finish_as`].
    pub fn finish_passing(self, expected: &Blob) -> Result<()> {
        self.check(expected)?;
        self.pass().map(drop)
    }

    /// The same, whatever the blob.
    pub(crate) fn pass(self) -> Result<Blob> {
        let rides = self.store.journal().is_none() || self.len() > SMALL;
        self.place(rides)
    }

    fn check(&self, expected: &Blob) -> Result<()> {
        let found = self.hasher.clone().finish();
        if found == *expected { Ok(()) } else { Err(Error::OtherBytes { expected: *expected, found }) }
    }

    /// As [`Self::finish`], for a blob announced before.
    ///
    /// # Errors
    /// [`Error::OtherBytes`] for any other; nothing is kept then.
    pub fn finish_as(self, expected: &Blob) -> Result<()> {
        self.check(expected)?;
        self.finish().map(drop)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.placed {
            self.store.release(self.reserved);
            if let To::File(path, _) = &self.to {
                // Opening the folder again removes what cannot be removed now.
                let _ = fs::remove_file(path);
            }
        }
    }
}
