//! Takes an upload: first its head, then exactly the announced bytes, hashed while they come.
//!
//! The body is read only while the disk keeps up: a short queue stands between the network and the thread that writes,
//! and a full queue stops HTTP/2's window. That time is not the caller's, so it does not count against its rate.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Status, Streaming};

use super::slots::Slots;
use crate::handler::{Admission, Answer, Intake, Upload};
use crate::identity::Peer;
use crate::limits::Limits;
use crate::message::{Head, PIECE, Piece};
use crate::refusal::{Class, Refusal};
use blindscope_wire::Digest;

/// Pieces between the network and the disk.
const QUEUE: usize = 4;

/// Where all uploads come in.
pub(super) struct Reception {
    limits: Limits,
    each: Slots,
    all: Arc<Semaphore>,
}

impl Reception {
    pub(super) fn new(limits: Limits) -> Self {
        Self { each: Slots::new(limits.uploads_each), all: Arc::new(Semaphore::new(limits.uploads)), limits }
    }

    /// One upload from its head to the handler's acknowledgement.
    pub(super) async fn receive<T, F>(
        &self,
        peer: Peer,
        mut body: Streaming<Piece>,
        admit: impl FnOnce(Upload) -> F,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Answer<Admission<T>>>,
    {
        let _slot = self.each.take(peer.id).ok_or_else(|| self.too_many())?;
        let first = timeout(self.limits.grace, body.message()).await.map_err(|_| self.slow(0, 0))?;
        let upload = self.announced(first.map_err(|status| cut(&status))?)?;
        let waiting = timeout(self.limits.answer, self.all.acquire()).await;
        let _turn = waiting.ok().and_then(Result::ok).ok_or_else(busy)?;
        let (len, digest) = (upload.len, upload.digest);
        let intake = match timeout(self.limits.answer, admit(upload)).await.map_err(|_| busy())?? {
            Admission::Take(intake) => intake,
            Admission::Already(answer) => return Ok(answer),
        };
        let intake = self.body(&mut body, len, digest, intake).await?;
        intake.finish().await
    }

    fn announced(&self, first: Option<Piece>) -> Answer<Upload> {
        let Some(Piece { head: Some(Head { header, len, digest }), contents }) = first else {
            return Err(Refusal::new(Class::Invalid, "no-head", "upload: the first piece holds no head"));
        };
        if header.len() > self.limits.header || !contents.is_empty() {
            let found = header.len().saturating_add(contents.len()) as u64;
            return Err(too_long("header", found, self.limits.header as u64));
        }
        let digest: [u8; 32] = digest.as_ref().try_into().map_err(|_| {
            Refusal::new(Class::Invalid, "no-digest", "upload: the digest in the head is not 32 bytes")
        })?;
        Ok(Upload { header, len, digest: Digest(digest) })
    }

    async fn body<T: Send + 'static>(
        &self,
        body: &mut Streaming<Piece>,
        len: u64,
        digest: Digest,
        intake: Box<dyn Intake<T>>,
    ) -> Answer<Box<dyn Intake<T>>> {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let writer = tokio::task::spawn_blocking(move || write(queue, intake, len, digest));
        let fed = self.feed(body, len, pieces).await;
        let written = writer.await.map_err(|_| {
            Refusal::new(Class::Internal, "writer-failed", "upload: the writing thread failed; see its log")
        })?;
        // What the network did wrong explains better why the writer got too little.
        fed.and(written)
    }

    async fn feed(&self, body: &mut Streaming<Piece>, len: u64, pieces: mpsc::Sender<Bytes>) -> Answer<()> {
        let mut start = Instant::now();
        let mut received = 0;
        loop {
            let due = start + self.limits.due(received).min(Duration::from_secs(1 << 30));
            let piece = timeout_at(due, body.message()).await.map_err(|_| self.slow(received, len))?;
            let Some(Piece { contents, head }) = piece.map_err(|status| cut(&status))? else { return Ok(()) };
            if head.is_some() || contents.is_empty() || contents.len() > PIECE {
                return Err(Refusal::new(
                    Class::Invalid,
                    "bad-piece",
                    "upload: a piece of the body is empty or holds a head",
                ));
            }
            received += contents.len() as u64;
            if received > len {
                return Err(too_long("body", received, len));
            }
            let waiting = Instant::now();
            if pieces.send(contents).await.is_err() {
                // The writer has refused; its reason is what counts.
                return Ok(());
            }
            start += waiting.elapsed();
        }
    }

    fn slow(&self, received: u64, len: u64) -> Refusal {
        let message = format!(
            "upload: {received} of {len} bytes came in time; after {} s at least {} bytes a second are needed",
            self.limits.grace.as_secs_f64(),
            self.limits.rate
        );
        Refusal::new(Class::Late, "too-slow", message)
            .fact("received", received)
            .fact("expected", len)
            .fact("rate", self.limits.rate)
            .retry_after(Duration::from_secs(1))
    }

    fn too_many(&self) -> Refusal {
        let most = self.limits.uploads_each;
        Refusal::new(
            Class::Exhausted,
            "too-many-uploads",
            format!("upload: {most} are under way from this certificate"),
        )
        .fact("most", most as u64)
        .retry_after(Duration::from_secs(1))
    }
}

/// The writing thread: everything into the intake, then length and digest held against the head.
fn write<T>(
    mut queue: mpsc::Receiver<Bytes>,
    mut intake: Box<dyn Intake<T>>,
    len: u64,
    digest: Digest,
) -> Answer<Box<dyn Intake<T>>> {
    let mut hash = Sha256::new();
    let mut received = 0;
    while let Some(piece) = queue.blocking_recv() {
        intake.write(&piece)?;
        hash.update(&piece);
        received += piece.len() as u64;
    }
    if received != len {
        let message = format!("upload: the body ends after {received} of {len} bytes");
        return Err(Refusal::new(Class::Invalid, "truncated", message)
            .fact("received", received)
            .fact("expected", len)
            .retry_after(Duration::from_secs(1)));
    }
    let found = Digest(hash.finalize().into());
    if found != digest {
        let message = format!("upload: the body has digest {found}, the head says {digest}");
        return Err(Refusal::new(Class::Invalid, "wrong-digest", message));
    }
    Ok(intake)
}

fn too_long(what: &str, found: u64, most: u64) -> Refusal {
    Refusal::new(
        Class::Invalid,
        "too-long",
        format!("upload: the {what} has {found} bytes or more, at most {most} are taken"),
    )
    .fact("found", found)
    .fact("most", most)
}

fn cut(status: &Status) -> Refusal {
    Refusal::new(Class::Invalid, "cut", format!("upload: the stream broke: {}", status.message()))
        .retry_after(Duration::from_secs(1))
}

fn busy() -> Refusal {
    Refusal::new(Class::Unavailable, "busy", "the coordinator is overloaded; try again later")
        .retry_after(Duration::from_secs(2))
}
