//! Receives a blob, bounded and checked.

use std::io::Write;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Client, Found, Pieces};
use crate::error::{Error, Result};
use crate::message::{Head, Piece};
use blindscope_wire::Digest;

/// Pieces between the network and the disk.
const QUEUE: usize = 4;

/// Everything of one blob into `sink`. `wanted` is its digest when the caller knows it; else the head's is held
/// against the bytes.
pub(super) async fn receive<W: Write + Send + 'static>(
    client: &Client,
    call: &'static str,
    mut pieces: Pieces,
    wanted: Option<Digest>,
    max: u64,
    sink: W,
) -> Result<Found<W>> {
    let first = next(client, call, &mut pieces).await?;
    let (len, announced) = head(first).ok_or(Error::Protocol { call, expected: "head of a blob" })?;
    let wanted = wanted.unwrap_or(announced);
    if len > max {
        return Err(Error::TooLong { wanted, len, max });
    }
    let (out, queue) = mpsc::channel(QUEUE);
    let writer = tokio::task::spawn_blocking(move || write(queue, sink));
    let fed = feed(client, call, &mut pieces, (wanted, len), out).await;
    let written = writer.await.map_err(|_| Error::Protocol { call, expected: "blob that can be written" })?;
    fed?;
    let (sink, found) = written?;
    if found == wanted { Ok(Found { sink, len }) } else { Err(Error::Digest { wanted, found }) }
}

async fn feed(
    client: &Client,
    call: &'static str,
    pieces: &mut Pieces,
    (wanted, len): (Digest, u64),
    out: mpsc::Sender<Bytes>,
) -> Result<()> {
    let mut received: u64 = 0;
    while received < len {
        let Some(Piece { head, contents }) = next(client, call, pieces).await? else {
            return Err(client.unreachable(call, "the stream ended before the blob"));
        };
        if head.is_some() || contents.is_empty() {
            return Err(Error::Protocol { call, expected: "piece of a blob" });
        }
        received = received.saturating_add(contents.len() as u64);
        if received > len {
            return Err(Error::TooLong { wanted, len: received, max: len });
        }
        if out.send(contents).await.is_err() {
            // The sink has failed; its reason is what counts.
            break;
        }
    }
    Ok(())
}

async fn next(client: &Client, call: &'static str, pieces: &mut Pieces) -> Result<Option<Piece>> {
    match timeout(client.limits.answer, pieces.message()).await {
        Ok(piece) => piece.map_err(|status| client.failure(call, &status)),
        Err(_) => Err(client.unreachable(call, "the stream stalled")),
    }
}

fn head(first: Option<Piece>) -> Option<(u64, Digest)> {
    let Head { len, digest, .. } = first?.head?;
    Some((len, Digest(digest.as_ref().try_into().ok()?)))
}

fn write<W: Write>(mut queue: mpsc::Receiver<Bytes>, mut sink: W) -> Result<(W, Digest)> {
    let failed = |cause| Error::File { action: "fetch: write the blob", cause };
    let mut hash = Sha256::new();
    while let Some(piece) = queue.blocking_recv() {
        sink.write_all(&piece).map_err(failed)?;
        hash.update(&piece);
    }
    sink.flush().map_err(failed)?;
    Ok((sink, Digest(hash.finalize().into())))
}
