//! Where fetched models lie: `FOLDER/OWNER--NAME@REVISION/{model.safetensors, config.json, …}`.

use std::path::{Path, PathBuf};

use super::Error;

/// The file of a model's weights.
pub(super) const WEIGHTS: &str = "model.safetensors";

/// `OWNER/NAME` or `OWNER/NAME@REVISION`; the revision is a branch, tag or commit, `main` unless told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// `OWNER/NAME`.
    pub(super) repository: String,
    /// Branch, tag or commit.
    pub(super) revision: String,
}

impl ModelName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Error::Name`] for anything that could not be a hub's model or would leave the store's folder.
    pub fn new(name: &str) -> Result<Self, Error> {
        let refuse = |rule| Error::Name { name: name.into(), rule };
        let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
        let plain = |part: &str| {
            let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.len() <= 128 && !part.starts_with('.') && part.chars().all(legal)
        };
        if repository.split('/').count() != 2 || !repository.split('/').all(plain) {
            return Err(refuse("expected OWNER/NAME of letters, digits, `-`, `_` and `.`"));
        }
        if !plain(revision) {
            return Err(refuse("a revision is a branch, tag or commit of letters, digits, `-`, `_` and `.`"));
        }
        Ok(Self { repository: repository.into(), revision: revision.into() })
    }

    /// The name of the model's folder and of its lines in the list of digests.
    pub(super) fn key(&self) -> String {
        format!("{}@{}", self.repository.replace('/', "--"), self.revision)
    }
}

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
    pub fn folder_of(&self, name: &ModelName) -> PathBuf {
        self.folder.join(name.key())
    }

    /// The folder of a fetched model; none when its weights are not there or no model can have the name.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder_of(&ModelName::new(name).ok()?);
        folder.join(WEIGHTS).is_file().then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        assert_eq!(ModelName::new("owkin/phikon").unwrap().key(), "owkin--phikon@main");
        assert_eq!(ModelName::new("a/b@v1.0").unwrap().key(), "a--b@v1.0");
        for bad in
            ["phikon", "a/b/c", "../b", "a/..", "a/b@../c", "a/b@", "/etc/passwd", "a/b c", "a\\b/c", ""]
        {
            let message = ModelName::new(bad).unwrap_err().to_string();
            assert!(message.contains(bad), "{message}");
        }
    }
}
