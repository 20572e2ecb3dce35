//! Where whole blobs lie, each under its name: a folder, or a bucket of an object store.

use std::fmt::Debug;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Result;
use blindscope_federation::Blob;

/// A place of whole blobs. Names are digests in hexadecimal digits.
pub(crate) trait Shelf: Debug + Send + Sync {
    /// Names and lengths of all blobs.
    ///
    /// # Errors
    /// What the disk or the service says.
    fn entries(&self) -> Result<Vec<(String, u64)>>;

    /// Whether a blob of this name and length is there. Its bytes are not looked at.
    fn has(&self, blob: &Blob) -> bool;

    /// The bytes under a name, unchecked.
    ///
    /// # Errors
    /// [`crate::Error::Io`] of kind *not found* where it is not there; [`crate::Error::Damaged`] for another length.
    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>>;

    /// Puts a finished file under a blob's name, in place of what stood there. Where `durable`, its bytes survive a power cut once
    /// [`Self::settle`] returns too.
    ///
    /// # Errors
    /// What the disk or the service says; then nothing of it is under the name.
    fn place(&self, blob: &Blob, from: (&Path, &File), durable: bool) -> Result<()>;

    /// Makes the names of what was placed durable.
    ///
    /// # Errors
    /// What the disk says.
    fn settle(&self) -> Result<()>;

    /// Makes the bytes of a blob durable that was placed without; one that is not there is no error.
    ///
    /// # Errors
    /// What the disk says.
    fn flush(&self, blob: &Blob) -> Result<()>;

    /// Deletes what stands under these names.
    ///
    /// # Errors
    /// What the disk or the service says; some may be deleted then.
    fn remove(&self, names: &[String]) -> Result<()>;

    /// Deletes blobs of at most `most` bytes that a power cut has torn; how many bytes that freed.
    ///
    /// # Errors
    /// What the disk says.
    fn drop_torn(&self, most: u64) -> Result<u64>;

    /// The object that holds a blob of this name and length, for others that read the same bucket; none where there is no bucket.
    fn object_of(&self, _: &Blob) -> Option<String> {
        None
    }

    /// Where a blob is, for messages.
    fn place_of(&self, blob: &Blob) -> PathBuf;
}
