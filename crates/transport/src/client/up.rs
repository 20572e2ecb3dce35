//! Sends a blob as fast as the server takes it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::Error;
use crate::handler::Upload;
use crate::message::{Head, PIECE, Piece};

/// Pieces read ahead.
const QUEUE: usize = 2;

/// What became of the source.
pub(super) struct Sent(Arc<Mutex<Option<io::Error>>>);

impl Sent {
    /// Why the source failed, if it did.
    pub(super) fn failure(self) -> Option<Error> {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Error::File { action: "upload: read the blob", cause })
    }
}

/// The pieces of an upload, read on a thread of its own.
pub(super) fn send(upload: Upload, mut body: Box<dyn Read + Send>) -> (ReceiverStream<Piece>, Sent) {
    let (out, pieces) = mpsc::channel(QUEUE);
    let failed = Arc::new(Mutex::new(None));
    let sent = Sent(failed.clone());
    tokio::task::spawn_blocking(move || {
        let Upload { header, len, digest } = upload;
        let head = Head { header, len, digest: Bytes::copy_from_slice(&digest.0) };
        let mut next = Piece { head: Some(head), contents: Bytes::new() };
        let mut left = len;
        // A send fails when the call has ended; then nobody needs the rest.
        while out.blocking_send(next).is_ok() && left > 0 {
            let mut contents = vec![0; left.min(PIECE as u64) as usize];
            if let Err(cause) = body.read_exact(&mut contents) {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
                return;
            }
            left -= contents.len() as u64;
            next = Piece { head: None, contents: contents.into() };
        }
    });
    (ReceiverStream::new(pieces), sent)
}
