//! The one writer of the study's state: decide, store, then show the new state; what every replay comes to is shown while it is stored. Inputs that come while the disk is busy are decided one
//! after the other and stored together, so that many answers at once cost one flush.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::sync::{Mutex, oneshot, watch};

use super::metrics::Meters;
use super::presence::Presences;
use super::refusal;
use crate::error::Result;
use crate::system;
use blindscope_federation::{Coordinator, Event, IdentityKey, Input, JobId, Outcome, Record, Study};
use blindscope_store::{BlobStore, Records};
use blindscope_transport::{Answer, Stop};

/// The state, its store, and the key that signs what happens.
pub(super) struct Desk {
    pub(super) records: Records,
    pub(super) blobs: BlobStore,
    signer: IdentityKey,
    state: watch::Sender<Arc<Coordinator>>,
    turn: Mutex<()>,
    waiting: std::sync::Mutex<Vec<Waiting>>,
    /// How each site was last heard.
    pub(super) presences: Presences,
    meters: Arc<Meters>,
    stop: Stop,
    broken: AtomicBool,
}

/// An input, and who hears what became of it.
struct Waiting {
    input: Input,
    reply: oneshot::Sender<Answer<Done>>,
}

/// What an input led to.
pub(super) struct Done {
    pub(super) receipt: Option<Record>,
    pub(super) job: Option<JobId>,
}

impl Desk {
    /// The desk of a coordinator that went as far as `records` say, for so many jobs and questions at a time.
    pub(super) async fn open(
        study: Study,
        (jobs, questions): (u32, u32),
        records: Records,
        blobs: BlobStore,
        signer: IdentityKey,
        meters: Arc<Meters>,
        stop: Stop,
    ) -> Result<Self> {
        let coordinator = Coordinator::replay(&study, records.all().await?)?.side_by_side(jobs, questions);
        let state = watch::Sender::new(Arc::new(coordinator));
        let turn = Mutex::new(());
        Ok(Self {
            records,
            blobs,
            signer,
            state,
            turn,
            waiting: std::sync::Mutex::default(),
            presences: Presences::default(),
            meters,
            stop,
            broken: AtomicBool::new(false),
        })
    }

    /// Whether the service stopped because its log could not be written.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// The state now.
    pub(super) fn now(&self) -> Arc<Coordinator> {
        self.state.borrow().clone()
    }

    /// Inputs that wait for their turn.
    pub(super) fn inputs_waiting(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The state, now and whenever it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Coordinator>> {
        self.state.subscribe()
    }

    /// Handles an input to its end, whatever becomes of the caller: a call that is cut must not leave a record that the
    /// state does not know.
    ///
    /// # Errors
    /// The refusal of the state machine or of a full disk; nothing has happened then.
    pub(super) async fn handle(self: &Arc<Self>, input: Input) -> Answer<Done> {
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { input, reply });
        let desk = self.clone();
        tokio::spawn(async move { desk.work_off().await });
        answer.await.map_err(|e| refusal::internal(&e))?
    }

    /// Handles everything that waits: nothing, where an earlier turn did.
    async fn work_off(&self) {
        let _turn = self.turn.lock().await;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut state, mut records, mut decided) = (self.now(), Vec::new(), Vec::new());
        let ahead = waiting.iter().all(|waiting| follows_from_what_is_stored(&waiting.input));
        for Waiting { input, reply } in waiting {
            let decision = state.handle(&input, system::now_ms(), &self.signer);
            decided.push((
                reply,
                decision.map(|decision| {
                    if !decision.records.is_empty() {
                        state = Arc::new(decision.next);
                    }
                    records.extend(decision.records);
                    Done { receipt: decision.receipt, job: decision.job }
                }),
            ));
        }
        let over = |r: &Record| matches!(r.body.event, Event::Done { .. } | Event::Failed { .. });
        let ahead = ahead && !records.iter().any(over);
        // A refusal, too, is that of a state which has to be stored first.
        let stored = self.store(state, &records, ahead).await;
        for (reply, decision) in decided {
            let answer = match &stored {
                Ok(()) => decision.map_err(|e| refusal::protocol(&e)),
                Err(error) => Err(refusal::store(error)),
            };
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        }
    }

    /// Stores records, then shows the state that follows from them; `ahead` of that where every replay comes to it. What is decided on it is
    /// stored after it, and if it cannot be stored, the state before is shown again.
    async fn store(
        &self,
        next: Arc<Coordinator>,
        records: &[Record],
        ahead: bool,
    ) -> blindscope_store::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let before = ahead.then(|| self.state.send_replace(next.clone()));
        if let Err(error) = self.records.append(records).await {
            if let Some(before) = before {
                self.state.send_replace(before);
            }
            if !matches!(error, blindscope_store::Error::Full { .. }) {
                // It is not known what is on the disk: only a replay can tell.
                tracing::error!(%error, "the log could not be written; the coordinator stops");
                self.broken.store(true, Ordering::Relaxed);
                self.stop.stop();
            }
            return Err(error);
        }
        self.meters.flushed(records, begun.elapsed());
        for record in records {
            tracing::info!(seq = record.body.seq, event = %super::event_name(&record.body.event), "recorded");
        }
        if !ahead {
            self.state.send_replace(next);
        }
        Ok(())
    }
}

/// Whether an input is the outcome of work on answers that are stored: a coordinator that stops before it has stored it does the
/// same work again and comes to the same bytes. So sites may be asked the next thing while it is being stored.
fn follows_from_what_is_stored(input: &Input) -> bool {
    matches!(input, Input::Combined { .. } | Input::Opened { outcome: Outcome::Next(_), .. })
}
