//! What is on its way between a leader and its workers: objects of the bucket that no record names.
//!
//! They lie below `work/`, each under a name that is never written twice, so nobody needs a lease to write, read or delete them: whoever does
//! not find one does the work again. What is read is held against its digest and length.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, ObjectStoreExt as _};

use super::client::{self, Access};
use super::reader::FromBucket;
use super::{delete_all, upload};
use crate::engine::Engine;
use crate::{Checked, Environment, Error, Result};
use blindscope_federation::Blob;

/// Where such objects lie.
const FOLDER: &str = "work";

/// Reads what is in a bucket, and writes below `work/`.
#[derive(Debug)]
pub struct Exchange {
    client: Arc<AmazonS3>,
    engine: Arc<Engine>,
    /// Of everything that is the place's.
    root: String,
    folder: Key,
    name: String,
}

impl Exchange {
    /// That of the place `url` (`s3://BUCKET/PREFIX`). Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Setting`] for an address that is none; [`Error::Io`] for an environment that no client can be made of.
    pub fn open(url: &str, environment: &Environment) -> Result<Self> {
        let access = Access::parse(url, environment)?;
        let client = Arc::new(access.client(client::PATIENCE)?);
        let folder = access.prefix(FOLDER);
        let root = folder.to_string();
        let root = root.strip_suffix(FOLDER).unwrap_or(&root).to_owned();
        Ok(Self { client, engine: Arc::new(Engine::start()?), root, folder, name: access.name() })
    }

    /// Puts bytes there, under their digest and `unique`, which nobody else may choose: the object's name.
    ///
    /// # Errors
    /// [`Error::Io`] with what the service says.
    pub fn put(&self, bytes: Vec<u8>, blob: &Blob, unique: &str) -> Result<String> {
        let (client, key) = (self.client.clone(), self.fresh(blob, unique));
        let to = key.clone();
        self.wait("place work", &key, async move { client.put(&to, bytes.into()).await.map(drop) })?;
        Ok(key.to_string())
    }

    /// Puts a blob there that lies in a file, in parts where it is long, as [`Self::put`].
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_file(&self, from: &Path, blob: &Blob, unique: &str) -> Result<String> {
        let (client, key, len) = (self.client.clone(), self.fresh(blob, unique), blob.len);
        let (to, from) = (key.clone(), from.to_owned());
        self.wait("place work", &key, async move { upload(&client, &to, &from, len).await })?;
        Ok(key.to_string())
    }

    /// The bytes of a blob in an object of the place. Reading the last of them fails unless all were those of the name.
    ///
    /// # Errors
    /// [`Error::Setting`] for an object that is not the place's.
    pub fn reader(&self, object: &str, blob: &Blob) -> Result<Checked> {
        let below = object.strip_prefix(&self.root).filter(|rest| !rest.is_empty());
        let Some(_) = below.filter(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
        else {
            let repair = "name an object below the prefix that `blobs` has";
            return Err(Error::Setting { what: "object", found: object.to_owned(), repair });
        };
        let (client, engine) = (self.client.clone(), self.engine.clone());
        let bytes = FromBucket::new(client, engine, Key::from(object), blob.len);
        Ok(Checked::over(Box::new(bytes), blob))
    }

    /// Deletes objects below `work/`; others are left alone, and one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Io`] with what the service says.
    pub fn delete(&self, objects: &[String]) -> Result<()> {
        let below = format!("{}/", self.folder);
        let ours: Vec<String> = objects.iter().filter(|name| name.starts_with(&below)).cloned().collect();
        let client = self.client.clone();
        self.wait("delete work", &self.folder, async move { delete_all(client, ours).await })
    }

    /// Deletes what was written before `before_ms` (milliseconds since 1970) and nobody came to delete; how many objects.
    ///
    /// # Errors
    /// [`Error::Io`] with what the service says.
    pub fn sweep(&self, before_ms: u64) -> Result<usize> {
        let (client, folder) = (self.client.clone(), self.folder.clone());
        let listed = self.wait("list work", &self.folder, async move {
            Ok(client.list_with_delimiter(Some(&folder)).await?.objects)
        })?;
        let old = |at: i64| u64::try_from(at).is_ok_and(|at| at < before_ms);
        let old = listed.into_iter().filter(|meta| old(meta.last_modified.timestamp_millis()));
        let names: Vec<String> = old.map(|meta| meta.location.to_string()).collect();
        self.delete(&names)?;
        Ok(names.len())
    }

    fn fresh(&self, blob: &Blob, unique: &str) -> Key {
        self.folder.clone().join(format!("{}-{unique}", blob.digest))
    }

    fn wait<T: Send + 'static>(
        &self,
        op: &'static str,
        key: &Key,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T> {
        let path = PathBuf::from(format!("{}/{key}", self.name));
        self.engine.wait(async move {
            let path: &Path = &path;
            work.await.map_err(|e| Error::io(op, path, 0)(client::io_error(e)))
        })
    }
}
