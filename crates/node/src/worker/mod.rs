//! `blindscope worker`: does pieces of work that a leader puts into the queue, and keeps nothing.
//!
//! It has no key, no lease and no certificate: it reads the study's file and what a piece names from the object store, held against
//! digests, writes what the piece comes to under a name of its own, and says so. What becomes of it the leader decides. Killed at any
//! moment, its pieces go to another.

mod doing;
mod folder;
mod meters;
mod ready;
#[cfg(test)]
mod rosters;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::coordinator::{HeadReader, Learning};
use crate::error::{Error, Result};
use crate::exposition;
use crate::kit::{CoordinatorSettings, Kit, queue_name};
use crate::system;
use crate::work::{AnswerMessage, Beat, MOST_AT_WORK, Object, Refused, Said as _, WorkMessage, unique};
use blindscope_federation::Blob;
use blindscope_store::Exchange;
use blindscope_transport::Stop;
use blindscope_transport::queue::{Queue, Secrets, Taken};
use doing::Doing;
use meters::{End, Meters, UNREAD};

/// How long one call for work waits at the server.
const TAKE: Duration = Duration::from_secs(2);
/// How often a worker says that it is there, and that its pieces are at work.
const BEAT: Duration = Duration::from_secs(2);
/// Between two tries, where the server is away.
const PAUSE: Duration = Duration::from_secs(1);

/// What a worker needs besides its kit.
pub struct Parts {
    /// What follows from a sum.
    pub learning: Learning,
    /// Reads the head in a job's result.
    pub heads: HeadReader,
    /// Pieces that it does at a time, 1 to 32.
    pub pieces: usize,
    /// Where figures for a monitor are shown, `ADDRESS:PORT`. Not in the kit's settings: several workers run from copies of one kit, on one
    /// machine, and the coordinator's own address stands there.
    pub metrics: Option<String>,
}

/// A worker and what it is at.
struct Worker {
    queue: Queue,
    study: String,
    /// Drawn when it starts: leaders tell workers apart by it.
    name: String,
    /// Pieces that it does at a time.
    pieces: u32,
    doing: Arc<Doing>,
    at: Mutex<BTreeSet<Blob>>,
    /// Whether work could be asked for when it was asked for last.
    answers: AtomicBool,
    meters: Meters,
}

/// Works until `stop`; then what is at hand is finished first. `ready` is called once, when it begins to ask for work.
///
/// # Errors
/// [`Error::Kit`] and [`Error::Settings`] for a folder that is no coordinator's; [`Error::Project`] where the settings name no queue or no
/// bucket; [`Error::Store`], [`Error::Transport`] and [`Error::Unknown`] for addresses that are none, or where figures cannot be shown. A
/// server that is away is called again and again.
pub async fn run(
    kit: &Kit,
    overrides: &[String],
    parts: Parts,
    stop: Stop,
    ready: impl FnOnce() + Send,
) -> Result<()> {
    let settings: CoordinatorSettings = kit.settings(overrides)?;
    let study = kit.study()?;
    let queue = needed("queue", settings.queue.as_deref(), "nats://HOST:PORT, as the coordinator has it")?;
    let blobs = needed("blobs", settings.blobs.as_deref(), "s3://BUCKET/PREFIX, as the coordinator has it")?;
    let [nats, aws] = ["NATS_", "AWS_"].map(system::environment);
    let name = queue_name(&study);
    let exchange = Exchange::open(blobs, &aws)?;
    let queue = Queue::open(queue, &Secrets::of(&nats), &name).await?;
    let folder = folder::Folder::of(kit)?;
    let (pieces, metrics) = (parts.pieces.clamp(1, MOST_AT_WORK), parts.metrics.clone());
    let doing = Arc::new(Doing::new(study, parts, exchange, folder));
    let worker = Arc::new(Worker::new(queue, name, (doing, pieces))?);
    exposition::expose(metrics.as_deref(), meters::registry(&worker), &stop).await?;
    tracing::info!(pieces, "asking for work");
    ready();
    let mut running = JoinSet::new();
    for _ in 0..pieces {
        running.spawn(worker.clone().work(stop.clone()));
    }
    let beating = tokio::spawn(worker.clone().beat(stop.clone()));
    while running.join_next().await.is_some() {}
    beating.abort();
    worker.queue.close().await;
    Ok(())
}

fn needed<'a>(key: &'static str, found: Option<&'a str>, expected: &str) -> Result<&'a str> {
    found.ok_or_else(|| Error::Project { key, found: "not there".to_owned(), expected: expected.to_owned() })
}

impl Worker {
    fn new(queue: Queue, study: String, (doing, pieces): (Arc<Doing>, usize)) -> Result<Self> {
        let (answers, meters) = (AtomicBool::new(false), Meters::default());
        let (name, pieces) = (unique()?, pieces as u32);
        Ok(Self { queue, study, name, pieces, doing, at: Mutex::default(), answers, meters })
    }

    /// One piece after the other.
    async fn work(self: Arc<Self>, stop: Stop) {
        let mut away = false;
        while !stop.is_stopped() {
            let taken = self.queue.take(TAKE).await;
            self.answers.store(taken.is_ok(), Ordering::Relaxed);
            match taken {
                Ok(taken) => {
                    if std::mem::take(&mut away) {
                        tracing::info!("the queue answers again");
                    }
                    if let Some(taken) = taken {
                        self.handle(taken).await;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(%error, "no work can be had; trying again");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Says again and again that this worker is there, and what it is at.
    async fn beat(self: Arc<Self>, stop: Stop) {
        loop {
            // One that stops finishes what it has, and takes nothing more.
            let pieces = if stop.is_stopped() { 0 } else { self.pieces };
            let at: Vec<Blob> = self.at().iter().copied().collect();
            // Said again in a moment.
            let beat = Beat::new(&self.study, (&self.name, pieces), at);
            let _ = self.queue.beat(beat.to_bytes()).await;
            sleep(BEAT).await;
        }
    }

    fn at(&self) -> std::sync::MutexGuard<'_, BTreeSet<Blob>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handle(&self, taken: Taken) {
        let read = match taken.bytes() {
            Some(bytes) => WorkMessage::parse(bytes, &self.study),
            None => Err(Refused::Outcome("a message that is longer than any of ours")),
        };
        let said = match read {
            Ok(WorkMessage { piece, .. }) => self.do_piece(taken, piece).await,
            Err(refused) => {
                let so_far = self.meters.refused();
                tracing::warn!(%refused, so_far, "a message was refused, and is left to nobody");
                taken.drop_for_good().await
            }
        };
        if let Err(error) = said {
            // It comes again, to whomever.
            tracing::warn!(%error, "a piece of work is done and cannot be told");
        }
    }

    async fn do_piece(&self, taken: Taken, piece: Object) -> blindscope_transport::Result<()> {
        let (blob, begun) = (piece.blob, Instant::now());
        self.at().insert(blob);
        let (kind, done) = self.done(&taken, piece).await;
        self.at().remove(&blob);
        let end = done.as_ref().map_or_else(End::of, |_| End::Done);
        let said = self.say(taken, blob, (end, done)).await;
        self.meters.ended(kind, if said.is_ok() { end } else { End::Untold }, begun.elapsed());
        said
    }

    /// What a piece is and comes to, which nobody else gets meanwhile.
    async fn done(&self, taken: &Taken, piece: Object) -> (&'static str, crate::work::Result<Object>) {
        let doing = self.doing.clone();
        let mut working = tokio::task::spawn_blocking(move || match doing.read(&piece) {
            Ok(parcel) => (parcel.what.name(), doing.done(piece.blob, parcel)),
            Err(refused) => (UNREAD, Err(refused)),
        });
        loop {
            tokio::select! {
                done = &mut working => {
                    return done.unwrap_or_else(|e| (UNREAD, Err(Refused::Machine(e.to_string()))));
                }
                // Where it cannot be said, another begins the same, which does no harm.
                () = sleep(BEAT) => drop(taken.hold().await),
            }
        }
    }

    /// Says what became of a piece: to its leader, or to the queue alone.
    async fn say(
        &self,
        taken: Taken,
        blob: Blob,
        (end, done): (End, crate::work::Result<Object>),
    ) -> blindscope_transport::Result<()> {
        match (end, &done) {
            (End::Unwanted, _) => {
                tracing::info!(piece = %blob, "a piece that nobody waits for any more");
                return taken.drop_for_good().await;
            }
            (End::GivenBack, Err(refused)) => {
                tracing::warn!(%refused, piece = %blob, "a piece could not be done; it is given back");
                return taken.give_back().await;
            }
            (_, Err(refused)) => tracing::warn!(%refused, piece = %blob, "a piece is left to the leader"),
            (_, Ok(_)) => {}
        }
        let (id, answer) = (blob.digest.to_string(), AnswerMessage::new(&self.study, blob, done.ok()));
        self.queue.answer(&id, answer.to_bytes()).await?;
        taken.done().await
    }
}
