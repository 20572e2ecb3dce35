//! Who is begun next, and beside whom.
//!
//! Jobs and questions stand in queues of their own, and of each as many are at work at a time as the coordinator allows. That number,
//! and who of those that may begin does, is its choice and none of the log's. What may never be side by side is a rule that whoever
//! verifies the log holds it to:
//!
//! - two jobs that sum the same values: what binds a site's values to one set is known when a round is over;
//! - a ceremony, whose end replaces the inference key, and whoever works under that key;
//! - a job and one submitted before it whose result it starts from, or that makes the key it needs.

use std::sync::Arc;

use super::Coordinator;
use super::progress::Progress;
use crate::job::{Basis, KeyUse};
use crate::{JobId, JobKind, Line};

/// Most jobs, and most questions, that are at work at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    jobs: usize,
    questions: usize,
}

impl Default for Beside {
    /// One of each.
    fn default() -> Self {
        Self { jobs: 1, questions: 1 }
    }
}

impl Coordinator {
    /// Most jobs that a coordinator begins beside each other, whatever it is told.
    pub const MAX_JOBS: u32 = 8;

    /// The same, with up to so many jobs and so many questions at work at a time, each at least one.
    #[must_use]
    pub fn side_by_side(mut self, jobs: u32, questions: u32) -> Self {
        let jobs = jobs.clamp(1, Self::MAX_JOBS) as usize;
        self.beside = Beside { jobs, questions: questions.max(1) as usize };
        self
    }

    /// The job or question that is begun next, if there is room and one may.
    pub(super) fn next_to_begin(&self) -> Option<JobId> {
        self.next_job().or_else(|| self.next_question())
    }

    fn next_job(&self) -> Option<JobId> {
        let running = self.running().filter(|job| !job.is_question()).count();
        if running >= self.beside.jobs {
            return None;
        }
        let mut jobs = self.waiting().filter(|job| !job.is_question());
        jobs.find(|job| self.may_begin(job.id)).map(|job| job.id)
    }

    /// Of the askers with the fewest questions at work, the one whose last turn was longest ago.
    fn next_question(&self) -> Option<JobId> {
        let at_work =
            |line: Option<Line>| self.running().filter(|job| job.is_question() && job.line == line).count();
        let running = self.running().filter(|job| job.is_question()).count();
        if running >= self.beside.questions || self.ceremony_is_next() {
            return None;
        }
        let last = |line: Option<Line>| line.and_then(|line| self.turns.get(&line)).copied();
        let questions = self.waiting().filter(|job| job.is_question() && self.may_begin(job.id));
        // The oldest of equals: `min_by_key` takes the first.
        questions.min_by_key(|job| (at_work(job.line), last(job.line))).map(|job| job.id)
    }

    /// Whether a ceremony waits for questions alone: none is begun before it, else it might wait for ever.
    fn ceremony_is_next(&self) -> bool {
        let mut jobs = self.running().filter(|job| !job.is_question());
        let room = jobs.clone().count() < self.beside.jobs;
        room && self.waiting().any(makes_key) && jobs.all(|job| job.kind().key() == KeyUse::Rounds)
    }

    /// Whether nothing that runs, or waits since before, forbids that a job which waits is begun.
    pub(super) fn may_begin(&self, id: JobId) -> bool {
        let Some(job) = self.waiting().find(|job| job.id == id) else { return false };
        let before = || self.running().chain(self.waiting().take_while(|other| other.id != id));
        let needs = match job.kind().basis() {
            Basis::Key => None,
            Basis::Result(name) => self.names.get(name).copied(),
            Basis::Head(head) => Some(head),
        };
        if before().any(|other| Some(other.id) == needs) {
            return false;
        }
        match job.kind().key() {
            KeyUse::Rounds => !before().any(|other| other.values == job.values),
            KeyUse::Makes => self.running().all(|other| other.kind().key() == KeyUse::Rounds),
            // A question goes on under the key that is there: its head is one of that key.
            KeyUse::Inference if job.is_question() => self.running().all(|other| !makes_key(other)),
            KeyUse::Inference => !before().any(makes_key),
        }
    }

    /// Ciphertexts that rounds of other jobs at work have still to begin the opening of.
    pub(super) fn reserved_beside(&self, job: &Progress, of: impl Fn(&Progress) -> bool) -> u64 {
        let others = self.running().filter(|other| other.id != job.id && of(other));
        others.fold(0, |sum, other| sum.saturating_add(other.reserved))
    }

    /// A job's first step: it waits no more.
    pub(super) fn begin(&mut self, id: JobId) -> Result<(), &'static str> {
        if !self.waiting.contains(&id) {
            return Ok(());
        }
        if !self.may_begin(id) {
            return Err("the job is begun beside one that it has to wait for");
        }
        self.waiting.retain(|waits| *waits != id);
        self.running.push(id);
        // No change comes before it has ended: it keeps the roster that it begins under.
        let version = self.study.version();
        self.jobs.get_mut(&id).map(Arc::make_mut).ok_or("the job is unknown")?.version = version;
        if let Some(line) = self.jobs.get(&id).and_then(|job| job.line) {
            Arc::make_mut(&mut self.turns).insert(line, self.seq);
        }
        Ok(())
    }

    /// A job neither waits nor runs any more.
    pub(super) fn leave(&mut self, id: JobId) {
        self.waiting.retain(|waits| *waits != id);
        self.running.retain(|runs| *runs != id);
        let Some(line) = self.jobs.get(&id).and_then(|job| job.line) else { return };
        let more = self.running().chain(self.waiting()).any(|job| job.line == Some(line));
        if !more && self.turns.contains_key(&line) {
            Arc::make_mut(&mut self.turns).remove(&line);
        }
    }

    /// Whether a job's payloads wait to be combined.
    pub(crate) fn has_work(&self, id: JobId) -> bool {
        self.at_work(id).is_some_and(|job| self.work_of(job).is_some())
    }

    /// How many jobs wait in the queue that one of this kind would stand in.
    pub(super) fn waiting_like(&self, kind: JobKind) -> usize {
        self.waiting().filter(|job| job.is_question() == (kind == JobKind::Question)).count()
    }

    /// Questions of a line that are not answered yet: those that wait and those at work.
    pub fn questions_of(&self, line: Line) -> usize {
        self.running().chain(self.waiting()).filter(|job| job.line == Some(line)).count()
    }

    /// Jobs that wait, oldest first.
    fn waiting(&self) -> impl Iterator<Item = &Progress> + Clone {
        self.waiting.iter().filter_map(|id| self.jobs.get(id)).map(AsRef::as_ref)
    }
}

fn makes_key(job: &Progress) -> bool {
    job.kind().key() == KeyUse::Makes
}
