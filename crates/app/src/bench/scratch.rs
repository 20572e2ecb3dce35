//! What a benchmark keeps on the disk while it runs: gone at its end, or when the next one begins if it was killed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Before the area and the process in a folder's name.
const NAME: &str = "blindscope-bench-";
/// In a folder: locked as long as its process lives.
const HELD: &str = "held";

/// A folder of this process, removed when it is dropped.
pub(super) struct Scratch {
    path: PathBuf,
    _held: File,
}

impl Scratch {
    pub(super) fn new(area: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir();
        clear(&folder);
        let path = folder.join(format!("{NAME}{area}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        let held = File::create(path.join(HELD))?;
        held.lock()?;
        Ok(Self { path, _held: held })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file without a name: gone when it is closed.
    pub(super) fn nameless(&self) -> io::Result<File> {
        let path = self.path.join("nameless");
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(path)?;
        Ok(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind lies in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what benchmarks left in `folder` that were killed: they hold their folder no more.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(NAME) {
            continue;
        }
        let held = File::open(entry.path().join(HELD));
        if held.is_ok_and(|held| held.try_lock().is_ok()) {
            // Whose it is may be somebody else.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_go_and_those_of_the_living_stay() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(format!("{NAME}{name}"));
        let make =
            |name: &str| fs::create_dir(place(name)).and_then(|()| File::create(place(name).join(HELD)));
        let living = make("sum-1")?;
        living.lock()?;
        drop(make("sum-2")?);
        fs::create_dir(place("features"))?;
        clear(folder.path());
        assert!(place("sum-1").exists() && place("features").exists(), "held, or not of this kind");
        assert!(!place("sum-2").exists());
        Ok(())
    }
}
