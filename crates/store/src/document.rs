//! Small documents beside a log: a file, or a row that every leader goes on with.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[cfg(feature = "scale")]
use crate::postgres::Table;
use crate::{Error, Result};

/// A document that is read at the start and written whole. Calls wait for the disk or the database.
#[derive(Debug)]
pub struct Document(At);

#[derive(Debug)]
enum At {
    File(PathBuf),
    #[cfg(feature = "scale")]
    Row(Table, &'static str),
}

impl Document {
    /// The document in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(At::File(path.into()))
    }

    #[cfg(feature = "scale")]
    pub(crate) fn row(table: &Table, name: &'static str) -> Self {
        Self(At::Row(table.clone(), name))
    }

    /// Where it is, for messages.
    pub fn place(&self) -> PathBuf {
        match &self.0 {
            At::File(path) => path.clone(),
            #[cfg(feature = "scale")]
            At::Row(_, name) => Path::new("table document").join(name),
        }
    }

    /// Its bytes, at most `max` of them; nothing if it was never written.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Database`] where it cannot be read, or is longer.
    pub fn read(&self, max: u64) -> Result<Option<Vec<u8>>> {
        let bytes = match &self.0 {
            At::File(path) => read(path, max)?,
            #[cfg(feature = "scale")]
            At::Row(table, name) => table.read(name)?,
        };
        match bytes {
            Some(bytes) if bytes.len() as u64 > max => {
                Err(Error::io("read document", &self.place(), max)(std::io::ErrorKind::FileTooLarge.into()))
            }
            bytes => Ok(bytes),
        }
    }

    /// Puts these bytes in place of what it was: durable when this returns.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`] or [`Error::Database`] where it cannot be written; [`Error::Deposed`] where another coordinator
    /// leads. It is what it was then.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        match &self.0 {
            At::File(path) => write(path, bytes),
            #[cfg(feature = "scale")]
            At::Row(table, name) => table.write(name, bytes),
        }
    }
}

fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read document", path, 0)(e)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let folder = path.parent().unwrap_or(Path::new("."));
    let writing = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    };
    writing().map_err(Error::io("write document", path, bytes.len() as u64))
}
