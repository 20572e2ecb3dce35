//! One task: judged, done, its answer sent.

use std::time::Duration;

use bytes::Bytes;
use tracing::Instrument as _;

use super::Runner;
use super::dial::{self, Dialler};
use super::work::Gathered;
use crate::error::{Error, Result};
use crate::kit::{Approvals, Consent};
use crate::traces;
use blindscope_federation::{
    Answer, Blob, Cause, Event, JobKind, Objection, Order, Phase, Record, Rule, SignedHeader, Task,
};
use blindscope_store::Hold;
use blindscope_transport::Upload;

/// Between two looks at what people say of a job.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Runner {
    /// One task, and what follows from it. `given` came with it.
    pub(super) async fn turn(&self, task: &Task, given: Vec<Bytes>) -> Result<()> {
        let mut dialler = Dialler::new()?;
        let (first, order) = {
            let memory = self.memory.lock().await;
            self.meters.asked(task.step.phase, memory.site.opened());
            // Once for a task that waits for a word.
            let first = memory.waits_for_word() != Some(task.step.job);
            (first, memory.site.take(task))
        };
        let order = match order {
            Ok(order) => order,
            Err(error) => return self.leave(&error, &mut dialler).await,
        };
        // Before anything is looked for on the disk: from here on nothing of this task is deleted.
        let _hold = self.begin(task, first).await?;
        self.keep_given(task, given);
        let staged = match order {
            Order::Send(staged) => *staged,
            Order::Decline(objection) => self.decline(task, objection).await?,
            Order::Work { .. } => match self.consent(task) {
                Some(Consent::Approved) => {
                    self.memory.lock().await.wait_for_word(None);
                    let Some(staged) = self.answer(task, &mut dialler).await? else { return Ok(()) };
                    staged
                }
                Some(Consent::Refused) => {
                    tracing::warn!(step = %task.step, "somebody here has refused this job");
                    let refused = Answer::Declined(Cause::Policy(Rule::Refused));
                    self.stage(task, refused, Vec::new()).await?
                }
                None => return self.ask_again(task).await,
            },
        };
        self.send(&staged, &mut dialler).instrument(traces::of_step(&task.step, "send")).await
    }

    /// Holds what the task is done with. Before a new round, what no answer needs any more goes.
    async fn begin(&self, task: &Task, first: bool) -> Result<Hold> {
        let mut memory = self.memory.lock().await;
        let (payload, inputs) = (task.starts_from(), task.inputs());
        let hold = self.blobs.hold(&inputs.into_iter().chain(payload).collect::<Vec<_>>());
        if task.step.phase == Phase::Upload && first {
            // What the round before started from is what this one's start is held against: it goes with the next round's.
            self.blobs.tidy(|| memory.needed())?;
            memory.begins(task);
        }
        Ok(hold)
    }

    /// The answer to a task that may be done, kept; nothing where the site was stopped.
    async fn answer(&self, task: &Task, dialler: &mut Dialler) -> Result<Option<SignedHeader>> {
        let fetching = traces::of_step(&task.step, "fetch");
        let gathered = self.gather(task, dialler).instrument(fetching).await?;
        // A share is counted before it is made; what a sum's opening opens is known with it, so these come one by one.
        let opens = task.step.phase == Phase::Open;
        let _alone = if opens { Some(self.opening.lock().await) } else { None };
        let (answer, marks) = match gathered {
            Gathered::All => {
                let mut memory = self.memory.lock().await;
                // Other tasks may have left marks meanwhile, and a later roster may stand: what counts is what this site knows now.
                match memory.site.take(task)? {
                    Order::Work { before } => memory.keep(before).await?,
                    Order::Send(staged) => return Ok(Some(*staged)),
                    Order::Decline(objection) => {
                        drop(memory);
                        return self.decline(task, objection).await.map(Some);
                    }
                }
                memory.site.begin(task);
                drop(memory);
                self.work(task).await?
            }
            Gathered::Gone(cause) => (Answer::Declined(cause), Vec::new()),
            Gathered::Stopped => return Ok(None),
        };
        self.stage(task, answer, marks).await.map(Some)
    }

    /// Leaves a message that is no task, or no signed roster, of this study: nothing is answered, and the coordinator is asked again after
    /// a pause. One bad message ends no site.
    pub(super) async fn leave(
        &self,
        error: &(dyn std::fmt::Display + Sync),
        dialler: &mut Dialler,
    ) -> Result<()> {
        tracing::error!(%error, "what the coordinator says is nothing of this study; asked again");
        dialler.pause(&self.stop).await;
        Ok(())
    }

    async fn decline(&self, task: &Task, objection: Objection) -> Result<SignedHeader> {
        tracing::warn!(step = %task.step, %objection, "declined");
        self.stage(task, Answer::Declined(objection.cause()), Vec::new()).await
    }

    async fn stage(
        &self,
        task: &Task,
        answer: Answer,
        before: Vec<blindscope_federation::Mark>,
    ) -> Result<SignedHeader> {
        self.memory.lock().await.stage(task, answer, before, &self.signer).await
    }

    /// What waits for the disk goes there; then what nothing needs any more is deleted.
    pub(super) async fn flush(&self) -> Result<()> {
        let mut memory = self.memory.lock().await;
        if memory.is_flushed() {
            return Ok(());
        }
        memory.flush().await?;
        self.blobs.tidy(|| memory.needed())?;
        Ok(())
    }

    /// What people here say of a task's job; approval where they are not asked. A file that cannot be read approves nothing.
    fn consent(&self, task: &Task) -> Option<Consent> {
        let asked = task.spec.runs() != JobKind::Question;
        let approvals = Approvals::of(&self.kit).unwrap_or_else(|error| {
            tracing::error!(%error, "nobody's word can be read, so no job is approved");
            Approvals::unread()
        });
        let said = approvals.said(task.step.job).map(|said| said.consent);
        if approvals.ask && asked { said } else { said.or(Some(Consent::Approved)) }
    }

    /// Leaves a task where it is for a moment: the coordinator gives it again.
    async fn ask_again(&self, task: &Task) -> Result<()> {
        if self.memory.lock().await.wait_for_word(Some(task.step.job)) {
            let (job, name) = (task.step.job, &task.spec.name);
            tracing::warn!(%name, %job, "a job waits for a word: `blindscope site approve` or `refuse`, or the console");
        }
        self.wait().await;
        Ok(())
    }

    /// A moment, for people to say a word.
    async fn wait(&self) {
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = self.stop.clone().stopped() => {}
        }
    }

    /// Sends a staged answer until the coordinator has it, or does not want it any more.
    async fn send(&self, staged: &SignedHeader, dialler: &mut Dialler) -> Result<()> {
        let blob = staged.payload().unwrap_or_else(|| Blob::of(&[]));
        let upload = Upload { header: staged.to_bytes().into(), len: blob.len, digest: blob.digest };
        let has_payload = staged.payload().is_some();
        let submit = || {
            let (client, blobs, upload) = (self.client.clone(), self.blobs.clone(), upload.clone());
            async move {
                let body: Box<dyn std::io::Read + Send> = if has_payload {
                    Box::new(blobs.reader(&blob).map_err(|e| dial::unreadable(&e))?)
                } else {
                    Box::new(std::io::empty())
                };
                client.submit(upload, body).await
            }
        };
        let step = staged.header.step;
        match dialler.until_heard(&self.stop, submit).await {
            Ok(Some(note)) => {
                let record = Record::from_line(&note)?;
                let mut memory = self.memory.lock().await;
                let mark = memory.site.receive(&record)?;
                tracing::info!(%step, seq = record.body.seq, "accepted");
                self.meters.accepted(staged);
                debug_assert!(
                    matches!(record.body.event, Event::Accepted { .. }),
                    "receive takes receipts only"
                );
                memory.keep_later(vec![mark])
            }
            Ok(None) => Ok(()),
            // The step closed meanwhile, or was answered otherwise: nothing of this site's is wrong.
            Err(Error::Transport(error)) if dial::is_stale(&error) => {
                // The same step twice is no race that somebody else has won.
                let again = self.memory.lock().await.is_late_again(step);
                if !again && step.phase.closes_early() {
                    tracing::debug!(%step, %error, "enough had answered before");
                    return Ok(());
                }
                tracing::warn!(%step, %error, "too late");
                self.meters.stale();
                dialler.pause(&self.stop).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
