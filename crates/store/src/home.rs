//! Where a coordinator keeps everything: SQLite and a folder, for one process; or PostgreSQL and an object store, for several of which one
//! leads.

use std::path::{Path, PathBuf};
#[cfg(feature = "scale")]
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

#[cfg(feature = "scale")]
use crate::scaled::Scaled;
use crate::{BlobStore, Document, Error, Records, Result};
use blindscope_federation::Study;

/// Names and values of an environment. There are keys among the values: they are zeroed on drop, and never shown.
pub type Environment = Vec<(String, Zeroizing<String>)>;

/// A place that several coordinators share. Not to be shown as it is: `environment` has secrets.
pub struct Shared {
    /// `postgres://USER@HOST/DATABASE`, without a password.
    pub store: String,
    /// `s3://BUCKET/PREFIX`
    pub blobs: String,
    /// What the environment says of the object store, by the names of an S3 client: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, …
    pub environment: Environment,
    /// Who this is, for those who wait.
    pub holder: String,
    /// How long the lease holds beyond what the leader did last.
    pub lease: Duration,
}

/// A coordinator's records, blobs and documents.
#[derive(Debug, Clone)]
pub struct Home {
    /// The log.
    pub records: Records,
    /// What it names, and what is on its way into it.
    pub blobs: BlobStore,
    /// Files, and what is not whole yet.
    state: PathBuf,
    #[cfg(feature = "scale")]
    scaled: Option<Arc<Scaled>>,
}

impl Home {
    /// Everything below the folder `state`, made if it is not there; blobs take at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Records::open`] and [`BlobStore::open`].
    pub async fn here(state: &Path, study: &Study, limit: u64) -> Result<Self> {
        let records = Records::open(&state.join("records.db"), study).await?;
        let blobs = BlobStore::open(&state.join("blobs"), limit)?;
        records.carry(&blobs).await?;
        let state = state.to_owned();
        Ok(Self {
            records,
            blobs,
            state,
            #[cfg(feature = "scale")]
            scaled: None,
        })
    }

    /// Everything in a shared place, once nobody else leads there: until then this waits. The folder `state` holds what is not whole yet.
    ///
    /// # Errors
    /// [`Error::Setting`] for an address that is none; [`Error::Owner`] where the place belongs to another study; [`Error::Database`] and
    /// [`Error::Io`] where a service refuses, or is not there for half a minute.
    #[cfg(feature = "scale")]
    pub async fn shared(place: &Shared, state: &Path, study: &Study, limit: u64) -> Result<Self> {
        let (records, scaled) = Scaled::open(place, study).await?;
        let blobs = scaled.blobs("blobs", state, limit)?;
        records.carry(&blobs).await?;
        let state = state.to_owned();
        Ok(Self { records, blobs, state, scaled: Some(Arc::new(scaled)) })
    }

    /// Refuses: this build has the embedded half alone.
    ///
    /// # Errors
    /// [`Error::Setting`], always.
    #[cfg(not(feature = "scale"))]
    pub async fn shared(place: &Shared, _: &Path, _: &Study, _: u64) -> Result<Self> {
        // As the other one, which waits.
        std::future::ready(not_built(place)).await
    }

    /// Another store of blobs, by the folder that it has here.
    ///
    /// # Errors
    /// As [`BlobStore::open`].
    pub fn blobs_of(&self, folder: &'static str, limit: u64) -> Result<BlobStore> {
        #[cfg(feature = "scale")]
        if let Some(scaled) = &self.scaled {
            return scaled.blobs(folder, &self.state, limit);
        }
        BlobStore::open(&self.state.join(folder), limit)
    }

    /// A document, by the file that it has here.
    pub fn document(&self, file: &'static str) -> Document {
        #[cfg(feature = "scale")]
        if let Some(scaled) = &self.scaled {
            return scaled.document(file);
        }
        Document::file(self.state.join(file))
    }

    /// Returns once another coordinator leads, with what follows from that; never in a place that is not shared.
    pub async fn lost(&self) -> Error {
        #[cfg(feature = "scale")]
        if let Some(scaled) = &self.scaled {
            return scaled.lost().await;
        }
        std::future::pending().await
    }
}

/// What a build that has the embedded half alone says to a shared place.
#[cfg(not(feature = "scale"))]
pub(crate) fn not_built<T>(place: &Shared) -> Result<T> {
    let repair = "this build has neither PostgreSQL nor S3: build with `--features scale`, or leave `store` and `blobs` out";
    Err(Error::Setting { what: "store", found: place.store.clone(), repair })
}
