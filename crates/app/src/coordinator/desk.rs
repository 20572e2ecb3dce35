//! The one writer of the study's state: decide, store, then show the new state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use blindscope_federation::{Coordinator, IdentityKey, Input, JobId, Record, Study};
use blindscope_store::{Folder, Records};
use blindscope_transport::{Answer, Stop};
use tokio::sync::{Mutex, RwLock, watch};

use super::refusal;
use crate::error::Result;
use crate::system;

/// The state, its store, and the key that signs what happens.
pub(super) struct Desk {
    pub(super) study: Study,
    pub(super) records: Records,
    pub(super) blobs: Folder,
    signer: IdentityKey,
    state: watch::Sender<Arc<Coordinator>>,
    turn: Mutex<()>,
    /// Held for reading between a blob's arrival and its record, for writing while blobs without one are deleted.
    pub(super) arrivals: RwLock<()>,
    stop: Stop,
    broken: AtomicBool,
}

/// What an input led to.
pub(super) struct Done {
    pub(super) receipt: Option<Record>,
    pub(super) job: Option<JobId>,
}

impl Desk {
    /// The desk of a coordinator that went as far as `records` say.
    pub(super) async fn open(
        study: Study,
        records: Records,
        blobs: Folder,
        signer: IdentityKey,
        stop: Stop,
    ) -> Result<Self> {
        let coordinator = Coordinator::replay(&study, records.all().await?)?;
        let state = watch::Sender::new(Arc::new(coordinator));
        let (turn, arrivals) = (Mutex::new(()), RwLock::new(()));
        Ok(Self {
            study,
            records,
            blobs,
            signer,
            state,
            turn,
            arrivals,
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
        let desk = self.clone();
        let handling = tokio::spawn(async move { desk.decide(&input).await });
        handling.await.map_err(|e| refusal::internal(&e))?
    }

    async fn decide(&self, input: &Input) -> Answer<Done> {
        let _turn = self.turn.lock().await;
        let now = self.now();
        let decision =
            now.handle(input, system::now_ms(), &self.signer).map_err(|e| refusal::protocol(&e))?;
        if !decision.records.is_empty() {
            if let Err(error) = self.records.append(&decision.records).await {
                if !matches!(error, blindscope_store::Error::Full { .. }) {
                    // It is not known what is on the disk: only a replay can tell.
                    tracing::error!(%error, "the log could not be written; the coordinator stops");
                    self.broken.store(true, Ordering::Relaxed);
                    self.stop.stop();
                }
                return Err(refusal::store(&error));
            }
            for record in &decision.records {
                tracing::info!(seq = record.body.seq, event = %super::event_name(&record.body.event), "recorded");
            }
            self.state.send_replace(Arc::new(decision.next));
        }
        Ok(Done { receipt: decision.receipt, job: decision.job })
    }
}
