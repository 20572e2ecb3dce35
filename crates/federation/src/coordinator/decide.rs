//! What happens by itself: steps open and close, jobs start and end.
//!
//! | after | comes |
//! | --- | --- |
//! | commit | promise, to everybody |
//! | promise | key-share, to everybody |
//! | key-share | parts, to everybody; in an inference ceremony relin before them |
//! | relin | parts, to everybody |
//! | parts | done; in an inference ceremony trial, to everybody |
//! | trial | done |
//! | void | upload |
//! | upload | of a sum: findings, to all holders; of a question: share, to the members whose uploads came first; of a head: encrypt, to its holders |
//! | encrypt | done |
//! | findings | agree, to all holders, of a large sum to those of the set too |
//! | agree | open, to every holder that can; of a large sum vouch before it, where a site of the set is gone |
//! | vouch | open; vouch again, where nobody evaluated rightly |
//! | open | the next round's upload, or done; open again, where too few opened or the sum did not open |
//! | share | done; ready, where a member is missing |
//! | ready | share, to the `t` sites that were there first |
//!
//! A head's encrypt is asked of the holders that its parts are dealt to, and a question's upload of the holders of its shares, all of
//! whom are needed. The sum of a question is the answer, evaluated.

use super::Coordinator;
use super::asked::{Closed, Open};
use super::progress::{Progress, State, SumProgress};
use crate::job::{Basis, Job, KeyUse, Next};
use crate::{
    Answer, Blob, Cause, Event, Failure, JobId, Missing, Opening, Phase, SignedHeader, SiteId, Step,
};

impl Coordinator {
    /// What happens next at `now_ms` without anybody's doing, if anything does.
    pub(crate) fn next_event(&self, now_ms: u64) -> Option<Event> {
        let event = self.running().find_map(|job| self.next_of(job, now_ms));
        event.or_else(|| self.start(now_ms)).or_else(|| self.changes())
    }

    /// What happens next to a job without anybody's doing, whatever others do: one that waits may be begun, if nothing forbids it.
    pub(crate) fn next_of_job(&self, id: JobId, now_ms: u64) -> Option<Event> {
        match self.at_work(id) {
            Some(job) => self.next_of(job, now_ms),
            None => Some(self.first_of(self.jobs.get(&id).filter(|_| self.may_begin(id))?, now_ms)),
        }
    }

    fn next_of(&self, job: &Progress, now_ms: u64) -> Option<Event> {
        match &job.state {
            State::Open(open) => self.close(job, open, now_ms),
            State::Closed(closed) => self.after_close(job, closed, now_ms),
            State::Between(closed) => self.after_combination(job, closed.as_ref(), now_ms),
            State::Waiting | State::Done(_) | State::Failed(_) => None,
        }
    }

    /// When [`crate::Input::Tick`] is due at the latest: a step closes then.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.running().filter_map(|job| Some(job.open()?.deadline_ms)).min()
    }

    fn start(&self, now_ms: u64) -> Option<Event> {
        Some(self.first_of(self.jobs.get(&self.next_to_begin()?)?, now_ms))
    }

    /// How a job that waits begins.
    fn first_of(&self, job: &Progress, now_ms: u64) -> Event {
        match job.kind().first() {
            Phase::Upload => self.open_round(job, now_ms),
            first => self.open_to_all(job, first, now_ms),
        }
    }

    /// Begins the job's round, if its key, what it starts from and the budget are there.
    fn open_round(&self, job: &Progress, now_ms: u64) -> Event {
        let kind = job.kind();
        let has_key = match kind.key() {
            KeyUse::Makes | KeyUse::Rounds => true,
            KeyUse::Inference => self.inference.as_deref().map(|k| &k.circuit) == kind.circuit(),
        };
        let has_basis = match kind.basis() {
            Basis::Key => true,
            Basis::Result(_) => self.start_of(job).is_some(),
            Basis::Head(head) => self.encrypted_head(head).is_some(),
        };
        let failed = |failure| Event::Failed { job: job.id, failure };
        match (has_key, has_basis) {
            (false, _) => failed(Failure::NoKey),
            (true, false) => failed(Failure::NoStart),
            (true, true) if job.voiding.is_none() && !self.to_void(job).is_empty() => {
                self.open_to_all(job, Phase::Void, now_ms)
            }
            (true, true) => self.over_budget(job).unwrap_or_else(|| {
                let asked = kind.holders().map_or_else(|| self.study.sites().collect(), <[SiteId]>::to_vec);
                self.open(job, Phase::Upload, 0, asked, now_ms)
            }),
        }
    }

    /// The result that a job starts from.
    pub(super) fn start_of(&self, job: &Progress) -> Option<Blob> {
        let Basis::Result(name) = job.kind().basis() else { return None };
        let start = self.jobs.get(self.names.get(name)?)?;
        match &start.state {
            State::Done(result) => Some(*result),
            _ => None,
        }
    }

    /// An encrypted head under the key in use that is done: whose uploads it is the sum of, and the sum.
    pub fn encrypted_head(&self, job: JobId) -> Option<&Opening> {
        let (job, key) = (self.jobs.get(&job)?, self.inference.as_deref()?);
        let done = matches!(job.job, Job::EncryptedHead(_)) && matches!(job.state, State::Done(_));
        let of_key = |head: &&Opening| head.committed.iter().all(|h| h.header.key == key.ceremony);
        job.opening.as_ref().filter(of_key).filter(|_| done)
    }

    fn over_budget(&self, job: &Progress) -> Option<Event> {
        let (asked, most) = (job.sizes.openings, self.study.literal().decryptions);
        let used = self.opened.saturating_add(self.reserved_beside(job, |_| true));
        let over = |used: u64, asked: u64, most: u64| {
            let failure = Failure::Budget { used, asked, most };
            (used.saturating_add(asked) > most).then_some(Event::Failed { job: job.id, failure })
        };
        // The inference key's masks were made for a number of their own.
        let own = self.inference.as_deref().filter(|_| job.kind().key() == KeyUse::Inference);
        let own = own.and_then(|key| {
            let reserved = self.reserved_beside(job, |other| other.kind().key() == KeyUse::Inference);
            over(key.answered.saturating_add(reserved), asked, key.circuit.answers)
        });
        own.or_else(|| over(used, asked, most))
    }

    /// Opens a step to everybody whom it is about: parts are looked at, sets signed and rounds declared void by holders. Of a large sum
    /// each site evaluates its own upload.
    fn open_to_all(&self, job: &Progress, phase: Phase, now_ms: u64) -> Event {
        let asked = match phase {
            Phase::Findings | Phase::Void => self.study.holders(),
            Phase::Agree if !job.sizes.evaluated => self.study.holders(),
            // Who neither holds nor is in the set has nothing to say of it.
            Phase::Agree if self.study.has_committee() => self.holding_or_among(job),
            _ => self.study.sites().collect(),
        };
        self.open(job, phase, 0, asked, now_ms)
    }

    /// Sites that hold, and those of the named set.
    fn holding_or_among(&self, job: &Progress) -> Vec<SiteId> {
        let named = job.sum.iter().flat_map(|sum| &sum.named).flat_map(|(named, _)| &named.sites);
        let mut sites: Vec<SiteId> = named.copied().chain(self.study.holders()).collect();
        sites.sort_unstable();
        sites.dedup();
        sites
    }

    /// Who is asked to evaluate for others: whoever has signed and was shown all headers.
    fn vouchers(&self, sum: &SumProgress) -> Vec<SiteId> {
        sum.signers.iter().copied().filter(|site| self.study.signs(*site)).collect()
    }

    /// Whether a site's answer counts towards those that a step needs: others may still say what they know of their own.
    fn counts(&self, phase: Phase, site: SiteId) -> bool {
        phase != Phase::Agree || self.study.signs(site)
    }

    fn open(&self, job: &Progress, phase: Phase, attempt: u32, expected: Vec<SiteId>, now_ms: u64) -> Event {
        let step = Step { job: job.id, round: job.round, attempt, phase };
        // Ceremonies, and sums, whose rounds have keys of their own, name themselves.
        let key = match (job.kind().key(), &self.inference) {
            (KeyUse::Inference, Some(key)) => key.ceremony,
            _ => job.id,
        };
        let own = job.spec.upload_seconds.filter(|_| matches!(phase, Phase::Upload | Phase::Encrypt));
        // Nobody trains for a question: its upload is a step of an opening.
        let usual = if job.kind().holders().is_some() { Phase::Share } else { phase };
        let wait = own.map_or_else(|| self.study.wait_ms(usual), |s| s * 1000);
        Event::Opened { step, key, expected, deadline_ms: now_ms.saturating_add(wait) }
    }

    /// Answers that a step needs.
    pub(super) fn needed(&self, job: &Progress, phase: Phase) -> usize {
        match phase {
            Phase::Commit | Phase::Promise | Phase::KeyShare | Phase::Relin | Phase::Parts | Phase::Trial => {
                self.study.roster().parties()
            }
            Phase::Upload => {
                let cohort = self.study.literal().minimum_cohort as usize;
                job.kind().holders().map_or(cohort, <[SiteId]>::len)
            }
            Phase::Ready | Phase::Share | Phase::Findings | Phase::Open => self.study.roster().threshold(),
            Phase::Agree => self.study.set_quorum() as usize,
            Phase::Vouch => 1,
            Phase::Encrypt => job.kind().encryptors().len(),
            Phase::Void => self.study.void_quorum() as usize,
        }
    }

    fn close(&self, job: &Progress, open: &Open, now_ms: u64) -> Option<Event> {
        let phase = open.step.phase;
        let needed = self.needed(job, phase);
        let payloads = open.payloads().filter(|a| self.counts(phase, a.header.site)).count();
        let lost = open.answers.iter().any(|a| matches!(a.header.answer, Answer::Declined(_)));
        let closes = match phase {
            Phase::Ready => open.payloads().filter(|a| !avoided(job, a.header.site)).count() >= needed,
            Phase::Void => payloads >= needed,
            // Where too many have declined, whoever is still awaited changes nothing.
            Phase::Findings | Phase::Agree | Phase::Vouch | Phase::Open => {
                let silent = |s: &&SiteId| self.counts(phase, **s) && open.answer(**s).is_none();
                sum_step_closes(job, open, payloads >= needed)
                    || (lost && payloads + open.expected.iter().filter(silent).count() < needed)
            }
            // Here everybody is needed: one who declines ends it.
            Phase::Commit
            | Phase::Promise
            | Phase::KeyShare
            | Phase::Relin
            | Phase::Parts
            | Phase::Trial
            | Phase::Encrypt
            | Phase::Share => lost,
            Phase::Upload => lost && job.kind().holders().is_some(),
        };
        if !closes && open.answers.len() < open.expected.len() && now_ms < open.deadline_ms {
            return None;
        }
        // The first `needed` are enough to open; others that may still come are not missing.
        let enough = phase.closes_early() && payloads >= needed;
        let take = if enough && phase == Phase::Ready { needed } else { usize::MAX };
        let first = wanted_first(job, open.payloads());
        let mut committed: Vec<SiteId> = first.into_iter().take(take).map(|a| a.header.site).collect();
        committed.sort_unstable();
        let missing = if enough { Vec::new() } else { open.missing() };
        Some(Event::Closed { step: open.step, committed, missing })
    }

    /// What follows where nothing is to be combined: too few, or a step that only asks.
    fn after_close(&self, job: &Progress, closed: &Closed, now_ms: u64) -> Option<Event> {
        let step = closed.step;
        let found = closed.committed.iter().filter(|a| self.counts(step.phase, a.header.site)).count();
        let needed = self.needed(job, step.phase);
        if found >= needed {
            // The other phases wait for their combination.
            return match (step.phase, job.kind().next(step.phase)) {
                (Phase::Promise | Phase::Parts, Next::Ask(phase)) => {
                    Some(self.open_to_all(job, phase, now_ms))
                }
                (Phase::Parts, Next::Done) => done(job),
                _ => None,
            };
        }
        if step.phase == Phase::Share {
            return Some(self.try_again(job, step, &closed.missing, now_ms));
        }
        if step.phase == Phase::Void {
            // Sites whose input stays spent say so.
            return Some(self.open_round(job, now_ms));
        }
        if step.phase == Phase::Open {
            return Some(self.open_again(job, step, &closed.missing, now_ms));
        }
        if let Some(again) = self.vouch_again(job, step, now_ms) {
            return Some(again);
        }
        let (needed, found) = (needed as u32, found as u32);
        let failure = Failure::TooFew { step, needed, found, missing: closed.missing.clone() };
        Some(Event::Failed { job: job.id, failure })
    }

    /// What follows if the work that a job waits for is a sum's and comes to nothing.
    pub(crate) fn after_spoiled(&self, id: JobId, now_ms: u64) -> Option<Event> {
        let job = self.at_work(id).filter(|job| job.kind().key() == KeyUse::Rounds)?;
        self.spoiled(self.work_of(job)?.step(), now_ms)
    }

    /// What follows where a sum's set is too small after the findings, or did not open: everybody who can is asked again.
    pub(super) fn spoiled(&self, step: Step, now_ms: u64) -> Option<Event> {
        let job = self.at_work(step.job)?;
        if step.phase == Phase::Open && step.attempt + 1 < self.study.literal().attempts.min(3) {
            return Some(self.open_again(job, step, &[], now_ms));
        }
        let missing = self.bound_elsewhere(job);
        let needed = self.needed(job, Phase::Upload) as u32;
        let found = job.sum.as_ref().map_or(0, |sum| sum.uploads.len() - missing.len()) as u32;
        let failure = if step.phase == Phase::Findings && found < needed {
            Failure::TooFew { step, needed, found, missing }
        } else {
            Failure::Spoiled { step, made: step.attempt + 1 }
        };
        Some(Event::Failed { job: job.id, failure })
    }

    fn open_again(&self, job: &Progress, step: Step, missing: &[Missing], now_ms: u64) -> Event {
        let made = step.attempt + 1;
        let openers = job.sum.as_ref().and_then(|s| s.named.as_ref()).map(|(named, _)| named.openers.clone());
        match openers {
            Some(openers) if made < self.study.literal().attempts => {
                self.open(job, Phase::Open, made, openers, now_ms)
            }
            _ => {
                let failure = Failure::Attempts { step, made, missing: missing.to_vec() };
                Event::Failed { job: job.id, failure }
            }
        }
    }

    /// Asks those who signed once more to evaluate, but for sites that did so wrongly.
    fn vouch_again(&self, job: &Progress, step: Step, now_ms: u64) -> Option<Event> {
        let made = step.attempt + 1;
        let wrong = |site: &SiteId| {
            job.missing.iter().any(|(at, m)| {
                let here = (at.round, at.phase) == (step.round, Phase::Vouch);
                here && m.site == *site && m.cause == Cause::Payload
            })
        };
        let mut asked = self.vouchers(job.sum.as_ref().filter(|_| step.phase == Phase::Vouch)?);
        asked.retain(|site| !wrong(site));
        let on = made < self.study.literal().attempts && !asked.is_empty();
        on.then(|| self.open(job, Phase::Vouch, made, asked, now_ms))
    }

    /// The next attempt at opening a round, over the same committed set.
    fn try_again(&self, job: &Progress, step: Step, missing: &[Missing], now_ms: u64) -> Event {
        let made = step.attempt + 1;
        if made >= self.study.literal().attempts {
            let failure = Failure::Attempts { step, made, missing: missing.to_vec() };
            return Event::Failed { job: job.id, failure };
        }
        let all = self.study.sites().collect();
        self.over_budget(job).unwrap_or_else(|| self.open(job, Phase::Ready, made, all, now_ms))
    }

    fn after_combination(&self, job: &Progress, closed: Option<&Closed>, now_ms: u64) -> Option<Event> {
        let Some(closed) = closed else { return Some(self.open_round(job, now_ms)) };
        Some(match job.kind().next(closed.step.phase) {
            Next::Ask(Phase::Encrypt) => {
                self.open(job, Phase::Encrypt, 0, job.kind().encryptors().to_vec(), now_ms)
            }
            Next::Ask(phase) => self.open_to_all(job, phase, now_ms),
            Next::Begin => self.open_round(job, now_ms),
            Next::OpenSum => {
                let sum = job.sum.as_ref()?;
                if job.sizes.evaluated && closed.step.phase == Phase::Agree && !sum.gone().is_empty() {
                    return Some(self.open(job, Phase::Vouch, 0, self.vouchers(sum), now_ms));
                }
                let openers = sum.named.as_ref()?.0.openers.clone();
                self.open(job, Phase::Open, 0, openers, now_ms)
            }
            Next::Done => done(job)?,
            Next::Open => {
                // Who answered first is there, and fast.
                let first = wanted_first(job, closed.committed.iter()).into_iter();
                let first = first.take(self.study.roster().threshold());
                let mut committee: Vec<SiteId> = first.map(|h| h.header.site).collect();
                committee.sort_unstable();
                self.open(job, Phase::Share, closed.step.attempt, committee, now_ms)
            }
        })
    }
}

/// Whether who asked wants a site in no committee.
fn avoided(job: &Progress, site: SiteId) -> bool {
    job.kind().avoided().contains(&site)
}

/// Answers in the order of their arrival, those of avoided sites last.
fn wanted_first<'a>(
    job: &Progress,
    answers: impl Iterator<Item = &'a SignedHeader>,
) -> Vec<&'a SignedHeader> {
    let mut answers: Vec<_> = answers.collect();
    answers.sort_by_key(|answer| avoided(job, answer.header.site));
    answers
}

/// The end of a job whose result is what was combined: a head's sum, or a key.
fn done(job: &Progress) -> Option<Event> {
    let sum = job.opening.as_ref().map(|o| o.sum);
    let result = sum.or_else(|| job.output.as_ref().map(|o| o.shared))?;
    Some(Event::Done { job: job.id, result })
}

/// Whether a step of a sum needs no further answers. Those who uploaded are there: their findings are waited for. Agreement is
/// reached with a quorum, and, where each site evaluates its own upload, all evaluations. The first opening, and the first evaluation for
/// others, takes whoever is first; one that did not succeed asks everybody, so that wrong ones are outvoted.
fn sum_step_closes(job: &Progress, open: &Open, enough: bool) -> bool {
    let Some(sum) = &job.sum else { return true };
    let answered =
        |sites: &[SiteId]| sites.iter().filter(|s| open.asks(**s)).all(|s| open.answer(*s).is_some());
    let of = |uploads: &[(SiteId, Blob)]| uploads.iter().map(|(site, _)| *site).collect::<Vec<_>>();
    enough
        && match open.step.phase {
            Phase::Findings => answered(&of(&sum.uploads)),
            Phase::Agree => !job.sizes.evaluated || answered(&of(&sum.committed())),
            _ => open.step.attempt == 0,
        }
}
