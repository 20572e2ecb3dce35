//! The leader's side: pieces go into the queue as long as workers are heard, and their outcomes come back. Nothing here is written into the
//! log: whoever asked keeps and records what came, or does the piece itself where nothing did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::delivery::{Delivery, Passing};
use super::error::{Refused, Result};
use super::message::{AnswerMessage, Beat, Object, Said as _, WorkMessage};
use super::parcel::Parcel;
use super::piece::Piece;
use super::unique;
use crate::kit::queue_name;
use crate::system;
use blindscope_federation::{Blob, Study};
use blindscope_store::{Environment, Exchange};
use blindscope_transport::Stop;
use blindscope_transport::queue::{Heard, Queue, Secrets};

/// How long after the last word of any worker the leader works by itself.
const NOBODY: Duration = Duration::from_secs(10);
/// Most workers that are told apart.
const MOST_WORKERS: usize = 1024;
/// How long a piece may be heard of by nobody, waiting or at work, until the leader does it itself.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// How often kept answers are looked through, in case one came while the server was away.
const LOOK: Duration = Duration::from_secs(2);
/// How often objects that nobody came to delete are looked for, and how old they are then.
const SWEEP: Duration = Duration::from_mins(10);
const OLD_MS: u64 = 3_600_000;
/// How long an object that several pieces name is used.
const STAGED: Duration = Duration::from_mins(30);

/// The workers of a study, as a leader knows them.
pub(crate) struct Crew {
    queue: Queue,
    exchange: Arc<Exchange>,
    study: String,
    waiting: Mutex<BTreeMap<Blob, Waiting>>,
    heard: Mutex<BTreeMap<String, Word>>,
    /// Blobs that are in no object of the store, put where pieces can name them.
    staged: Mutex<BTreeMap<Blob, (String, Instant)>>,
    /// Messages that were none.
    noise: Counter,
}

/// A worker, as it was heard last.
#[derive(Clone, Copy)]
struct Word {
    at: Instant,
    pieces: u32,
}

/// A piece that is in the queue or at work.
struct Waiting {
    /// Who hears where its outcome is; nothing where the worker could not do it.
    tell: oneshot::Sender<Option<Object>>,
    heard: Instant,
}

/// A piece that is waited for until this is dropped, however the waiting ends: whoever asked may be gone.
struct Waits<'a> {
    crew: &'a Crew,
    blob: Blob,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        lock(&self.crew.waiting).remove(&self.blob);
    }
}

impl Crew {
    /// Those of the queue at `url` and the objects at `blobs`. Neither has to answer yet.
    ///
    /// # Errors
    /// [`crate::Error::Transport`] and [`crate::Error::Store`] for addresses that are none.
    pub(crate) async fn open(
        (url, blobs): (&str, &str),
        (nats, aws): (&Environment, &Environment),
        study: &Study,
        (noise, stop): (Counter, &Stop),
    ) -> crate::error::Result<Arc<Self>> {
        let study = queue_name(study);
        let queue = Queue::open(url, &Secrets::of(nats), &study).await?;
        let (answers, beats) = (queue.answers().await?, queue.beats().await?);
        let exchange = Arc::new(Exchange::open(blobs, aws)?);
        let (waiting, heard, staged) = (Mutex::default(), Mutex::default(), Mutex::default());
        let crew = Arc::new(Self { queue, exchange, study, waiting, heard, staged, noise });
        let (listening, stop) = (crew.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = listening.hear_answers(answers) => {}
                () = listening.hear_beats(beats) => {}
                () = listening.sweep() => {}
                () = listening.ended(stop) => {}
            }
        });
        Ok(crew)
    }

    /// Whether any worker was heard in the last seconds, if only one that finishes what it has.
    pub(crate) fn has_workers(&self) -> bool {
        let of_late = |word: &Word| word.at.elapsed() < NOBODY;
        self.queue.is_connected() && lock(&self.heard).values().any(of_late)
    }

    /// Whether any of them takes more.
    pub(crate) fn takes_work(&self) -> bool {
        self.at_a_time() > 0
    }

    /// Pieces that the workers of the last seconds do at a time.
    pub(crate) fn at_a_time(&self) -> usize {
        if !self.queue.is_connected() {
            return 0;
        }
        let heard = lock(&self.heard);
        heard.values().filter(|word| word.at.elapsed() < NOBODY).map(|word| word.pieces as usize).sum()
    }

    /// Has a piece done by a worker: what it came to. Nothing, with a word in the process's log, where the caller has to do it: no worker is
    /// there, none was heard of the piece for a while, or what came back is refused.
    pub(crate) async fn have_done(&self, piece: Parcel<Piece>) -> Option<Delivery> {
        if !self.takes_work() {
            return None;
        }
        let done = self.have_done_or(piece).await;
        done.inspect_err(|refused| tracing::warn!(%refused, "no worker did a piece of work; it is done here"))
            .ok()
    }

    async fn have_done_or(&self, piece: Parcel<Piece>) -> Result<Delivery> {
        let study = self.study.clone();
        let packing = blocking(move || {
            let bytes = piece.into_bytes(&study)?;
            Ok((Blob::of(&bytes), bytes))
        });
        let (blob, bytes) = packing.await?;
        let name = self.put(bytes, blob).await?;
        let passing = Passing { exchange: self.exchange.clone(), names: vec![name.clone()] };
        let (waits, told) = self.wait_for(blob)?;
        let object = self.asked(Object { blob, name }, told).await?.ok_or(Refused::NotDone)?;
        drop(waits);
        let study = self.study.clone();
        blocking(move || Delivery::open((&blob, &object), &study, passing)).await
    }

    /// Waits for a piece; whoever waits for the same already goes on doing so.
    fn wait_for(&self, blob: Blob) -> Result<(Waits<'_>, oneshot::Receiver<Option<Object>>)> {
        let mut waiting = lock(&self.waiting);
        if waiting.contains_key(&blob) {
            return Err(Refused::Outcome("the same piece is in the queue already"));
        }
        let (tell, told) = oneshot::channel();
        waiting.insert(blob, Waiting { tell, heard: Instant::now() });
        Ok((Waits { crew: self, blob }, told))
    }

    async fn put(&self, bytes: Vec<u8>, blob: Blob) -> Result<String> {
        let exchange = self.exchange.clone();
        let unique = unique().map_err(|e| Refused::Machine(e.to_string()))?;
        blocking(move || Ok(exchange.put(bytes, &blob, &unique)?)).await
    }

    /// Puts the piece into the queue and waits where its outcome is.
    async fn asked(
        &self,
        piece: Object,
        mut told: oneshot::Receiver<Option<Object>>,
    ) -> Result<Option<Object>> {
        let (blob, id) = (piece.blob, piece.blob.digest.to_string());
        self.queue.offer(&id, WorkMessage::new(&self.study, piece).to_bytes()).await?;
        loop {
            tokio::select! {
                told = &mut told => return told.map_err(|_| Refused::Outcome("its piece was given up")),
                () = sleep(LOOK) => {}
            }
            // One that came while the server or the line was away.
            if let Ok(Some(kept)) = self.queue.answered(&id).await {
                let answer = AnswerMessage::parse(&kept, &self.study)?;
                if answer.piece == blob {
                    return Ok(answer.made);
                }
            }
            let forgotten = lock(&self.waiting).get(&blob).is_some_and(|w| w.heard.elapsed() > FORGOTTEN);
            if forgotten || !self.has_workers() {
                return Err(Refused::Outcome("no worker is heard of it any more"));
            }
        }
    }

    /// An object with these bytes that several pieces may name.
    pub(crate) async fn staged(&self, blob: Blob, bytes: impl FnOnce() -> Result<Vec<u8>>) -> Result<String> {
        let there = lock(&self.staged).get(&blob).cloned();
        if let Some((name, _)) = there.filter(|(_, at)| at.elapsed() < STAGED) {
            return Ok(name);
        }
        let name = self.put(bytes()?, blob).await?;
        let mut staged = lock(&self.staged);
        // What is old is swept away.
        staged.retain(|_, (_, at)| at.elapsed() < STAGED);
        staged.insert(blob, (name.clone(), Instant::now()));
        Ok(name)
    }

    async fn hear_answers(&self, mut answers: Heard) {
        while let Some(bytes) = answers.next().await {
            match AnswerMessage::parse(&bytes, &self.study) {
                Ok(answer) => {
                    let waiting = lock(&self.waiting).remove(&answer.piece);
                    // A second answer to the same piece, or to one that was done here meanwhile, is nobody's.
                    waiting.map(|waiting| waiting.tell.send(answer.made));
                }
                Err(refused) => self.refused(&refused),
            }
        }
    }

    async fn hear_beats(&self, mut beats: Heard) {
        while let Some(bytes) = beats.next().await {
            match Beat::parse(&bytes, &self.study) {
                Ok(beat) => self.heard(&beat),
                Err(refused) => self.refused(&refused),
            }
        }
    }

    fn refused(&self, refused: &Refused) {
        self.noise.inc();
        tracing::warn!(%refused, "a message of the queue was refused");
    }

    fn heard(&self, beat: &Beat) {
        let now = Instant::now();
        let mut heard = lock(&self.heard);
        heard.retain(|_, word| now.duration_since(word.at) < NOBODY);
        if heard.is_empty() {
            tracing::info!("workers are heard: work goes into the queue");
        }
        // Whoever reaches the queue can say that it is many.
        if heard.len() < MOST_WORKERS || heard.contains_key(&beat.worker) {
            heard.insert(beat.worker.clone(), Word { at: now, pieces: beat.pieces });
        }
        drop(heard);
        let mut waiting = lock(&self.waiting);
        for piece in &beat.at {
            if let Some(of) = waiting.get_mut(piece) {
                of.heard = now;
            }
        }
    }

    /// Until the service stops and what it waits for has come: what a worker is at need not be done again.
    async fn ended(&self, stop: Stop) {
        stop.stopped().await;
        while !lock(&self.waiting).is_empty() {
            sleep(LOOK / 10).await;
        }
    }

    async fn sweep(&self) {
        loop {
            let (exchange, before) = (self.exchange.clone(), system::now_ms().saturating_sub(OLD_MS));
            match blocking(move || Ok(exchange.sweep(before)?)).await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(swept, "deleted objects of work that were left over"),
                Err(error) => tracing::warn!(%error, "objects of work are not swept"),
            }
            sleep(SWEEP).await;
        }
    }
}

/// Every change behind it is one step.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Refused::Machine(e.to_string()))?
}
