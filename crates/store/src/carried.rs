//! Small blobs and the log that carries them: what is read, put back and flushed.

use std::io::Write as _;

use crate::blob_store::BlobStore;
use crate::journal::{Journal, SMALL};
use crate::{Error, Result};
use blindscope_federation::Blob;

impl BlobStore {
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.0.journal.get()
    }

    /// Whether the blob is there and its bytes are those of its name.
    pub(crate) fn holds(&self, blob: &Blob) -> bool {
        self.0.small.get(blob).is_some() || (self.0.shelf.has(blob) && self.read(blob, blob.len).is_ok())
    }

    /// From now on small blobs ride. `rows` are the bytes that the log holds: what no file has of them is there again, and what a power
    /// cut left of small blobs that no entry names is removed.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk, or what the store may take of it, is full; [`Error::Io`] where the system
    /// refuses.
    pub(crate) fn ride(&self, rows: &[Vec<u8>]) -> Result<()> {
        let freed = self.0.shelf.drop_torn(SMALL)?;
        self.release(freed);
        // Carried a second time, a folder keeps its first journal: it knows more.
        let journal = self.0.journal.get_or_init(Journal::default);
        for bytes in rows {
            let blob = Blob::of(bytes);
            journal.found(&blob);
            if !self.holds(&blob) {
                self.keep(bytes)?;
            }
        }
        Ok(())
    }

    /// Puts the oldest small blobs on the shelf, where more are in memory than fit. What made them durable before still does.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk is full; [`Error::Io`] where the system refuses.
    pub(crate) fn spill(&self) -> Result<()> {
        // Nothing is deleted meanwhile: for a moment such a blob is in both places.
        let _holds = self.0.holds();
        while let Some((blob, bytes)) = self.0.small.beyond() {
            self.write(&blob, &bytes, false)?;
        }
        Ok(())
    }

    /// A small blob from memory on the shelf.
    fn write(&self, blob: &Blob, bytes: &[u8], flushed: bool) -> Result<()> {
        let (path, mut file) = self.temporary()?;
        file.write_all(bytes).map_err(Error::io("write blob", &path, blob.len))?;
        self.0.shelf.place(blob, (&path, &file), flushed)?;
        self.0.small.remove(blob);
        Ok(())
    }

    /// The bytes of a blob that rides; none if it was deleted meanwhile.
    pub(crate) fn riding(&self, blob: &Blob) -> Result<Option<Vec<u8>>> {
        match self.read(blob, blob.len) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes these blobs durable where they lie, as far as they are there.
    pub(crate) fn flush(&self, blobs: &[Blob]) -> Result<()> {
        let _holds = self.0.holds();
        for blob in blobs {
            if let Some(bytes) = self.0.small.get(blob) {
                self.write(blob, &bytes, true)?;
                continue;
            }
            self.0.shelf.flush(blob)?;
        }
        self.0.shelf.settle()
    }
}
