//! Blobs in a bucket of an object store that speaks S3, for whoever leads.
//!
//! An object is named after its blob, the term of the leader that wrote it and a number: `DIGEST-TERM-NUMBER`. No name is written twice, so
//! a leader that was deposed and does not know it can only delete objects that were no one's any more: which objects go is written
//! down first, by a statement that finds its term to be the newest, and whoever leads next does not count on those.

mod client;
mod exchange;
mod look;
mod reader;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, ObjectStoreExt as _, WriteMultipart};
use tokio::task::JoinSet;

use crate::postgres::Table;
use crate::shelf::Shelf;
use crate::{Error, Result};
use blindscope_federation::{Blob, BlobHasher};

pub(crate) use client::Access;
pub use exchange::Exchange;
pub(crate) use look::look;
use reader::FromBucket;

/// Bytes of one part of an upload, and parts under way.
const PART: usize = 8 << 20;
const AT_ONCE: usize = 4;
/// Deletions under way.
const DELETED_AT_ONCE: usize = 16;

/// The objects below one prefix.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: Arc<AmazonS3>,
    prefix: Key,
    /// `s3://BUCKET`, for messages.
    name: String,
    table: Table,
    /// By the names of their blobs.
    objects: Mutex<BTreeMap<String, Object>>,
    /// Numbers the next object of this term.
    next: AtomicU64,
}

#[derive(Debug, Clone)]
struct Object {
    key: Key,
    len: u64,
}

impl Bucket {
    /// The objects below `folder` of what `access` names.
    pub(crate) fn open(access: &Access, folder: &str, table: &Table) -> Result<Self> {
        let client = Arc::new(access.client(client::PATIENCE)?);
        let (prefix, name) = (access.prefix(folder), access.name());
        let bucket = Self {
            client,
            prefix,
            name,
            table: table.clone(),
            objects: Mutex::default(),
            next: AtomicU64::new(0),
        };
        bucket.delete_doomed()?;
        *bucket.objects() = bucket.listed()?;
        Ok(bucket)
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        // Every change is one step.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes what an earlier leader had decided to and may not have come to.
    fn delete_doomed(&self) -> Result<()> {
        let below = format!("{}/", self.prefix);
        let doomed: Vec<String> =
            self.table.doomed()?.into_iter().filter(|object| object.starts_with(&below)).collect();
        if doomed.is_empty() { Ok(()) } else { self.delete(doomed) }
    }

    /// Deletes objects that are written down as doomed.
    fn delete(&self, objects: Vec<String>) -> Result<()> {
        let (client, keys) = (self.client.clone(), objects.clone());
        self.wait("delete blobs", &self.prefix, async move { delete_all(client, keys).await })?;
        self.table.gone(objects)
    }

    /// Writes down that objects go, and deletes them: from the first step on nobody counts on them.
    fn give_up(&self, keys: Vec<String>) -> Result<()> {
        self.table.doom(keys.clone())?;
        if let Err(error) = self.delete(keys) {
            tracing::warn!(%error, "objects could not be deleted; the next start of a coordinator does it");
        }
        Ok(())
    }

    fn listed(&self) -> Result<BTreeMap<String, Object>> {
        let (client, prefix) = (self.client.clone(), self.prefix.clone());
        let listed = self.wait("list bucket", &self.prefix, async move {
            Ok(client.list_with_delimiter(Some(&prefix)).await?.objects)
        })?;
        let ours = listed.into_iter().filter_map(|meta| {
            let name = blob_of(meta.location.filename()?)?.to_owned();
            Some((name, Object { key: meta.location, len: meta.size }))
        });
        Ok(ours.collect())
    }

    fn found(&self, blob: &Blob) -> Option<Object> {
        self.objects().get(&blob.digest.to_string()).cloned()
    }

    /// Whether the bytes of an object are those of its blob.
    fn is_whole(&self, blob: &Blob) -> bool {
        let hashed = self.open(blob).and_then(|mut bytes| {
            let mut hasher = BlobHasher::default();
            let read = std::io::copy(&mut bytes, &mut hasher);
            read.map_err(Error::io("read blob", &self.place_of(blob), 0))?;
            Ok(hasher.finish())
        });
        hashed.is_ok_and(|found| found == *blob)
    }

    /// A name that no object has had.
    fn fresh(&self, blob: &Blob) -> Key {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.prefix.clone().join(format!("{}-{}-{number}", blob.digest, self.table.lease().term()))
    }

    fn wait<T: Send + 'static>(
        &self,
        op: &'static str,
        key: &Key,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T> {
        let path = self.named(key);
        let work = async move { work.await.map_err(|e| Error::io(op, &path, 0)(client::io_error(e))) };
        self.table.lease().engine().wait(work)
    }

    fn named(&self, key: &Key) -> PathBuf {
        PathBuf::from(format!("{}/{key}", self.name))
    }
}

/// Deletes objects, some at a time; one that is not there is no error.
async fn delete_all(client: Arc<AmazonS3>, objects: Vec<String>) -> object_store::Result<()> {
    for some in objects.chunks(DELETED_AT_ONCE) {
        let mut deleting = JoinSet::new();
        for object in some {
            let (client, key) = (client.clone(), Key::from(object.as_str()));
            deleting.spawn(async move { client.delete(&key).await });
        }
        while let Some(deleted) = deleting.join_next().await {
            match deleted {
                Ok(Ok(()) | Err(object_store::Error::NotFound { .. })) => {}
                Ok(Err(error)) => return Err(error),
                Err(source) => return Err(object_store::Error::JoinError { source }),
            }
        }
    }
    Ok(())
}

/// The blob that an object's name begins with.
fn blob_of(object: &str) -> Option<&str> {
    let (digest, rest) = object.split_once('-')?;
    let (term, number) = rest.split_once('-')?;
    let ours = digest.len() == 64
        && digest.bytes().all(|b| b.is_ascii_hexdigit())
        && term.parse::<u64>().is_ok()
        && number.parse::<u64>().is_ok();
    ours.then_some(digest)
}

/// Sends a file, in parts where it is long. What fails leaves no object; parts of an upload that was cut off are the bucket's lifecycle's.
async fn upload(client: &AmazonS3, key: &Key, path: &Path, len: u64) -> object_store::Result<()> {
    let failed =
        |source: std::io::Error| object_store::Error::Generic { store: "S3", source: Box::new(source) };
    if len <= PART as u64 {
        let bytes = std::fs::read(path).map_err(failed)?;
        return client.put(key, bytes.into()).await.map(drop);
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut parts = WriteMultipart::new_with_chunk_size(client.put_multipart(key).await?, PART);
    let sent = async {
        let mut buffer = vec![0; PART];
        loop {
            let count = file.read(&mut buffer).map_err(failed)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            parts.wait_for_capacity(AT_ONCE).await?;
            parts.write(bytes);
        }
    };
    match sent.await {
        Ok(()) => parts.finish().await.map(drop),
        Err(error) => {
            // What cannot be called off ends with the bucket's lifecycle.
            let _ = parts.abort().await;
            Err(error)
        }
    }
}

impl Shelf for Bucket {
    fn entries(&self) -> Result<Vec<(String, u64)>> {
        Ok(self.objects().iter().map(|(name, object)| (name.clone(), object.len)).collect())
    }

    fn has(&self, blob: &Blob) -> bool {
        self.found(blob).is_some_and(|object| object.len == blob.len)
    }

    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>> {
        let missing = || Error::io("open blob", &self.place_of(blob), 0)(std::io::ErrorKind::NotFound.into());
        let Object { key, len } = self.found(blob).ok_or_else(missing)?;
        if len != blob.len {
            return Err(Error::Damaged { blob: *blob, found: Blob { len, ..*blob } });
        }
        let engine = self.table.lease().engine().clone();
        Ok(Box::new(FromBucket::new(self.client.clone(), engine, key, len)))
    }

    fn place(&self, blob: &Blob, (path, _): (&Path, &File), _durable: bool) -> Result<()> {
        if self.has(blob) && self.is_whole(blob) {
            let _ = std::fs::remove_file(path);
            return Ok(());
        }
        let (key, len) = (self.fresh(blob), blob.len);
        let (client, to, from) = (self.client.clone(), key.clone(), path.to_owned());
        self.wait("place blob", &key, async move { upload(&client, &to, &from, len).await })?;
        let before = self.objects().insert(blob.digest.to_string(), Object { key, len });
        // What is left of the file goes when the store is next opened.
        let _ = std::fs::remove_file(path);
        match before {
            Some(damaged) => self.give_up(vec![damaged.key.to_string()]),
            None => Ok(()),
        }
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn flush(&self, _blob: &Blob) -> Result<()> {
        Ok(())
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        let found: Vec<(String, String)> = {
            let objects = self.objects();
            let named = names.iter().filter_map(|name| Some((name, objects.get(name)?)));
            named.map(|(name, object)| (name.clone(), object.key.to_string())).collect()
        };
        if found.is_empty() {
            return Ok(());
        }
        let (names, keys): (Vec<String>, Vec<String>) = found.into_iter().unzip();
        self.give_up(keys)?;
        let mut objects = self.objects();
        for name in &names {
            objects.remove(name);
        }
        Ok(())
    }

    fn drop_torn(&self, _most: u64) -> Result<u64> {
        // An object is there in whole or not at all.
        Ok(0)
    }

    fn object_of(&self, blob: &Blob) -> Option<String> {
        self.found(blob).filter(|object| object.len == blob.len).map(|object| object.key.to_string())
    }

    fn place_of(&self, blob: &Blob) -> PathBuf {
        let key = self.found(blob).map(|object| object.key);
        self.named(&key.unwrap_or_else(|| self.prefix.clone().join(blob.digest.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_blobs() {
        let digest = "ab".repeat(32);
        assert_eq!(blob_of(&format!("{digest}-12-0")), Some(digest.as_str()));
        for other in [
            digest.clone(),
            format!("{digest}-1"),
            format!("{digest}-x-0"),
            format!("{}-1-0", "xy".repeat(32)),
        ] {
            assert_eq!(blob_of(&other), None, "{other}");
        }
    }
}
