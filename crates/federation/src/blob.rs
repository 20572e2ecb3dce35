//! Payloads: named by SHA-256, kept outside of the state machines, which see digests and lengths only.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Result;
use blindscope_wire::Digest;

/// The name and length of a payload. `digest` is plain SHA-256 of the bytes, so `sha256sum` shows the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// SHA-256 of the bytes.
    #[serde(with = "crate::text")]
    pub digest: Digest,
    /// Bytes.
    pub len: u64,
}

impl Blob {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = BlobHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl std::fmt::Display for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.digest.fingerprint(), self.len)
    }
}

/// Names a payload while it streams past.
#[derive(Clone, Default)]
pub struct BlobHasher {
    sha: Sha256,
    len: u64,
}

impl BlobHasher {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name of all bytes so far.
    pub fn finish(self) -> Blob {
        Blob { digest: Digest(self.sha.finalize().into()), len: self.len }
    }
}

impl std::fmt::Debug for BlobHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobHasher({} bytes)", self.len)
    }
}

impl Write for BlobHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where payloads are kept.
pub trait Blobs {
    /// The bytes of a blob, checked against its name by the time the end is reached.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and what the disk says.
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>>;

    /// Keeps, durably, what `write` writes, at most `max` bytes; nothing is kept where `write` fails.
    ///
    /// # Errors
    /// What `write` returns; [`crate::Error::Io`] where the bytes cannot be kept.
    fn create(&self, max: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob>;

    /// Keeps bytes that can be fetched or made again: a crash may take them.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where the bytes cannot be kept.
    fn pass(&self, bytes: &[u8]) -> Result<Blob> {
        self.create(bytes.len() as u64, &mut |out| {
            out.write_all(bytes).map_err(crate::Error::io("keep blob"))
        })
    }
}
