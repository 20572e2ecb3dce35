//! Files that a reader sees whole, the old one or the new one, and that leave nothing behind when their writer is killed.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::{Scope, ScopedJoinHandle};

use crate::error::{Error, Result};

/// Writes a whole file beside `path` (`NAME.PID.part`), makes it durable and renames it over `path`. What killed writers left
/// beside it goes first.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_by(path, |file| file.write_all(bytes).map_err(Error::io("writing", path)))
}

/// As [`replace`], for files that are not in memory: `write` writes them. Where it fails, the old file stays.
pub(crate) fn replace_by(path: &Path, write: impl FnOnce(&mut Written<'_, '_>) -> Result<()>) -> Result<()> {
    clear(path);
    let part = part_of(path, std::process::id());
    let failed = || Error::io("writing", path);
    let written = begin(&part).map_err(failed()).and_then(|file| {
        std::thread::scope(|scope| {
            let mut written = Written { file: &file, scope, waiting: 0, flushing: None };
            write(&mut written)?;
            written.flushed().map_err(failed())
        })?;
        // The lock falls with the file, after the rename: until then nobody takes it for a leftover.
        file.sync_all().and_then(|()| std::fs::rename(&part, path)).map_err(failed())
    });
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })
}

/// Bytes after which what is written goes on its way to the disk.
const STRETCH: usize = 64 << 20;

/// A file that is being written. Of a large one the beginning is brought to the disk while the rest is made.
pub(crate) struct Written<'s, 'e> {
    file: &'e File,
    scope: &'s Scope<'s, 'e>,
    /// Bytes that nobody brings to the disk yet.
    waiting: usize,
    /// What brings those before; a failure is told once to all who hold the file, so it is kept.
    flushing: Option<ScopedJoinHandle<'s, io::Result<()>>>,
}

impl Written<'_, '_> {
    /// Waits until nothing is on its way.
    fn flushed(&mut self) -> io::Result<()> {
        let Some(flushing) = self.flushing.take() else { return Ok(()) };
        flushing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that flushes came to no end")))
    }
}

impl Write for Written<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.waiting += count;
        if self.waiting >= STRETCH && self.flushing.as_ref().is_none_or(ScopedJoinHandle::is_finished) {
            self.flushed()?;
            self.waiting = 0;
            let file = self.file;
            self.flushing = Some(self.scope.spawn(move || file.sync_data()));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn part_of(path: &Path, process: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{process}.part"));
    path.with_file_name(name)
}

/// An empty part that is locked: whoever finds it locked knows that its writer lives.
fn begin(part: &Path) -> io::Result<File> {
    loop {
        let file = owners_alone(OpenOptions::new().write(true).create(true).truncate(false)).open(part)?;
        file.lock()?;
        // Between the two somebody may have cleared it away, or another thread may have renamed it. What is in it is of a process
        // that had the same number and was killed.
        if same(&file, part)? {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

/// A file that it makes can be read and written by its owner alone: features tell much of the patients that they come from.
#[cfg(unix)]
fn owners_alone(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

/// Where the system has no such rights, folders decide.
#[cfg(not(unix))]
fn owners_alone(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether an open file is still the one of that name.
#[cfg(unix)]
fn same(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (open, named) = (file.metadata()?, path.metadata());
    Ok(named.is_ok_and(|named| (open.dev(), open.ino()) == (named.dev(), named.ino())))
}

/// Where files that are open cannot be renamed away, it is.
#[cfg(not(unix))]
fn same(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Removes the parts of `path` that no living process writes.
fn clear(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return };
    // A folder that cannot be listed has nothing that could be cleared: writing into it says more.
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| is_part(&entry.file_name(), name)) {
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
            // Its writer may have renamed it in between, and another have begun under its name.
            && same(&file, &entry.path()).unwrap_or(false)
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether `found` is `NAME.PID.part` of this name.
fn is_part(found: &OsString, name: &std::ffi::OsStr) -> bool {
    let found = found.as_encoded_bytes();
    let number = found
        .strip_prefix(name.as_encoded_bytes())
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".part"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_writers_left_is_cleared_and_what_others_write_is_not() {
        let folder = std::env::temp_dir().join(format!("blindscope-replace-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("f.safetensors");
        let left = part_of(&path, 4_000_000_001);
        std::fs::write(&left, b"half of a file").unwrap();
        // Of a process that had this process's number.
        std::fs::write(part_of(&path, std::process::id()), b"half of a file").unwrap();
        let others = [
            "f.safetensors.part",
            "f.safetensors.x1.part",
            "g.safetensors.7.part",
            "f.safetensors.7.partial",
        ];
        others.iter().for_each(|name| std::fs::write(folder.join(name), b"somebody's").unwrap());
        let living = begin(&part_of(&path, 4_000_000_002)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(!left.exists() && part_of(&path, 4_000_000_002).exists());
        assert!(others.iter().all(|name| folder.join(name).exists()));
        drop(living);
        replace(&path, b"newer").unwrap();
        assert!(!part_of(&path, 4_000_000_002).exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"newer");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn threads_that_write_one_file_at_once_leave_one_of_theirs_whole() {
        let folder = std::env::temp_dir().join(format!("blindscope-replace-threads-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("f");
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| replace(path, &vec![n; 10_000]).unwrap()));
            }
        });
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() == 10_000 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
