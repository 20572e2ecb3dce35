//! Model files that jobs may ask a site to measure.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Error, Result};
use crate::features::hex;

/// Model files by their SHA-256. Those of a folder are looked for when a job asks, so that a file may be put there at any time.
#[derive(Debug, Clone, Default)]
pub struct Models {
    given: Vec<Vec<u8>>,
    folder: Option<PathBuf>,
}

impl Models {
    /// These files.
    pub fn of(files: Vec<Vec<u8>>) -> Self {
        Self { given: files, folder: None }
    }

    /// Every `.json` file of a folder.
    ///
    /// # Errors
    /// [`Error::File`] for a folder that cannot be listed.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        std::fs::read_dir(folder).map_err(Error::file("listing", folder))?;
        Ok(Self { given: Vec::new(), folder: Some(folder.to_owned()) })
    }

    /// The file of a digest, hexadecimal.
    ///
    /// # Errors
    /// [`Error::Data`] when there is none, with where was looked; [`Error::File`] for a folder that cannot be read any more.
    pub fn get(&self, operation: &'static str, digest: &str) -> Result<Cow<'_, [u8]>> {
        let is = |bytes: &[u8]| hex(&Sha256::digest(bytes)) == digest;
        if let Some(bytes) = self.given.iter().find(|bytes| is(bytes)) {
            return Ok(bytes.into());
        }
        let mut others = self.given.len();
        for path in self.files()? {
            let bytes = std::fs::read(&path).map_err(Error::file("reading", &path))?;
            if is(&bytes) {
                return Ok(bytes.into());
            }
            others += 1;
        }
        let place = match &self.folder {
            Some(folder) => format!("none of the {others} .json files in {}", folder.display()),
            None if others == 0 => "not at this site: its [learning] names no folder of models".to_owned(),
            None => format!("none of the {others} that there are"),
        };
        Err(Error::Data {
            operation,
            what: "the model file",
            found: place,
            expected: format!("SHA-256 {digest}"),
        })
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(Error::file("listing", folder))? {
            let path = entry.map_err(Error::file("listing", folder))?.path();
            if path.extension().is_some_and(|e| e == "json") {
                found.push(path);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_comes_later_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let models = Models::in_folder(folder.path()).unwrap();
        let digest = hex(&Sha256::digest(b"{}"));
        let said = models.get("metrics", &digest).unwrap_err().to_string();
        assert!(said.contains("none of the 0 .json files in") && said.contains(&digest), "{said}");
        std::fs::write(folder.path().join("other.json"), b"[]").unwrap();
        std::fs::write(folder.path().join("model.json"), b"{}").unwrap();
        assert_eq!(&*models.get("metrics", &digest).unwrap(), b"{}");
        Models::in_folder(&folder.path().join("nowhere")).unwrap_err();
    }
}
