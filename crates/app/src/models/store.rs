//! Where fetched models lie: `FOLDER/owner--name/{model.safetensors, config.json, …}`.

use std::path::{Path, PathBuf};

/// A folder of fetched models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in a folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a model's files, whether or not they are there.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace('/', "--"))
    }

    /// The folder of a fetched model; none when its weights are not there.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let folder = self.folder_of(name);
        (name.chars().all(plain) && !name.contains("..") && folder.join("model.safetensors").is_file())
            .then_some(folder)
    }
}
