//! Blobs, each under its SHA-256, in a folder or in a bucket of an object store.
//!
//! A blob is written into a temporary file and put under its name when it is whole, also for whoever looks after a power cut. What a
//! stopped process left unfinished is removed on opening.
//!
//! Beside a log that carries them ([`crate::Records::carry`], [`crate::Marks::carry`]) small blobs are kept in memory and not flushed: they
//! are durable with the next entries of the log, and there again when the blobs are next opened beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::folder::Folder;
use crate::hold::Holds;
use crate::journal::{Journal, SMALL};
use crate::shelf::Shelf;
use crate::small::{FromMemory, Small};
use crate::unfinished::Unfinished;
use crate::{Error, Result};
use blindscope_federation::{Blob, BlobHasher, Blobs};

/// Blobs by their names. Cheap to clone; clones share the limit.
#[derive(Debug, Clone)]
pub struct BlobStore(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    /// Where blobs are written until they are whole.
    unfinished: PathBuf,
    pub(crate) shelf: Box<dyn Shelf>,
    /// Most bytes of all blobs together.
    limit: u64,
    used: AtomicU64,
    /// Names the next temporary file.
    next: AtomicU64,
    /// Blobs that nothing durable names yet.
    pub(crate) holds: Mutex<Holds>,
    /// Small blobs that ride with a log's entries, where one carries them.
    pub(crate) journal: OnceLock<Journal>,
    /// Their bytes.
    pub(crate) small: Small,
}

const UNFINISHED: &str = "unfinished";

impl BlobStore {
    /// The blobs in the folder `root`, made if it is not there; at most `limit` bytes together.
    ///
    /// One process at a time: the database beside it is what locks others out.
    ///
    /// # Errors
    /// [`Error::Io`] where the system refuses.
    pub fn open(root: &Path, limit: u64) -> Result<Self> {
        let unfinished = emptied(root.join(UNFINISHED))?;
        Self::over(Box::new(Folder::open(root)?), unfinished, limit)
    }

    /// The blobs on a shelf; what is written lies in the empty folder `unfinished` until it is whole.
    pub(crate) fn over(shelf: Box<dyn Shelf>, unfinished: PathBuf, limit: u64) -> Result<Self> {
        let used = shelf.entries()?.iter().map(|(_, len)| len).sum();
        Ok(Self(Arc::new(Inner {
            unfinished,
            shelf,
            limit,
            used: AtomicU64::new(used),
            next: AtomicU64::new(0),
            holds: Mutex::default(),
            journal: OnceLock::new(),
            small: Small::default(),
        })))
    }

    /// Bytes of all blobs together, unfinished ones included.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether the blob is there.
    pub fn contains(&self, blob: &Blob) -> bool {
        self.0.small.get(blob).is_some() || self.0.shelf.has(blob)
    }

    /// The object of the bucket that holds a blob, for workers that read the same bucket; none where it is in memory or in a folder.
    pub fn object_of(&self, blob: &Blob) -> Option<String> {
        if self.0.small.get(blob).is_some() { None } else { self.0.shelf.object_of(blob) }
    }

    /// Begins a blob of at most `max` bytes.
    ///
    /// # Errors
    /// [`Error::Full`] where `max` bytes do not fit under the limit; [`Error::Io`] where the disk fails.
    pub fn begin(&self, max: u64) -> Result<Unfinished> {
        self.reserve(max)?;
        if self.journal().is_some() && max <= SMALL {
            return Ok(Unfinished::in_memory(self.clone(), max));
        }
        self.temporary().map(|(path, file)| Unfinished::in_file(self.clone(), (path, file), max)).inspect_err(
            |_| {
                self.release(max);
            },
        )
    }

    /// A file that has no name of a blob yet.
    pub(crate) fn temporary(&self) -> Result<(PathBuf, File)> {
        let name = self.0.next.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.0.unfinished.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.map(|file| (path.clone(), file)).map_err(Error::io("begin blob", &path, 0))
    }

    /// The bytes of a blob. Reading the last of them fails unless all were those of the name.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, of kind *not found* where it is not there; [`Error::Damaged`] for another length.
    pub fn reader(&self, blob: &Blob) -> Result<Checked> {
        if let Some(bytes) = self.0.small.get(blob) {
            return Ok(Checked(Kept::Memory(FromMemory { bytes, at: 0 })));
        }
        let bytes = self.0.shelf.open(blob)?;
        Ok(Checked(Kept::Shelf(FromShelf { bytes, blob: *blob, hasher: BlobHasher::default() })))
    }

    /// All bytes of a blob of at most `max` bytes.
    ///
    /// # Errors
    /// As [`Self::reader`]; [`Error::OtherBytes`] for a longer one.
    pub fn read(&self, blob: &Blob, max: u64) -> Result<Vec<u8>> {
        if blob.len > max {
            return Err(Error::OtherBytes { expected: Blob { len: max, ..*blob }, found: *blob });
        }
        let mut bytes = Vec::with_capacity(blob.len as usize);
        self.reader(blob)?.read_to_end(&mut bytes).map_err(Error::io(
            "read blob",
            &self.0.shelf.place_of(blob),
            0,
        ))?;
        Ok(bytes)
    }

    /// Keeps these bytes.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk, or what the store may take of it, is full; [`Error::Io`] where the system
    /// refuses.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob> {
        let mut unfinished = self.begin(bytes.len() as u64)?;
        unfinished.push(bytes)?;
        unfinished.finish()
    }

    /// Deletes every blob that is not needed; how many bytes that freed.
    ///
    /// # Errors
    /// [`Error::Io`] where the system refuses.
    pub fn retain(&self, needed: &[Blob]) -> Result<u64> {
        let names: std::collections::BTreeSet<String> = needed.iter().map(|b| b.digest.to_string()).collect();
        let mut gone = self.0.shelf.entries()?;
        gone.retain(|(name, _)| !names.contains(name));
        let mut freed = gone.iter().map(|(_, len)| len).sum();
        let of_files: Vec<String> = gone.iter().map(|(name, _)| name.clone()).collect();
        self.0.shelf.remove(&of_files)?;
        if let Some(journal) = self.journal() {
            gone.iter().filter(|(_, len)| *len <= SMALL).for_each(|(name, _)| journal.deleted(name));
        }
        for blob in self.0.small.all() {
            let name = blob.digest.to_string();
            if !names.contains(&name) {
                self.0.small.remove(&blob);
                freed += blob.len;
                if let Some(journal) = self.journal() {
                    journal.deleted(&name);
                }
            }
        }
        self.release(freed);
        Ok(freed)
    }

    pub(crate) fn reserve(&self, len: u64) -> Result<()> {
        let fits = |used: u64| used.checked_add(len).filter(|&sum| sum <= self.0.limit);
        let reserved = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        reserved.map(drop).map_err(|_| Error::Full { op: "keep blob", needed: len })
    }

    pub(crate) fn release(&self, len: u64) {
        let less = |used: u64| Some(used.saturating_sub(len));
        let _ = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// A folder for what is unfinished, without what a stopped process left in it.
pub(crate) fn emptied(unfinished: PathBuf) -> Result<PathBuf> {
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Error::io("clean folder", &unfinished, 0))?;
    }
    fs::create_dir_all(&unfinished).map_err(Error::io("make folder", &unfinished, 0))?;
    Ok(unfinished)
}

/// A blob's bytes, checked against its name by the time the end is reached.
#[derive(Debug)]
pub struct Checked(Kept);

#[cfg(feature = "scale")]
impl Checked {
    /// Bytes that are to be those of a blob, wherever they come from.
    pub(crate) fn over(bytes: Box<dyn Read + Send>, blob: &Blob) -> Self {
        Self(Kept::Shelf(FromShelf { bytes, blob: *blob, hasher: BlobHasher::default() }))
    }
}

#[derive(Debug)]
enum Kept {
    Shelf(FromShelf),
    Memory(FromMemory),
}

struct FromShelf {
    bytes: Box<dyn Read + Send>,
    blob: Blob,
    hasher: BlobHasher,
}

impl Read for Checked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kept::Shelf(from) => from.read(out),
            Kept::Memory(from) => from.read(out),
        }
    }
}

impl std::fmt::Debug for FromShelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromShelf")
            .field("blob", &self.blob)
            .field("hasher", &self.hasher)
            .finish_non_exhaustive()
    }
}

impl Read for FromShelf {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(out)?;
        self.hasher.update(out.get(..count).unwrap_or_default());
        let (so_far, ended) = (self.hasher.len(), count == 0 && !out.is_empty());
        if so_far >= self.blob.len || ended {
            let found = self.hasher.clone().finish();
            if found != self.blob {
                let damaged = Error::Damaged { blob: self.blob, found };
                return Err(io::Error::new(io::ErrorKind::InvalidData, damaged));
            }
        }
        Ok(count)
    }
}

impl Blobs for BlobStore {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        match self.reader(blob) {
            Ok(reader) => Ok(Box::new(reader)),
            Err(Error::Io { source, .. }) => Err(source),
            Err(other) => Err(io::Error::new(io::ErrorKind::InvalidData, other)),
        }
    }

    fn create(
        &self,
        max: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>,
    ) -> blindscope_federation::Result<Blob> {
        let fail = |e: Error| blindscope_federation::Error::io("keep blob")(io::Error::other(e));
        let unfinished = self.begin(max).map_err(fail)?;
        let mut buffered = io::BufWriter::with_capacity(1 << 16, Sink(unfinished));
        write(&mut buffered)?;
        let Sink(unfinished) = buffered
            .into_inner()
            .map_err(|e| fail(Error::io("write blob", &self.0.unfinished, max)(e.into_error())))?;
        unfinished.finish().map_err(fail)
    }

    fn pass(&self, bytes: &[u8]) -> blindscope_federation::Result<Blob> {
        let fail = |e: Error| blindscope_federation::Error::io("keep blob")(io::Error::other(e));
        let mut unfinished = self.begin(bytes.len() as u64).map_err(fail)?;
        unfinished.push(bytes).map_err(fail)?;
        unfinished.pass().map_err(fail)
    }
}

struct Sink(Unfinished);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes).map_err(|e| match e {
            Error::Full { .. } => io::Error::new(io::ErrorKind::StorageFull, e),
            other => io::Error::other(other),
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
