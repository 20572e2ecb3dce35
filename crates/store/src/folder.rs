//! Blobs as files of a folder, each under its SHA-256.
//!
//! A blob is written under a temporary name, flushed to the disk and renamed, and then the folder is flushed: under its own name
//! stands the whole of it or nothing, also after a power cut.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::shelf::Shelf;
use crate::{Error, Result};
use blindscope_federation::Blob;

/// The files of one folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, which is there.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let folder = Self { root: root.to_owned() };
        folder.settle()?;
        Ok(folder)
    }

    fn files(&self) -> Result<Vec<(PathBuf, u64)>> {
        let fail = || Error::io("list folder", &self.root, 0);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(fail())? {
            let entry = entry.map_err(fail())?;
            let metadata = entry.metadata().map_err(fail())?;
            if metadata.is_file() {
                found.push((entry.path(), metadata.len()));
            }
        }
        Ok(found)
    }
}

impl Shelf for Folder {
    fn entries(&self) -> Result<Vec<(String, u64)>> {
        let name = |path: PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(self.files()?.into_iter().map(|(path, len)| (name(path), len)).collect())
    }

    fn has(&self, blob: &Blob) -> bool {
        fs::metadata(self.place_of(blob)).is_ok_and(|m| m.len() == blob.len)
    }

    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>> {
        let path = self.place_of(blob);
        let file = File::open(&path).map_err(Error::io("open blob", &path, 0))?;
        let len = file.metadata().map_err(Error::io("open blob", &path, 0))?.len();
        if len != blob.len {
            return Err(Error::Damaged { blob: *blob, found: Blob { len, ..*blob } });
        }
        Ok(Box::new(file))
    }

    fn place(&self, blob: &Blob, (path, file): (&Path, &File), durable: bool) -> Result<()> {
        if durable {
            file.sync_all().map_err(Error::io("flush blob", path, blob.len))?;
        }
        let target = self.place_of(blob);
        fs::rename(path, &target).map_err(Error::io("place blob", &target, blob.len))
    }

    fn settle(&self) -> Result<()> {
        File::open(&self.root).and_then(|f| f.sync_all()).map_err(Error::io("flush folder", &self.root, 0))
    }

    fn flush(&self, blob: &Blob) -> Result<()> {
        let path = self.place_of(blob);
        match File::open(&path).and_then(|file| file.sync_all()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("flush blob", &path, blob.len)(e))
            }
            _ => Ok(()),
        }
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        for name in names {
            let path = self.root.join(name);
            fs::remove_file(&path).map_err(Error::io("delete blob", &path, 0))?;
        }
        Ok(())
    }

    fn drop_torn(&self, most: u64) -> Result<u64> {
        let mut freed = 0;
        for (path, len) in self.files()? {
            if len > most {
                continue;
            }
            let bytes = fs::read(&path).map_err(Error::io("open blob", &path, 0))?;
            let name = Blob::of(&bytes).digest.to_string();
            if path.file_name().and_then(|n| n.to_str()) != Some(name.as_str()) {
                fs::remove_file(&path).map_err(Error::io("delete blob", &path, 0))?;
                freed += len;
            }
        }
        Ok(freed)
    }

    fn place_of(&self, blob: &Blob) -> PathBuf {
        self.root.join(blob.digest.to_string())
    }
}
