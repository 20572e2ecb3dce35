//! Sends a blob: its head, then its bytes as fast as the caller takes them, and not slower than the rate.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Downloads under way whose pieces are as long as they may be; beyond that all are shorter, so that together they hold about as much.
const WHOLE: usize = 64;
/// And at least.
const SHORTEST: usize = 8 << 10;

/// How many downloads are under way.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

/// One of them; it ends on drop.
struct One(UnderWay);

impl UnderWay {
    fn begin(&self) -> One {
        self.0.fetch_add(1, Ordering::Relaxed);
        One(self.clone())
    }

    /// Bytes of the next piece of each.
    fn piece(&self) -> usize {
        (PIECE * WHOLE / self.0.load(Ordering::Relaxed).max(WHOLE)).max(SHORTEST)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts to send. The stream ends early when the caller is too slow; it then lacks bytes and knows it.
pub(super) fn send(source: Source, limits: Limits, under_way: &UnderWay) -> Pieces {
    let (out, pieces) = mpsc::channel(QUEUE);
    let one = under_way.begin();
    tokio::spawn(async move {
        if let Err(refusal) = pump(source, &limits, &out, &one.0).await {
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
    under_way: &UnderWay,
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
        let want = (len - sent).min(under_way.piece() as u64) as usize;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_downloads_hold_no_more_than_some() {
        let under_way = UnderWay::default();
        let mut all: Vec<One> = (0..WHOLE).map(|_| under_way.begin()).collect();
        assert_eq!(under_way.piece(), PIECE);
        all.extend((0..3 * WHOLE).map(|_| under_way.begin()));
        assert_eq!(under_way.piece(), PIECE / 4);
        all.extend((0..100 * WHOLE).map(|_| under_way.begin()));
        assert_eq!(under_way.piece(), SHORTEST);
        drop(all);
        assert_eq!(under_way.piece(), PIECE);
    }
}
