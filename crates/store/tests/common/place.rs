//! Where a store is tried: a folder of its own, or a schema and a bucket of its own.

use std::path::{Path, PathBuf};

use blindscope_federation::{Blob, Study};
#[cfg(feature = "scale")]
use blindscope_store::Shared;
use blindscope_store::{BlobStore, Home, Result};
#[cfg(feature = "scale")]
use blindscope_testkit::services::Services;

/// The place of some services, for somebody of this name.
#[cfg(feature = "scale")]
pub fn shared(services: &Services, holder: &str) -> Shared {
    Shared {
        store: services.store(),
        blobs: services.blobs(),
        environment: services.environment().into_iter().map(|(name, value)| (name, value.into())).collect(),
        holder: holder.to_owned(),
        lease: std::time::Duration::from_millis(600),
    }
}

/// One of the two.
pub struct Place {
    dir: tempfile::TempDir,
    #[cfg(feature = "scale")]
    pub services: Option<Services>,
}

impl Place {
    pub fn embedded() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            #[cfg(feature = "scale")]
            services: None,
        }
    }

    /// PostgreSQL and an object store; nothing, said aloud, where there is no PostgreSQL and none is demanded.
    #[cfg(feature = "scale")]
    pub async fn shared() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let services = Some(Services::start(dir.path()).await?);
        Some(Self { dir, services })
    }

    /// Everything that is kept there.
    pub async fn home(&self, study: &Study, limit: u64) -> Result<Home> {
        #[cfg(feature = "scale")]
        if let Some(services) = &self.services {
            return Home::shared(&shared(services, "test"), &self.state(), study, limit).await;
        }
        Home::here(&self.state(), study, limit).await
    }

    /// Blobs alone, none of which rides.
    pub async fn blobs(&self, limit: u64) -> Others<'_> {
        let home = self.home(&super::study("blobs").0, limit).await.unwrap();
        let blobs = home.blobs_of("others", limit).unwrap();
        Others { place: self, home, blobs, limit }
    }

    pub fn state(&self) -> PathBuf {
        let state = self.dir.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        state
    }

    /// What the end of the coordinator's machine may do to what was never flushed: files as long as they were, and empty of meaning. Of a
    /// shared place nothing that counts is on that machine.
    pub fn cut(&self) {
        #[cfg(feature = "scale")]
        if self.services.is_some() {
            return std::fs::remove_dir_all(self.state()).unwrap();
        }
        for path in self.whole("blobs") {
            let len = std::fs::metadata(&path).unwrap().len() as usize;
            std::fs::write(&path, vec![0; len]).unwrap();
        }
    }

    /// Files or objects of whole blobs, in `folder`.
    pub fn whole(&self, folder: &str) -> Vec<PathBuf> {
        #[cfg(feature = "scale")]
        if let Some(services) = &self.services {
            return files(&services.objects().join(folder));
        }
        files(&self.state().join(folder))
    }

    /// Where a blob lies, if it is on the shelf.
    pub fn file(&self, folder: &str, blob: &Blob) -> Option<PathBuf> {
        let name = blob.digest.to_string();
        let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&name);
        self.whole(folder).into_iter().find(named)
    }

    /// Files of whatever was ever begun and is there still.
    pub fn left(&self, folder: &str) -> usize {
        self.whole(folder).len() + files(&self.state().join(folder).join("unfinished")).len()
    }
}

/// A store of blobs, and what it belongs to.
pub struct Others<'a> {
    place: &'a Place,
    home: Home,
    blobs: BlobStore,
    limit: u64,
}

impl std::ops::Deref for Others<'_> {
    type Target = BlobStore;

    fn deref(&self) -> &BlobStore {
        &self.blobs
    }
}

impl<'a> Others<'a> {
    /// The same after a restart.
    pub async fn again(self) -> Others<'a> {
        self.home.records.close().await;
        self.place.blobs(self.limit).await
    }
}

/// Files in a folder, but not below it.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect()
}

/// The same tests over both: `on_both!(name, …)`, each an `async fn(&Place)`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::common::Place::embedded()).await;
            })*
        }
        #[cfg(feature = "scale")]
        mod shared {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(place) = super::common::Place::shared().await else { return };
                super::$name(&place).await;
            })*
        }
    };
}
