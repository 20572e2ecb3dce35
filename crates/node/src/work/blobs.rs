//! The blobs of a piece of work, where it is done: what its parcel has and names is read, what is made is kept until it is sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::error::{Refused, Result};
use super::message::Object;
use blindscope_federation::{Blob, BlobHasher, Blobs};
use blindscope_store::Exchange;

/// Up to here what is made is kept in memory and travels in the parcel.
pub(crate) const SMALL: u64 = 1 << 20;

/// Reads by digest, as a parcel says where; keeps what is made in memory, or in files of a folder of its own.
pub(crate) struct PieceBlobs<'a> {
    exchange: &'a Exchange,
    small: BTreeMap<Blob, Bytes>,
    large: BTreeMap<Blob, String>,
    folder: &'a Path,
    made: Mutex<BTreeMap<Blob, Kept>>,
}

/// What was made.
#[derive(Clone)]
enum Kept {
    Memory(Bytes),
    File(PathBuf),
}

impl<'a> PieceBlobs<'a> {
    pub(crate) fn new(
        exchange: &'a Exchange,
        (small, large): (Vec<(Blob, Bytes)>, Vec<Object>),
        folder: &'a Path,
    ) -> Self {
        let large = large.into_iter().map(|object| (object.blob, object.name)).collect();
        let small = small.into_iter().collect();
        Self { exchange, small, large, folder, made: Mutex::default() }
    }

    fn made(&self, blob: &Blob) -> Option<Kept> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).get(blob).cloned()
    }

    /// All bytes of a blob of at most `most` bytes.
    pub(crate) fn read(&self, blob: &Blob, most: u64) -> Result<Bytes> {
        if blob.len > most {
            return Err(Refused::TooLong { what: "blob", found: blob.len, most });
        }
        if let Some(bytes) = self.small.get(blob) {
            return Ok(bytes.clone());
        }
        let mut bytes = Vec::with_capacity(blob.len as usize);
        let read = self.open(blob).and_then(|mut from| from.read_to_end(&mut bytes));
        read.map_err(|source| io_error(source, &self.place(blob)))?;
        Ok(bytes.into())
    }

    fn place(&self, blob: &Blob) -> PathBuf {
        self.large.get(blob).map_or_else(|| blob.digest.to_string().into(), PathBuf::from)
    }

    /// What was made of these blobs, as it goes into a parcel: small ones themselves, the others sent ahead. Blobs that were there before
    /// stay away.
    pub(crate) fn sent(&self, blobs: &[Blob], unique: &str) -> Result<Parts> {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        let mut blobs = blobs.to_vec();
        blobs.sort_unstable();
        blobs.dedup();
        for blob in blobs {
            match self.made(&blob) {
                Some(Kept::Memory(bytes)) => small.push((blob, bytes)),
                Some(Kept::File(path)) => {
                    let name = self.exchange.put_file(&path, &blob, unique)?;
                    large.push(Object { blob, name });
                }
                None => {}
            }
        }
        Ok((small, large))
    }

    /// Keeps bytes that were made.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Blob> {
        let kept = self.create(bytes.len() as u64, &mut |out| {
            out.write_all(bytes).map_err(blindscope_federation::Error::io("keep blob"))
        });
        kept.map_err(|e| Refused::Machine(e.to_string()))
    }

    fn make_in_memory(&self, write: Writing<'_>) -> blindscope_federation::Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        let blob = Blob::of(&bytes);
        self.put(blob, Kept::Memory(bytes.into()));
        Ok(blob)
    }

    fn make_in_file(&self, max: u64, write: Writing<'_>) -> blindscope_federation::Result<Blob> {
        /// Numbers the next file of this process.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let failed = || blindscope_federation::Error::io("keep blob");
        let path = self.folder.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let mut out = Counted {
            to: io::BufWriter::with_capacity(1 << 16, File::create(&path).map_err(failed())?),
            hasher: BlobHasher::default(),
            max,
        };
        let written = write(&mut out).and_then(|()| out.to.flush().map_err(failed()));
        if let Err(error) = written {
            // The folder is emptied with the next start of a worker.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let blob = out.hasher.finish();
        self.put(blob, Kept::File(path));
        Ok(blob)
    }

    fn put(&self, blob: Blob, kept: Kept) {
        let before = self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(blob, kept);
        before.iter().for_each(Kept::remove);
    }
}

/// Small blobs themselves, and where the others are.
pub(crate) type Parts = (Vec<(Blob, Bytes)>, Vec<Object>);
type Writing<'w> = &'w mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>;

impl Kept {
    fn remove(&self) {
        if let Self::File(path) = self {
            // The folder is emptied with the next start of a worker.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for PieceBlobs<'_> {
    fn drop(&mut self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(Kept::remove);
    }
}

/// A file that is named while it is written.
struct Counted {
    to: io::BufWriter<File>,
    hasher: BlobHasher,
    max: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.hasher.len() + bytes.len() as u64 > self.max {
            return Err(io::Error::other("more bytes than were announced"));
        }
        self.to.write_all(bytes)?;
        self.hasher.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Blobs for PieceBlobs<'_> {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        if let Some(bytes) = self.small.get(blob) {
            return Ok(Box::new(io::Cursor::new(bytes.clone())));
        }
        match self.made(blob) {
            Some(Kept::Memory(bytes)) => return Ok(Box::new(io::Cursor::new(bytes))),
            Some(Kept::File(path)) => return Ok(Box::new(File::open(path)?)),
            None => {}
        }
        let name = self.large.get(blob).ok_or(io::ErrorKind::NotFound)?;
        match self.exchange.reader(name, blob) {
            Ok(reader) => Ok(Box::new(reader)),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    fn create(&self, max: u64, write: Writing<'_>) -> blindscope_federation::Result<Blob> {
        if max <= SMALL { self.make_in_memory(write) } else { self.make_in_file(max, write) }
    }
}

/// What a system says to the reading of a place.
pub(super) fn io_error(source: io::Error, place: &Path) -> Refused {
    blindscope_store::Error::Io { op: "read work", path: place.to_owned(), source }.into()
}
