//! Small files: bounded reading, writing that is there in whole or not at all, and secrets that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Names the file of a failure.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |cause| Error::File { action, path: path.to_owned(), cause }
}

/// A file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>> {
    let reading = || {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    };
    reading().map_err(failed("read", path))
}

/// A text file of at most `max` bytes.
pub(crate) fn read_text(path: &Path, max: u64) -> Result<Zeroizing<String>> {
    let bytes = read(path, max)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData.into());
    text.map(|text| Zeroizing::new(text.to_owned())).map_err(failed("read", path))
}

/// Makes a folder, with the folders above it.
pub(crate) fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(failed("create the folder", path))
}

/// A file that is being written, `NAME.PID.part` beside its place: nobody takes a part of it for the whole, and files whose names
/// differ in the ending alone may be written at once. One that is never placed is removed.
pub(crate) struct Part {
    file: File,
    at: PathBuf,
    place: PathBuf,
}

impl Part {
    /// Begins a file that everybody may read.
    pub(crate) fn begin(place: &Path) -> Result<Self> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let at = place.with_file_name(name);
        let file = File::create(&at).map_err(failed("create", &at))?;
        Ok(Self { file, at, place: place.to_owned() })
    }

    /// Puts the whole file in its place, and in place of an older one: it survives a power cut.
    pub(crate) fn place(self) -> Result<()> {
        let placing = || {
            self.file.sync_all()?;
            fs::rename(&self.at, &self.place)?;
            let parent = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        };
        placing().map_err(failed("write", &self.place))
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Placed, it is there no more.
        let _ = fs::remove_file(&self.at);
    }
}

/// Writes a file that everybody may read, in place of an older one.
pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let mut part = Part::begin(path)?;
    part.write_all(contents).map_err(failed("write", path))?;
    part.place()
}

/// Writes a secret. A file that is there already is left as it is: a lost key is worse than an error.
pub(crate) fn write_secret(path: &Path, contents: &[u8]) -> Result<()> {
    let writing = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(contents)?;
        file.sync_all()
    };
    writing().map_err(failed("write the secret", path))
}

/// Whether others than the owner may read it.
pub(crate) fn is_open_to_others(path: &Path) -> Result<bool> {
    let mode = fs::metadata(path).map_err(failed("look at", path))?.permissions().mode();
    Ok(mode & 0o077 != 0)
}
