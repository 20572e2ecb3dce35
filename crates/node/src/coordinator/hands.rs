//! Who does the coordinator's work: threads of this process, or workers behind a queue. Both do the same from the same blobs; the queue may
//! always say that threads have to.

use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "scale")]
use {
    crate::system,
    crate::work::{Crew, Delivery, Made, Object, Parcel, Piece, Refused},
    blindscope_federation::SignedChange,
    blindscope_store::BlobStore,
};

use super::desk::Desk;
use super::inference::Evaluating;
use super::metrics::Meters;
use crate::error::{Error, Result};
use crate::kit::CoordinatorSettings;
use blindscope_federation::{Coordinator, Input, Study, Work};
use blindscope_transport::Stop;

/// What S3 and NATS clients read in their environment begins so.
#[cfg(feature = "scale")]
const ENVIRONMENT: [&str; 2] = ["NATS_", "AWS_"];
/// From so many bytes on work is sent away: below, telling somebody takes longer than doing it.
#[cfg(feature = "scale")]
const WORTH: u64 = 1 << 20;
/// Most bytes of the small blobs of one piece.
#[cfg(feature = "scale")]
const MOST_SMALL: u64 = 64 << 20;

/// The one or the other.
#[derive(Clone)]
pub(super) enum Hands {
    /// Threads of this process.
    Threads,
    /// Workers, as long as any is heard.
    #[cfg(feature = "scale")]
    Workers(Arc<Crew>, Arc<Meters>),
}

impl Hands {
    /// Those that the settings name.
    #[cfg(feature = "scale")]
    pub(super) async fn open(
        settings: &CoordinatorSettings,
        study: &Study,
        (meters, stop): (&Arc<Meters>, &Stop),
    ) -> Result<Self> {
        let Some(queue) = &settings.queue else { return Ok(Self::Threads) };
        let Some(blobs) = settings.blobs.as_deref() else { return Err(alone(queue)) };
        let [nats, aws] = ENVIRONMENT.map(system::environment);
        let crew = Crew::open((queue, blobs), (&nats, &aws), study, (meters.noise(), stop)).await?;
        Ok(Self::Workers(crew, meters.clone()))
    }

    /// Threads: this build has nothing else.
    #[cfg(not(feature = "scale"))]
    pub(super) async fn open(
        settings: &CoordinatorSettings,
        _: &Study,
        _: (&Arc<Meters>, &Stop),
    ) -> Result<Self> {
        // As the other one, which waits.
        std::future::ready(match &settings.queue {
            None => Ok(Self::Threads),
            Some(queue) => Err(alone(queue)),
        })
        .await
    }

    /// What work came to at a worker, once every blob of it is in the coordinator's own store; nothing where a thread has to do it.
    #[cfg(feature = "scale")]
    pub(super) async fn combined(&self, desk: &Desk, now: &Coordinator, work: &Work) -> Option<Input> {
        match self {
            Self::Threads => None,
            Self::Workers(crew, meters) => {
                combined(crew, desk, now.history(), work).await.inspect(|_| meters.piece())
            }
        }
    }

    /// Nothing: a thread has to do it.
    #[cfg(not(feature = "scale"))]
    pub(super) async fn combined(&self, _: &Desk, _: &Coordinator, _: &Work) -> Option<Input> {
        match self {
            // As the other one, which waits.
            Self::Threads => std::future::ready(None).await,
        }
    }

    /// The answer to a question from a worker; nothing where a thread has to make it.
    #[cfg(feature = "scale")]
    pub(super) async fn answer(&self, question: &Evaluating) -> Option<Bytes> {
        match self {
            Self::Threads => None,
            Self::Workers(crew, meters) => question.answer_of(crew).await.inspect(|_| meters.piece()),
        }
    }

    /// Nothing: a thread has to make it.
    #[cfg(not(feature = "scale"))]
    pub(super) async fn answer(&self, _: &Evaluating) -> Option<Bytes> {
        match self {
            // As the other one, which waits.
            Self::Threads => std::future::ready(None).await,
        }
    }
}

/// A queue without a place that its workers could read, or in a build without either.
fn alone(queue: &str) -> Error {
    let expected = if cfg!(feature = "scale") {
        "beside store and blobs: workers read and write the same bucket"
    } else {
        "left out: this build has no queue; build with `--features scale`"
    };
    Error::Project { key: "queue", found: queue.to_owned(), expected: expected.to_owned() }
}

#[cfg(feature = "scale")]
async fn combined(crew: &Crew, desk: &Desk, changes: &[SignedChange], work: &Work) -> Option<Input> {
    if !crew.has_workers() {
        return None;
    }
    let (blobs, work, changes) = (desk.blobs.clone(), work.clone(), changes.to_vec());
    let step = work.step();
    let packing = tokio::task::spawn_blocking({
        let blobs = blobs.clone();
        move || piece(&blobs, changes, work)
    });
    let delivery = match packing.await {
        Ok(Ok(piece)) => crew.have_done(piece?).await?,
        Ok(Err(error)) => {
            tracing::warn!(%step, %error, "work cannot be put into the queue; it is done here");
            return None;
        }
        Err(error) => {
            tracing::error!(%step, %error, "work cannot be put into the queue; it is done here");
            return None;
        }
    };
    let input = match delivery.made() {
        Made::Combined(output) => Input::Combined { step, output: output.as_ref().clone() },
        Made::Opened(outcome) => Input::Opened { step, outcome: *outcome },
        Made::Answered(_) => {
            tracing::warn!(%step, "a worker's outcome is that of a question; the work is done here");
            return None;
        }
    };
    adopted(delivery, blobs, input).await
}

/// The input, once what it names is kept here.
#[cfg(feature = "scale")]
async fn adopted(delivery: Delivery, blobs: BlobStore, input: Input) -> Option<Input> {
    let adopting = tokio::task::spawn_blocking(move || delivery.adopt(&blobs));
    let refused = match adopting.await {
        Ok(Ok(())) => return Some(input),
        Ok(Err(refused)) => refused.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(%refused, "a worker's outcome is refused; the work is done here");
    None
}

/// Work as a piece; nothing where it is not worth it, or too much of it is in small blobs. Blocks for the disk.
#[cfg(feature = "scale")]
fn piece(
    blobs: &BlobStore,
    changes: Vec<SignedChange>,
    work: Work,
) -> std::result::Result<Option<Parcel<Piece>>, Refused> {
    // Of what a header names some are gone by then, and are not read.
    let mut inputs = work.inputs();
    inputs.retain(|blob| blobs.contains(blob));
    let (mut large, mut small) = (Vec::new(), Vec::new());
    for blob in inputs {
        match blobs.object_of(&blob) {
            Some(name) => large.push(Object { blob, name }),
            None => small.push(blob),
        }
    }
    let of_small: u64 = small.iter().map(|blob| blob.len).sum();
    let all = large.iter().map(|object| object.blob.len).sum::<u64>() + of_small;
    if all < WORTH || of_small > MOST_SMALL {
        return Ok(None);
    }
    let read = |blob| Ok::<_, Refused>((blob, Bytes::from(blobs.read(&blob, MOST_SMALL)?)));
    let small = small.into_iter().map(read).collect::<std::result::Result<_, _>>()?;
    Ok(Some(Parcel { what: Piece::Combine { changes, work: Box::new(work) }, small, large }))
}
