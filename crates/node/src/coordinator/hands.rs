//! Who does the coordinator's work: threads of this process, or workers behind a queue. Both do the same from the same blobs; the queue may
//! always say that threads have to.

use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "scale")]
use {super::sent_away::combined, crate::system, crate::work::Crew};

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
                let done = combined(crew, &desk.blobs, (now.study(), now.history()), work).await;
                done.map(|(input, pieces)| {
                    meters.pieces(pieces);
                    input
                })
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
            Self::Workers(crew, meters) => question.answer_of(crew).await.inspect(|_| meters.pieces(1)),
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
