//! What a crowd's sites fetch and make, once for all of them: what is small in memory, what is large in files that are never flushed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::files;
use blindscope_federation::{Blob, BlobHasher, Blobs};
use blindscope_wire::Digest;

/// Longest blob that stays in memory.
const SMALL: u64 = 64 << 10;

/// Blobs by their digests.
pub(super) struct Pool {
    folder: PathBuf,
    kept: Mutex<HashMap<Digest, Kept>>,
    next: AtomicU64,
}

#[derive(Clone)]
enum Kept {
    Here(Arc<Vec<u8>>),
    There(PathBuf),
}

impl Pool {
    /// An empty one in this folder, made if it is not there.
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        files::folder(&folder)?;
        Ok(Self { folder, kept: Mutex::default(), next: AtomicU64::new(0) })
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Digest, Kept>> {
        // Every change is one step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the blob is there.
    pub(super) fn contains(&self, blob: &Blob) -> bool {
        self.kept().contains_key(&blob.digest)
    }

    /// Forgets a blob that nobody needs any more.
    pub(super) fn drop_blob(&self, blob: &Blob) {
        if let Some(Kept::There(path)) = self.kept().remove(&blob.digest) {
            // The folder is emptied at the end.
            let _ = std::fs::remove_file(path);
        }
    }

    fn write(
        &self,
        write: &mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>,
    ) -> blindscope_federation::Result<(PathBuf, Blob)> {
        let failed = blindscope_federation::Error::io("keep blob");
        let path = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create(&path).map_err(failed)?;
        let mut out = Named { file, hasher: BlobHasher::default() };
        write(&mut out)?;
        Ok((path, out.hasher.finish()))
    }
}

/// A file that is named while it is written.
struct Named {
    file: File,
    hasher: BlobHasher,
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Blobs for Pool {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        let kept = self.kept().get(&blob.digest).cloned();
        Ok(match kept.ok_or(io::ErrorKind::NotFound)? {
            Kept::Here(bytes) => Box::new(Cursor::new(Shared(bytes))),
            Kept::There(path) => Box::new(File::open(path)?),
        })
    }

    fn create(
        &self,
        max: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>,
    ) -> blindscope_federation::Result<Blob> {
        if max > SMALL {
            let (path, blob) = self.write(write)?;
            self.kept().insert(blob.digest, Kept::There(path));
            return Ok(blob);
        }
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        let blob = Blob::of(&bytes);
        self.kept().insert(blob.digest, Kept::Here(Arc::new(bytes)));
        Ok(blob)
    }
}

/// Bytes that several read at a time.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
