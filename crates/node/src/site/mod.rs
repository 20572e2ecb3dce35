//! `site run`: asks the coordinator for something to do, judges it, does it, and sends the answer.
//!
//! Before anything leaves the site, what it says of itself is on its disk: the opening that it helps with, the attempt that
//! it spends, the answer that it signed. A site that was killed anywhere goes on from its marks: an answer that was
//! signed is sent again as it was, a share that was spent but not kept is never made again.

mod decline;
mod dial;
mod meters;
mod start;
mod work;

pub use decline::decline;
pub use start::run;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::documents::Told;
use crate::error::{Error, Result};
use crate::kit::{Approvals, Consent, Kit};
use crate::system;
use blindscope_federation::{
    Answer, Blob, Cause, Contribution, Event, IdentityKey, JobId, JobKind, Mark, Order, Phase, Record, Rule,
    SealingKey, SignedHeader, Site, Step, Task,
};
use blindscope_store::{Folder, Marks};
use blindscope_transport::{Client, Join, Stop, Upload};
use blindscope_wire::Digest;
use dial::Dialler;
use meters::Meters;
use work::Gathered;

/// Learning at the site, shared among threads.
pub type Learning = Arc<dyn Contribution + Send + Sync>;

/// The longest that a poll stays open at the coordinator.
const POLL: Duration = Duration::from_secs(25);
/// Between two looks at what people say of a job.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A poll that is open for so long is no pause between two steps.
const QUIET: Duration = Duration::from_millis(100);

/// A running site.
struct Runner {
    site: Site,
    marks: Marks,
    blobs: Folder,
    signer: Arc<IdentityKey>,
    sealing: Arc<SealingKey>,
    learning: Learning,
    client: Client,
    dialler: Dialler,
    /// Marks that reach the disk with the next ones: receipts, of which one that is lost is given again, and answers that would be made
    /// again as they were.
    pending: Vec<Mark>,
    /// The step that this site was last too late for.
    late: Option<Step>,
    /// What the newest round of a sum starts from: the next one is held against it.
    start: Option<Blob>,
    meters: Meters,
    /// Its own folder, for what people here say of jobs and for room on the disk.
    kit: Kit,
    /// The job that a word was waited for last.
    asked: Option<JobId>,
    stop: Stop,
}

impl Runner {
    /// Says hello, however long it takes to be heard.
    async fn join(&mut self) -> Result<()> {
        let study = self.site.study().digest();
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let client = self.client.clone();
        let hello = || {
            let (client, software) = (client.clone(), software.clone());
            async move { client.join(Join { software, study: Some(study) }).await }
        };
        let Some(joined) = self.dialler.until_heard(&self.stop, hello).await? else { return Ok(()) };
        let literal =
            blindscope_federation::StudyLiteral::from_toml(&String::from_utf8_lossy(&joined.study))?;
        if literal != *self.site.study().literal() {
            let expected = self.site.study().digest().to_string();
            return Err(Error::OtherStudy { expected, found: literal.name });
        }
        Ok(())
    }

    /// What is said of this machine with a poll: release, clock, room on the disk.
    fn told(&self) -> Bytes {
        let free_bytes = rustix::fs::statvfs(self.kit.state()).ok();
        let free_bytes = free_bytes.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let told =
            Told { software: env!("CARGO_PKG_VERSION").to_owned(), now_ms: system::now_ms(), free_bytes };
        // A message of numbers and a name: this cannot fail.
        serde_json::to_vec(&told).unwrap_or_default().into()
    }

    /// One poll, and what follows from the answer.
    async fn turn(&mut self) -> Result<()> {
        let (client, told) = (self.client.clone(), self.told());
        let ask = || {
            let client = client.clone();
            let told = told.clone();
            async move { client.next(told, POLL).await }
        };
        // Where nothing is asked soon, what waits for the disk goes there. What that makes superfluous goes after it, not before.
        let mut stored = 0;
        let heard = {
            let asking = self.dialler.until_heard(&self.stop, ask);
            tokio::pin!(asking);
            if let Ok(heard) = tokio::time::timeout(QUIET, &mut asking).await {
                heard
            } else {
                self.marks.append(&self.pending).await?;
                stored = self.pending.len();
                self.pending.clear();
                asking.await
            }
        };
        if stored > 0 {
            self.tidy()?;
        }
        let heard = heard?;
        if heard.is_some() {
            self.meters.heard();
        }
        let Some(Some(bytes)) = heard else { return Ok(()) };
        let task = match Task::from_bytes(&bytes) {
            Ok(task) => task,
            Err(error) => return self.leave(&error).await,
        };
        self.meters.asked(task.step.phase, self.site.opened());
        // Once for a task that waits for a word.
        if task.step.phase == Phase::Upload && self.asked != Some(task.step.job) {
            self.keep_only(&task)?;
        }
        let order = match self.site.take(&task) {
            Ok(order) => order,
            Err(error) => return self.leave(&error).await,
        };
        let staged = match order {
            Order::Send(staged) => *staged,
            Order::Decline(objection) => {
                tracing::warn!(step = %task.step, %objection, "declined");
                self.stage(&task, Answer::Declined(objection.cause()), Vec::new()).await?
            }
            Order::Work { before } => {
                match self.consent(&task) {
                    Some(Consent::Approved) => self.asked = None,
                    Some(Consent::Refused) => {
                        tracing::warn!(step = %task.step, "somebody here has refused this job");
                        let refused = Answer::Declined(Cause::Policy(Rule::Refused));
                        let staged = self.stage(&task, refused, Vec::new()).await?;
                        return self.send(&staged).await;
                    }
                    None => return self.ask_again(&task).await,
                }
                let (answer, marks) = match self.gather(&task).await? {
                    Gathered::All => {
                        self.keep(before).await?;
                        self.work(&task).await?
                    }
                    Gathered::Gone(cause) => (Answer::Declined(cause), Vec::new()),
                    Gathered::Stopped => return Ok(()),
                };
                self.stage(&task, answer, marks).await?
            }
        };
        self.send(&staged).await
    }

    /// Leaves a message that is no task of this study: nothing is answered, and the coordinator is asked again after a pause. One bad
    /// message ends no site.
    async fn leave(&mut self, error: &blindscope_federation::Error) -> Result<()> {
        tracing::error!(%error, "what the coordinator asks is no task of this study; asked again");
        self.dialler.pause(&self.stop).await;
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
    async fn ask_again(&mut self, task: &Task) -> Result<()> {
        if self.asked.replace(task.step.job) != Some(task.step.job) {
            let (job, name) = (task.step.job, &task.spec.name);
            tracing::warn!(%name, %job, "a job waits for a word: `blindscope site approve` or `refuse`, or the console");
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = self.stop.clone().stopped() => {}
        }
        Ok(())
    }

    /// Deletes what no answer needs any more, before a new round. Receipts that are not on the disk yet count for nothing here.
    fn keep_only(&mut self, task: &Task) -> Result<()> {
        let acknowledged = self.pending.iter().filter_map(|mark| match mark {
            Mark::Receipt { record } => match &record.body.event {
                Event::Accepted { answer } => answer.payload(),
                _ => None,
            },
            _ => None,
        });
        let mut needed: Vec<Blob> = acknowledged.chain(self.site.needed_blobs()).chain(self.start).collect();
        self.start = task.starts_from();
        needed.extend(task.inputs());
        self.blobs.retain(&needed)?;
        Ok(())
    }

    /// Signs an answer and keeps it, with the marks that go before it.
    async fn stage(&mut self, task: &Task, answer: Answer, before: Vec<Mark>) -> Result<SignedHeader> {
        let mut marks = before;
        marks.extend(self.site.answer(task, answer, &*self.signer));
        let staged = marks.iter().find_map(|mark| match mark {
            Mark::Staged { answer } => Some(answer.clone()),
            _ => None,
        });
        if task.step.phase == Phase::Findings && marks.len() == 1 {
            // A site that forgets what it found finds the same again.
            self.apply(&marks)?;
            self.pending.append(&mut marks);
        } else {
            self.keep(marks).await?;
        }
        staged.ok_or(Error::Defect { what: "the signing of an answer" })
    }

    /// Marks on the disk, after those that waited for it, then in the state.
    async fn keep(&mut self, marks: Vec<Mark>) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        let all: Vec<Mark> = self.pending.iter().chain(&marks).cloned().collect();
        self.marks.append(&all).await?;
        self.pending.clear();
        self.apply(&marks)
    }

    fn apply(&mut self, marks: &[Mark]) -> Result<()> {
        for mark in marks {
            let corrupt = |reason| blindscope_federation::Error::Corrupt { seq: 0, reason };
            self.site.apply(mark).map_err(corrupt)?;
        }
        Ok(())
    }

    /// Sends a staged answer until the coordinator has it, or does not want it any more.
    async fn send(&mut self, staged: &SignedHeader) -> Result<()> {
        let blob = staged.payload().unwrap_or_else(|| Blob::of(&[]));
        let upload = Upload { header: staged.to_bytes().into(), len: blob.len, digest: blob.digest };
        let (client, blobs, has_payload) =
            (self.client.clone(), self.blobs.clone(), staged.payload().is_some());
        let submit = || {
            let (client, blobs, upload) = (client.clone(), blobs.clone(), upload.clone());
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
        match self.dialler.until_heard(&self.stop, submit).await {
            Ok(Some(note)) => {
                let record = Record::from_line(&note)?;
                let mark = self.site.receive(&record)?;
                tracing::info!(%step, seq = record.body.seq, "accepted");
                self.meters.accepted(staged);
                debug_assert!(
                    matches!(record.body.event, Event::Accepted { .. }),
                    "receive takes receipts only"
                );
                self.apply(std::slice::from_ref(&mark))?;
                self.pending.push(mark);
                Ok(())
            }
            Ok(None) => Ok(()),
            // The step closed meanwhile, or was answered otherwise: nothing of this site's is wrong.
            Err(Error::Transport(error)) if dial::is_stale(&error) => {
                // The same step twice is no race that somebody else has won.
                if self.late.replace(step) != Some(step) && step.phase.closes_early() {
                    tracing::debug!(%step, %error, "enough had answered before");
                    return Ok(());
                }
                tracing::warn!(%step, %error, "too late");
                self.meters.stale();
                self.dialler.pause(&self.stop).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes what no answer needs any more.
    fn tidy(&self) -> Result<()> {
        let mut needed = self.site.needed_blobs();
        needed.extend(self.start);
        self.blobs.retain(&needed)?;
        Ok(())
    }
}

/// A blob's name, for the coordinator.
fn named(blob: &Blob) -> (Digest, u64) {
    (blob.digest, blob.len)
}
