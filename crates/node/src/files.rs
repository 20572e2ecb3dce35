//! Small files: bounded reading, writing that is there in whole or not at all, and secrets that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

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

/// Writes a file that everybody may read, in place of an older one.
pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    let writing = || {
        let mut file = File::create(&beside)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    writing().map_err(failed("write", path))
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
