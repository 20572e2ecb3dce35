//! What a benchmark keeps on the disk while it runs: gone at its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A folder of this process, removed when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(area: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("blindscope-bench-{area}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A file without a name: gone when it is closed.
    pub(super) fn nameless(&self) -> io::Result<File> {
        let path = self.0.join("nameless");
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(path)?;
        Ok(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind lies in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}
