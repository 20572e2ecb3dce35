//! The bytes of an object, a piece at a time.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;

use super::client;
use crate::Error;
use crate::engine::Engine;

/// Bytes of one request.
const PIECE: u64 = 4 << 20;

/// An object that is being read.
pub(super) struct FromBucket {
    client: Arc<AmazonS3>,
    engine: Arc<Engine>,
    key: Key,
    len: u64,
    at: u64,
    piece: Bytes,
}

impl FromBucket {
    pub(super) fn new(client: Arc<AmazonS3>, engine: Arc<Engine>, key: Key, len: u64) -> Self {
        Self { client, engine, key, len, at: 0, piece: Bytes::new() }
    }

    /// The next piece; empty at the end.
    fn next(&self) -> io::Result<Bytes> {
        let until = self.len.min(self.at + PIECE);
        if until == self.at {
            return Ok(Bytes::new());
        }
        let (client, key, range) = (self.client.clone(), self.key.clone(), self.at..until);
        let path = std::path::PathBuf::from(self.key.to_string());
        let read = self.engine.wait(async move {
            let piece = client.get_range(&key, range).await;
            piece.map_err(|e| Error::io("read blob", &path, 0)(client::io_error(e)))
        });
        read.map_err(|error| match error {
            Error::Io { source, .. } => source,
            other => io::Error::other(other),
        })
    }
}

impl Read for FromBucket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !out.is_empty() {
            self.piece = self.next()?;
            self.at += self.piece.len() as u64;
        }
        let count = self.piece.len().min(out.len());
        self.piece.copy_to_slice(out.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}
