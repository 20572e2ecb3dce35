//! A folder's small blobs and the log that carries them: what is read, put back and flushed.

use std::fs::File;
use std::io::Write as _;

use crate::folder::{Folder, sync};
use crate::journal::{Journal, SMALL};
use crate::{Error, Result};
use blindscope_federation::Blob;

impl Folder {
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.0.journal.get()
    }

    /// Whether the blob is there and its bytes are those of its name.
    pub(crate) fn holds(&self, blob: &Blob) -> bool {
        self.0.small.get(blob).is_some() || (self.has_file(blob) && self.read(blob, blob.len).is_ok())
    }

    /// From now on small blobs ride. `rows` are the bytes that the log holds: what no file has of them is there again, and what a power
    /// cut left of small blobs that no entry names is removed.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk, or what the store may take of it, is full; [`Error::Io`] where the system
    /// refuses.
    pub(crate) fn ride(&self, rows: &[Vec<u8>]) -> Result<()> {
        self.drop_torn()?;
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

    /// Puts the oldest small blobs into files, where more are in memory than fit. What made them durable before still does.
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

    /// A small blob from memory into its file.
    fn write(&self, blob: &Blob, bytes: &[u8], flushed: bool) -> Result<()> {
        let (path, mut file) = self.temporary()?;
        let mut written = file.write_all(bytes);
        if flushed {
            written = written.and_then(|()| file.sync_all());
        }
        let target = self.path(blob);
        written.and_then(|()| std::fs::rename(&path, &target)).map_err(Error::io(
            "place blob",
            &target,
            blob.len,
        ))?;
        self.0.small.remove(blob);
        Ok(())
    }

    /// Removes small blobs whose bytes are not those of their name.
    fn drop_torn(&self) -> Result<()> {
        for (path, len) in self.entries()? {
            if len > SMALL {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(Error::io("open blob", &path, 0))?;
            let name = Blob::of(&bytes).digest.to_string();
            if path.file_name().and_then(|n| n.to_str()) != Some(name.as_str()) {
                std::fs::remove_file(&path).map_err(Error::io("delete blob", &path, 0))?;
                self.release(len);
            }
        }
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

    /// Flushes the files of these blobs, as far as they are there, and the folder.
    pub(crate) fn flush(&self, blobs: &[Blob]) -> Result<()> {
        let _holds = self.0.holds();
        for blob in blobs {
            if let Some(bytes) = self.0.small.get(blob) {
                self.write(blob, &bytes, true)?;
                continue;
            }
            let path = self.path(blob);
            match File::open(&path).and_then(|file| file.sync_all()) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("flush blob", &path, blob.len)(e));
                }
                _ => {}
            }
        }
        sync(&self.0.root)
    }
}
