//! Sends a blob: its head, then its bytes as fast as the caller takes them, and not slower than the rate.

use std::io::Read as _;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::handler::Source;
use crate::limits::Limits;
use crate::message::{Head, PIECE, Piece};
use crate::refusal::{Class, Refusal};

/// Pieces read ahead.
const QUEUE: usize = 2;

/// Pieces on their way out.
pub(super) type Pieces = ReceiverStream<Result<Piece, Status>>;

/// Starts to send. The stream ends early when the caller is too slow; it then lacks bytes and knows it.
pub(super) fn send(source: Source, limits: Limits) -> Pieces {
    let (out, pieces) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        if let Err(refusal) = pump(source, &limits, &out).await {
            // Nobody listens any more when this fails.
            let _ = out.try_send(Err(refusal.into()));
        }
    });
    ReceiverStream::new(pieces)
}

async fn pump(
    source: Source,
    limits: &Limits,
    out: &mpsc::Sender<Result<Piece, Status>>,
) -> Result<(), Refusal> {
    let Source { len, digest, mut bytes } = source;
    let start = Instant::now();
    let head = Head { header: Bytes::new(), len, digest: Bytes::copy_from_slice(&digest.0) };
    let mut next = Piece { head: Some(head), contents: Bytes::new() };
    let mut sent: u64 = 0;
    loop {
        // No thread waits here, so a caller that dawdles holds two pieces and a file.
        let Ok(Ok(place)) = timeout_at(start + limits.due(sent), out.reserve()).await else { return Ok(()) };
        place.send(Ok(next));
        if sent == len {
            return Ok(());
        }
        let want = (len - sent).min(PIECE as u64) as usize;
        let read = tokio::task::spawn_blocking(move || {
            let mut contents = vec![0; want];
            bytes.read_exact(&mut contents).map(|()| (bytes, contents))
        });
        let (rest, contents) =
            read.await.map_err(|_| unreadable(&"the reading thread failed"))?.map_err(|e| unreadable(&e))?;
        bytes = rest;
        sent += contents.len() as u64;
        next = Piece { head: None, contents: contents.into() };
    }
}

fn unreadable(cause: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Class::Internal, "unreadable", format!("fetch: the blob could not be read: {cause}"))
}
