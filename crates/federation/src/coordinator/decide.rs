//! What happens by itself: steps open and close, jobs start and end.
//!
//! | after | comes |
//! | --- | --- |
//! | key-share | parts, to everybody; in an inference ceremony relin before them |
//! | relin | parts, to everybody |
//! | parts | done |
//! | upload | share, to the `t` committed sites whose uploads came first; of an encrypted head: done |
//! | share | the next round's upload, or done; ready, where a member is missing |
//! | ready | share, to the `t` sites that were there first |
//!
//! A question's upload is asked of the holders of its shares, all of whom are needed; its sum is the answer, evaluated.

use super::Coordinator;
use super::job::{Closed, Job, Open, State};
use crate::{Answer, Blob, Event, Failure, JobId, JobKind, Missing, Opening, Phase, SiteId, Step};

impl Coordinator {
    /// What happens next at `now_ms` without anybody's doing, if anything does.
    pub(crate) fn next_event(&self, now_ms: u64) -> Option<Event> {
        let Some(job) = self.running() else { return self.start(now_ms) };
        match &job.state {
            State::Open(open) => self.close(job, open, now_ms),
            State::Closed(closed) => self.after_close(job, closed, now_ms),
            State::Between(closed) => Some(self.after_combination(job, closed.as_ref(), now_ms)),
            State::Waiting | State::Done(_) | State::Failed(_) => None,
        }
    }

    /// When [`crate::Input::Tick`] is due at the latest: a step closes then.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.running()?.open().map(|open| open.deadline_ms)
    }

    fn start(&self, now_ms: u64) -> Option<Event> {
        let job = self.jobs.get(self.waiting.first()?)?;
        Some(match job.spec.kind {
            JobKind::Ceremony | JobKind::InferenceKeys => self.open_to_all(job, Phase::KeyShare, now_ms),
            JobKind::EncryptedHead | JobKind::Question => self.open_inference(job, now_ms),
            _ => self.open_round(job, now_ms),
        })
    }

    /// Begins a job under the inference key, if that is the key it was written for and what it starts from is there.
    fn open_inference(&self, job: &Job, now_ms: u64) -> Event {
        let failed = |failure| Event::Failed { job: job.id, failure };
        if self.inference.as_deref().map(|k| &k.circuit) != job.spec.circuit.as_deref() {
            return failed(Failure::NoKey);
        }
        match &job.spec.question {
            None if self.start_of(job).is_none() => failed(Failure::NoStart),
            None => self.open_to_all(job, Phase::Upload, now_ms),
            Some(question) if self.encrypted_head(question.head).is_none() => failed(Failure::NoStart),
            Some(question) => self
                .over_budget(job)
                .unwrap_or_else(|| self.open(job, Phase::Upload, 0, question.holders.clone(), now_ms)),
        }
    }

    /// The result that a job starts from.
    pub(super) fn start_of(&self, job: &Job) -> Option<Blob> {
        let start = self.jobs.get(self.names.get(job.spec.start.as_ref()?)?)?;
        match &start.state {
            State::Done(result) => Some(*result),
            _ => None,
        }
    }

    /// An encrypted head under the key in use that is done: whose uploads it is the sum of, and the sum.
    pub fn encrypted_head(&self, job: JobId) -> Option<&Opening> {
        let (job, key) = (self.jobs.get(&job)?, self.inference.as_deref()?);
        let done = job.spec.kind == JobKind::EncryptedHead && matches!(job.state, State::Done(_));
        let of_key = |head: &&Opening| head.committed.iter().all(|h| h.header.key == key.ceremony);
        job.opening.as_ref().filter(of_key).filter(|_| done)
    }

    /// Begins the job's round, if key and budget allow.
    fn open_round(&self, job: &Job, now_ms: u64) -> Event {
        if self.key.is_none() {
            return Event::Failed { job: job.id, failure: Failure::NoKey };
        }
        self.over_budget(job).unwrap_or_else(|| self.open_to_all(job, Phase::Upload, now_ms))
    }

    fn over_budget(&self, job: &Job) -> Option<Event> {
        let (used, asked, most) = (self.opened, job.sizes.openings, self.study.literal().decryptions);
        let over = |used: u64, asked: u64, most: u64| {
            let failure = Failure::Budget { used, asked, most };
            (used.saturating_add(asked) > most).then_some(Event::Failed { job: job.id, failure })
        };
        // The inference key's masks were made for a number of their own.
        let own = self.inference.as_deref().filter(|_| job.spec.kind == JobKind::Question);
        let own = own.and_then(|key| over(key.answered, asked, key.circuit.answers));
        own.or_else(|| over(used, asked, most))
    }

    fn open_to_all(&self, job: &Job, phase: Phase, now_ms: u64) -> Event {
        self.open(job, phase, 0, self.study.sites().collect(), now_ms)
    }

    fn open(&self, job: &Job, phase: Phase, attempt: u32, expected: Vec<SiteId>, now_ms: u64) -> Event {
        let step = Step { job: job.id, round: job.round, attempt, phase };
        let kind = job.spec.kind;
        let key = match (kind.is_inference(), &self.inference, self.key) {
            _ if kind.is_ceremony() => job.id,
            (true, Some(key), _) => key.ceremony,
            (false, _, Some(key)) => key.ceremony,
            _ => job.id,
        };
        let own = job.spec.upload_seconds.filter(|_| phase == Phase::Upload);
        // Nobody trains for a question: its upload is a step of an opening.
        let usual = if kind == JobKind::Question { Phase::Share } else { phase };
        let wait = own.map_or_else(|| self.study.wait_ms(usual), |s| s * 1000);
        Event::Opened { step, key, expected, deadline_ms: now_ms.saturating_add(wait) }
    }

    /// Answers that a step needs.
    fn needed(&self, job: &Job, phase: Phase) -> usize {
        match phase {
            Phase::KeyShare | Phase::Relin | Phase::Parts => self.study.roster().parties(),
            Phase::Upload => {
                let cohort = self.study.literal().minimum_cohort as usize;
                job.spec.question.as_ref().map_or(cohort, |q| q.holders.len())
            }
            Phase::Ready | Phase::Share => self.study.roster().threshold(),
        }
    }

    fn close(&self, job: &Job, open: &Open, now_ms: u64) -> Option<Event> {
        let phase = open.step.phase;
        let needed = self.needed(job, phase);
        let payloads = open.payloads().count();
        let lost = open.answers.iter().any(|a| matches!(a.header.answer, Answer::Declined(_)));
        let closes = match phase {
            Phase::Ready => payloads >= needed,
            // Here everybody is needed: one who declines ends it.
            Phase::KeyShare | Phase::Relin | Phase::Parts | Phase::Share => lost,
            Phase::Upload => lost && job.spec.question.is_some(),
        };
        if !closes && open.answers.len() < open.expected.len() && now_ms < open.deadline_ms {
            return None;
        }
        // The first `needed` are enough to open; others that may still come are not missing.
        let enough = phase == Phase::Ready && payloads >= needed;
        let take = if enough { needed } else { usize::MAX };
        let mut committed: Vec<SiteId> = open.payloads().take(take).map(|a| a.header.site).collect();
        committed.sort_unstable();
        let missing = if enough { Vec::new() } else { open.missing() };
        Some(Event::Closed { step: open.step, committed, missing })
    }

    /// What follows where nothing is to be combined: too few, or a step that only asks.
    fn after_close(&self, job: &Job, closed: &Closed, now_ms: u64) -> Option<Event> {
        let step = closed.step;
        let (needed, found) = (self.needed(job, step.phase), closed.committed.len());
        if found >= needed {
            let key = job.output.as_ref().filter(|_| step.phase == Phase::Parts)?;
            return Some(Event::Done { job: job.id, result: key.shared });
        }
        if step.phase == Phase::Share {
            return Some(self.try_again(job, step, &closed.missing, now_ms));
        }
        let (needed, found) = (needed as u32, found as u32);
        let failure = Failure::TooFew { step, needed, found, missing: closed.missing.clone() };
        Some(Event::Failed { job: job.id, failure })
    }

    /// The next attempt at opening a round, over the same committed set.
    fn try_again(&self, job: &Job, step: Step, missing: &[Missing], now_ms: u64) -> Event {
        let made = step.attempt + 1;
        if made >= self.study.literal().attempts {
            let failure = Failure::Attempts { step, made, missing: missing.to_vec() };
            return Event::Failed { job: job.id, failure };
        }
        let all = self.study.sites().collect();
        self.over_budget(job).unwrap_or_else(|| self.open(job, Phase::Ready, made, all, now_ms))
    }

    fn after_combination(&self, job: &Job, closed: Option<&Closed>, now_ms: u64) -> Event {
        let Some(closed) = closed else { return self.open_round(job, now_ms) };
        match (closed.step.phase, job.spec.kind, &job.opening) {
            (Phase::KeyShare, JobKind::InferenceKeys, _) => {
                return self.open_to_all(job, Phase::Relin, now_ms);
            }
            (Phase::KeyShare | Phase::Relin, ..) => return self.open_to_all(job, Phase::Parts, now_ms),
            (Phase::Upload, JobKind::EncryptedHead, Some(head)) => {
                return Event::Done { job: job.id, result: head.sum };
            }
            _ => {}
        }
        // Who answered first is there, and fast.
        let first = closed.committed.iter().take(self.study.roster().threshold());
        let mut committee: Vec<SiteId> = first.map(|h| h.header.site).collect();
        committee.sort_unstable();
        self.open(job, Phase::Share, closed.step.attempt, committee, now_ms)
    }
}
