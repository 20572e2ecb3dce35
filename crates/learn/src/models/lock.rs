//! The list of digests, `FOLDER/models.lock.json`: what was fetched once must be the same ever after.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Error;
use super::store::Store;

/// What is known of a fetched file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// SHA-256 in hexadecimal.
    pub(super) sha256: String,
    /// Length.
    pub(super) bytes: u64,
}

/// The list, held by one fetch at a time.
pub(super) struct Lock {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Keeps other fetches out as long as it is open.
    _held: File,
}

impl Lock {
    pub(super) fn open(store: &Store) -> Result<Self, Error> {
        let folder = store.folder();
        std::fs::create_dir_all(folder).map_err(Error::io("creating", folder))?;
        let guard = folder.join(".fetching");
        let held = File::create(&guard).map_err(Error::io("opening", &guard))?;
        held.try_lock().map_err(|_| Error::Busy { folder: folder.to_owned() })?;
        let path = folder.join("models.lock.json");
        let entries = match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| Error::Lock { path: path.clone(), source })?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Error::io("reading", &path)(e)),
        };
        Ok(Self { path, entries, _held: held })
    }

    pub(super) fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Records a file; the list on disk is the old one or the new one.
    pub(super) fn record(&mut self, key: String, entry: Entry) -> Result<(), Error> {
        self.entries.insert(key, entry);
        let io = |operation| Error::io(operation, &self.path);
        let text = serde_json::to_vec_pretty(&self.entries)
            .map_err(|source| Error::Lock { path: self.path.clone(), source })?;
        let part = self.path.with_extension("json.part");
        let written = File::create(&part).and_then(|mut f| f.write_all(&text).and_then(|()| f.sync_all()));
        written.map_err(io("writing"))?;
        std::fs::rename(&part, &self.path).map_err(io("writing"))
    }
}
