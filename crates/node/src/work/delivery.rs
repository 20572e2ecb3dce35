//! What a worker sent back, until the leader has taken it into its own store.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;

use super::blobs::io_error;
use super::error::{Refused, Result};
use super::message::Object;
use super::parcel::{self, Parcel};
use super::piece::{Ended, Made};
use blindscope_federation::Blob;
use blindscope_store::{BlobStore, Exchange};

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 18;

/// Objects that nobody needs any more once this is dropped.
pub(super) struct Passing {
    pub(super) exchange: Arc<Exchange>,
    pub(super) names: Vec<String>,
}

impl Drop for Passing {
    fn drop(&mut self) {
        let (exchange, names) = (self.exchange.clone(), std::mem::take(&mut self.names));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn_blocking(move || {
            if let Err(error) = exchange.delete(&names) {
                tracing::debug!(%error, "objects of work are left to the next sweep");
            }
        });
    }
}

/// An outcome, and where its blobs are.
pub(crate) struct Delivery {
    parcel: Parcel<Ended>,
    passing: Passing,
}

impl Delivery {
    /// The outcome of a piece in an object: its bytes are held against digest and length. Blocks for the object store.
    pub(super) fn open((piece, object): (&Blob, &Object), study: &str, mut passing: Passing) -> Result<Self> {
        let bytes = fetched(&passing.exchange, object, parcel::MOST)?;
        passing.names.push(object.name.clone());
        let parcel: Parcel<Ended> = Parcel::parse(&bytes, study)?;
        if parcel.what.piece != *piece {
            return Err(Refused::Outcome("it is that of another piece"));
        }
        passing.names.extend(parcel.large.iter().map(|object| object.name.clone()));
        Ok(Self { parcel, passing })
    }

    /// What it says.
    pub(crate) fn made(&self) -> &Made {
        &self.parcel.what.made
    }

    /// Keeps every blob that the outcome names and is not kept yet, under this store's own names; what it does not name stays away. Blocks
    /// for disk and network.
    pub(crate) fn adopt(&self, blobs: &BlobStore) -> Result<()> {
        for blob in self.parcel.what.made.blobs() {
            if blobs.contains(&blob) {
                continue;
            }
            if let Some((_, bytes)) = self.parcel.small.iter().find(|(named, _)| *named == blob) {
                blobs.keep(bytes)?;
            } else if let Some(object) = self.parcel.large.iter().find(|object| object.blob == blob) {
                self.copy(object, blobs)?;
            } else {
                return Err(Refused::Outcome("it names a blob that did not come with it"));
            }
        }
        Ok(())
    }

    fn copy(&self, object: &Object, blobs: &BlobStore) -> Result<()> {
        let mut from = self.passing.exchange.reader(&object.name, &object.blob)?;
        let (mut to, mut buffer) = (blobs.begin(object.blob.len)?, vec![0; CHUNK]);
        loop {
            let read = from.read(&mut buffer);
            let count = read.map_err(|source| io_error(source, object.name.as_ref()))?;
            match buffer.get(..count).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => to.push(bytes)?,
                None => return Ok(to.finish_as(&object.blob)?),
            }
        }
    }

    /// Everything that came with it, as it goes into the next parcel. It is there for as long as this is.
    pub(crate) fn parts(&self) -> (&[(Blob, Bytes)], &[Object]) {
        (&self.parcel.small, &self.parcel.large)
    }

    /// The bytes of a blob of the outcome. Blocks for the network.
    pub(crate) fn bytes(&self, blob: &Blob, most: u64) -> Result<Bytes> {
        if let Some((_, bytes)) = self.parcel.small.iter().find(|(named, _)| named == blob) {
            return Ok(bytes.clone());
        }
        let object = self.parcel.large.iter().find(|object| object.blob == *blob);
        let object = object.ok_or(Refused::Outcome("it names a blob that did not come with it"))?;
        fetched(&self.passing.exchange, object, most)
    }
}

/// The bytes of an object, at most so many.
pub(crate) fn fetched(exchange: &Exchange, object: &Object, most: u64) -> Result<Bytes> {
    if object.blob.len > most {
        return Err(Refused::TooLong { what: "object of work", found: object.blob.len, most });
    }
    let mut bytes = Vec::with_capacity(object.blob.len as usize);
    let read = exchange.reader(&object.name, &object.blob)?.read_to_end(&mut bytes);
    read.map_err(|source| io_error(source, object.name.as_ref()))?;
    Ok(bytes.into())
}
