//! A folder of a worker's own for what it makes, empty when it starts; several workers may run from one kit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files::{self, failed};
use crate::kit::Kit;

/// Most workers of one kit on one machine.
const MOST: usize = 256;

/// The folder, as long as this is held.
pub(super) struct Folder {
    path: PathBuf,
    /// The lock goes with the process, however it ends.
    _lock: File,
}

impl Folder {
    /// The first that no other worker has.
    pub(super) fn of(kit: &Kit) -> Result<Self> {
        files::folder(&kit.state())?;
        for number in 0..MOST {
            let path = kit.state().join(format!("worker-{number}"));
            let lock = path.with_extension("lock");
            let file = File::create(&lock).map_err(failed("create", &lock))?;
            if file.try_lock().is_err() {
                continue;
            }
            if path.exists() {
                fs::remove_dir_all(&path).map_err(failed("empty", &path))?;
            }
            files::folder(&path)?;
            return Ok(Self { path, _lock: file });
        }
        Err(Error::Defect { what: "the search for a folder of a worker's own" })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is removed by the next worker that takes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_of_a_kit_have_two_folders_and_leave_none() {
        let dir = tempfile::tempdir().unwrap();
        let kit = Kit::at(dir.path());
        let first = Folder::of(&kit).unwrap();
        fs::write(first.path().join("0"), b"half").unwrap();
        let second = Folder::of(&kit).unwrap();
        assert_ne!(first.path(), second.path());
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists());
        assert_eq!(Folder::of(&kit).unwrap().path(), path);
    }
}
