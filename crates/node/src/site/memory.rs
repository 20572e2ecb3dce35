//! What a running site remembers: its state machine, the marks that it is a fold over, and those that are not on the disk yet.

use crate::error::{Error, Result};
use blindscope_federation::{
    Answer, Blob, Coordinator, Event, IdentityKey, JobId, Mark, Phase, SignedHeader, Site, Step, Task,
};
use blindscope_store::Marks;
use blindscope_wire::Digest;

/// Most jobs whose rounds' starts are kept.
const STARTS: usize = Coordinator::MAX_JOBS as usize;

/// The memory of a running site.
pub(super) struct Memory {
    pub(super) site: Site,
    marks: Marks,
    /// Marks that reach the disk with the next ones: receipts, of which one that is lost is given again, and answers that would be made
    /// again as they were.
    pending: Vec<Mark>,
    /// What the newest round of each sum starts from: the next one is held against it.
    starts: Vec<(JobId, Blob)>,
    /// The step that this site was last too late for.
    late: Option<Step>,
    /// The job that a word was waited for last.
    asked: Option<JobId>,
    /// The change of the roster that is on its way.
    pub(super) change: Option<OnItsWay>,
}

/// A change of the roster that is on its way, as this site has dealt with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OnItsWay {
    /// The version that would follow.
    pub(super) next: Digest,
    /// What people here had said of it when it was last looked at.
    pub(super) said: Option<bool>,
    /// Whether nothing more is to be done about it until something happens here: a word, a task's end.
    pub(super) rests: bool,
    /// Whether the log says already that it is not signed here.
    pub(super) complained: bool,
}

impl Memory {
    pub(super) fn new(site: Site, marks: Marks) -> Self {
        Self { site, marks, pending: Vec::new(), starts: Vec::new(), late: None, asked: None, change: None }
    }

    /// Marks on the disk, after those that waited for it, then in the state.
    pub(super) async fn keep(&mut self, marks: Vec<Mark>) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        let all: Vec<Mark> = self.pending.iter().chain(&marks).cloned().collect();
        self.marks.append(&all).await?;
        self.pending.clear();
        self.apply(&marks)
    }

    /// A mark in the state, and on the disk with the next ones.
    pub(super) fn keep_later(&mut self, marks: Vec<Mark>) -> Result<()> {
        self.apply(&marks)?;
        self.pending.extend(marks);
        Ok(())
    }

    /// What waits for the disk goes there.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.marks.append(&self.pending).await?;
        self.pending.clear();
        Ok(())
    }

    /// Whether nothing waits for the disk.
    pub(super) fn is_flushed(&self) -> bool {
        self.pending.is_empty()
    }

    fn apply(&mut self, marks: &[Mark]) -> Result<()> {
        for mark in marks {
            let corrupt = |reason| blindscope_federation::Error::Corrupt { seq: 0, reason };
            self.site.apply(mark).map_err(corrupt)?;
        }
        Ok(())
    }

    /// Signs an answer and keeps it, with the marks that go before it.
    pub(super) async fn stage(
        &mut self,
        task: &Task,
        answer: Answer,
        before: Vec<Mark>,
        signer: &IdentityKey,
    ) -> Result<SignedHeader> {
        let mut marks = before;
        marks.extend(self.site.answer(task, answer, signer));
        let staged = marks.iter().find_map(|mark| match mark {
            Mark::Staged { answer } => Some(answer.clone()),
            _ => None,
        });
        if task.step.phase == Phase::Findings && marks.len() == 1 {
            // A site that forgets what it found finds the same again.
            self.keep_later(marks)?;
        } else {
            self.keep(marks).await?;
        }
        staged.ok_or(Error::Defect { what: "the signing of an answer" })
    }

    /// Blobs that an answer may need. Receipts that are not on the disk yet count for nothing.
    pub(super) fn needed(&self) -> Vec<Blob> {
        let acknowledged = self.pending.iter().filter_map(|mark| match mark {
            Mark::Receipt { record } => match &record.body.event {
                Event::Accepted { answer } => answer.payload(),
                _ => None,
            },
            _ => None,
        });
        let starts = self.starts.iter().map(|(_, start)| *start);
        acknowledged.chain(self.site.needed_blobs()).chain(starts).collect()
    }

    /// A round begins: its start is kept, in the place of the one before.
    pub(super) fn begins(&mut self, task: &Task) {
        let job = task.step.job;
        self.starts.retain(|(other, _)| *other != job);
        if self.starts.len() >= STARTS {
            self.starts.remove(0);
        }
        self.starts.extend(task.starts_from().map(|start| (job, start)));
    }

    /// Whether this site is too late for a step for the second time.
    pub(super) fn is_late_again(&mut self, step: Step) -> bool {
        self.late.replace(step) == Some(step)
    }

    /// The job that a word is waited for.
    pub(super) fn waits_for_word(&self) -> Option<JobId> {
        self.asked
    }

    /// A word is waited for, or was heard; whether that is new.
    pub(super) fn wait_for_word(&mut self, job: Option<JobId>) -> bool {
        std::mem::replace(&mut self.asked, job) != job
    }

    /// A change of the roster is looked at, with what people here say of it; whether that is new.
    pub(super) fn look_at(&mut self, next: Digest, said: Option<bool>) -> bool {
        let known = self.change.filter(|change| change.next == next);
        let complained = known.is_some_and(|change| change.complained);
        self.change = Some(OnItsWay { next, said, rests: said.is_none(), complained });
        known.is_none_or(|change| change.said != said)
    }

    /// Nothing more is to be done about the change until something happens here.
    pub(super) fn rest(&mut self) {
        if let Some(change) = &mut self.change {
            change.rests = true;
        }
    }

    /// The change is not signed here; whether that is said for the first time.
    pub(super) fn complain(&mut self) -> bool {
        self.rest();
        self.change.as_mut().is_some_and(|change| !std::mem::replace(&mut change.complained, true))
    }
}
