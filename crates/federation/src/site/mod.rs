//! A site: a fold over its own [`Mark`]s, which are on its disk before anything that they speak of leaves it.
//!
//! For each [`Task`]: [`Site::take`] judges it and says what to do; the runner stores the marks that go before, computes, keeps
//! the payload, and has the answer signed ([`Site::answer`]), stored as a mark and sent. After a crash the same task gives
//! the same answer again, or says that the share was lost.

mod ceremony;
mod charge;
mod judge;
mod mark;
mod newest;
mod objection;
mod roster;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::job::Job;
use crate::sums::{SumMark, SumSite};
use crate::{
    Answer, Blob, Confirmation, Delta, Epsilon, Error, Event, Header, JobId, Phase, Policy, Record, Result,
    SignedHeader, Signer, SiteId, Step, Study, Task,
};
use blindscope_threshold::Ledger;
use blindscope_wire::Digest;

pub use mark::Mark;
pub use objection::Objection;

/// A key that this site holds a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldKey {
    /// The public key.
    pub public_key: Blob,
    /// The parts, sealed to this site.
    pub bundle: Blob,
    /// Whether it is a key of encrypted inference: sums are opened under no such key.
    pub inference: bool,
    /// Its evaluation keys.
    pub evaluation_keys: Option<Blob>,
    /// The version of the roster whose sites hold the other shares: it is of no use under another.
    pub version: u64,
}

/// One site of a study.
#[derive(Debug)]
pub struct Site {
    study: Study,
    me: SiteId,
    policy: Policy,
    openings: BTreeMap<(JobId, u64), Digest>,
    sums: BTreeMap<Digest, (JobId, u64)>,
    spent: BTreeSet<Step>,
    /// Spent since this process started, and not yet used.
    fresh: BTreeSet<Step>,
    staged: BTreeMap<Step, SignedHeader>,
    keys: BTreeMap<JobId, HeldKey>,
    /// Of each inference ceremony: the common string, and what everybody had promised when this site revealed.
    strings: BTreeMap<JobId, Digest>,
    promises: BTreeMap<JobId, Digest>,
    /// What each encrypted head starts from.
    starts: BTreeMap<JobId, Blob>,
    /// Encrypted heads that this site has added up, by uploads and sum, and what is kept of each.
    checked: BTreeMap<Digest, Vec<Blob>>,
    charge: charge::Charge,
    /// What it remembers of sums.
    in_sums: Arc<SumSite>,
    /// Ciphertexts that this site has helped to re-encrypt under each inference key.
    answered: BTreeMap<JobId, u64>,
    /// What each job with noise may give away.
    privacy: BTreeMap<JobId, (Epsilon, Delta)>,
    /// The same of jobs whose contribution is being made: nothing that is kept.
    privacy_reserved: BTreeMap<JobId, (Epsilon, Delta)>,
    receipt: Option<Record>,
    acknowledged: BTreeSet<Step>,
    /// Job and round of the newest answers: what is older is over.
    newest: newest::Newest,
}

/// What to do about a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Send this answer, staged before, with its payload if it has one.
    Send(Box<SignedHeader>),
    /// Store these marks durably, apply them, then compute the payload.
    Work {
        /// What goes before.
        before: Vec<Mark>,
    },
    /// Answer that there will be no payload: the answer gives the objection's [`Objection::cause`] only.
    Decline(Objection),
}

/// The right to make one attempt's share, once: given after its spent mark was stored by this process.
#[derive(Debug)]
pub struct Permit {
    step: Step,
    mark: Digest,
    used: bool,
}

impl Permit {
    /// The attempt.
    pub fn step(&self) -> Step {
        self.step
    }
}

impl Ledger for Permit {
    fn spend(&mut self, mark: Digest) -> blindscope_threshold::Result<()> {
        if self.used || mark != self.mark {
            return Err(blindscope_threshold::Error::Spent { mark: mark.fingerprint().to_string() });
        }
        self.used = true;
        Ok(())
    }
}

impl Site {
    /// The site after these marks, in order; none for a site that begins.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a mark that is not this site's, or contradicts one before it.
    pub fn replay(
        study: &Study,
        me: SiteId,
        policy: Policy,
        marks: impl IntoIterator<Item = Mark>,
    ) -> Result<Self> {
        let mut site = Self {
            study: study.clone(),
            me,
            policy,
            openings: BTreeMap::new(),
            sums: BTreeMap::new(),
            spent: BTreeSet::new(),
            fresh: BTreeSet::new(),
            staged: BTreeMap::new(),
            keys: BTreeMap::new(),
            strings: BTreeMap::new(),
            promises: BTreeMap::new(),
            starts: BTreeMap::new(),
            checked: BTreeMap::new(),
            charge: charge::Charge::default(),
            in_sums: Arc::default(),
            answered: BTreeMap::new(),
            privacy: BTreeMap::new(),
            privacy_reserved: BTreeMap::new(),
            receipt: None,
            acknowledged: BTreeSet::new(),
            newest: newest::Newest::default(),
        };
        for (seq, mark) in marks.into_iter().enumerate() {
            site.apply(&mark).map_err(|reason| Error::Corrupt { seq: seq as u64, reason })?;
        }
        // Whatever was spent by an earlier process is lost unless it was staged.
        site.fresh.clear();
        Ok(site)
    }

    /// Folds in a mark that is stored.
    ///
    /// # Errors
    /// What contradicts the marks before; nothing has changed then.
    pub fn apply(&mut self, mark: &Mark) -> std::result::Result<(), &'static str> {
        match mark {
            Mark::Opening { job, round, opening, sum } => {
                if self.openings.get(&(*job, *round)).is_some_and(|known| known != opening) {
                    return Err("another committed set is remembered for this round");
                }
                if self.sums.get(&sum.digest).is_some_and(|known| *known != (*job, *round)) {
                    return Err("the sum is remembered for another round");
                }
                self.openings.insert((*job, *round), *opening);
                self.sums.insert(sum.digest, (*job, *round));
            }
            Mark::Spent { step, openings, key } => {
                if !self.spent.insert(*step) {
                    return Err("the attempt is spent already");
                }
                self.fresh.insert(*step);
                self.charge.spend(*step, *openings);
                if let Some(key) = key {
                    let answered = self.answered.entry(*key).or_default();
                    *answered = answered.saturating_add(*openings);
                }
            }
            Mark::Sent { job, round, openings } => self.charge.send((*job, *round), *openings),
            Mark::Sum { mark, openings } => {
                let before = self.in_sums.opened_rounds();
                Arc::make_mut(&mut self.in_sums).apply(mark)?;
                let again = matches!(mark, SumMark::Opened { .. }) && self.in_sums.opened_rounds() == before;
                if !again {
                    self.charge.sum(self.me, mark, *openings);
                }
            }
            Mark::Privacy { job, epsilon, delta } => {
                self.privacy.insert(*job, (*epsilon, *delta));
            }
            Mark::Staged { answer } => {
                let header = &answer.header;
                if header.site != self.me || header.study != self.study.digest() {
                    return Err("the answer is not of this site and study");
                }
                if self.staged.get(&header.step).is_some_and(|known| known.header != *header) {
                    return Err("another answer to this step is staged");
                }
                self.charge.settle(header.step.job);
                self.privacy_reserved.remove(&header.step.job);
                self.newest.answered(header);
                self.staged.insert(header.step, answer.clone());
            }
            Mark::Start { head, input } => {
                if self.starts.insert(*head, *input).is_some_and(|known| known != *input) {
                    return Err("the head is remembered to start from something else");
                }
            }
            Mark::Committed { ceremony, string } => {
                if self.strings.get(ceremony).is_some_and(|known| known != string) {
                    return Err("another common string is remembered for this ceremony");
                }
                self.strings.insert(*ceremony, *string);
            }
            Mark::Promised { ceremony, promised } => {
                if self.promises.get(ceremony).is_some_and(|known| known != promised) {
                    return Err("other promises are remembered for this ceremony");
                }
                self.promises.insert(*ceremony, *promised);
            }
            Mark::Checked { opening, kept } => {
                self.checked.insert(*opening, kept.clone());
            }
            Mark::Key { ceremony, public_key, bundle, inference, evaluation_keys, version } => {
                let (public_key, bundle, inference) = (*public_key, *bundle, *inference);
                let (evaluation_keys, version) = (*evaluation_keys, *version);
                let held = HeldKey { public_key, bundle, inference, evaluation_keys, version };
                self.keys.insert(*ceremony, held);
            }
            Mark::Receipt { record } => self.apply_receipt(record)?,
        }
        Ok(())
    }

    fn apply_receipt(&mut self, record: &Record) -> std::result::Result<(), &'static str> {
        let Event::Accepted { answer } = &record.body.event else { return Err("the record is no receipt") };
        if self.staged.get(&answer.header.step).is_none_or(|staged| !record.acknowledges(staged)) {
            return Err("the receipt is for another answer");
        }
        self.acknowledged.insert(answer.header.step);
        if self.receipt.as_ref().is_none_or(|last| last.body.seq < record.body.seq) {
            self.receipt = Some(record.clone());
        }
        Ok(())
    }

    /// The answer to a task, signed. Store it as [`Mark::Staged`], apply it, then send it.
    ///
    /// For phase parts the marks come with the key that the site holds from then on.
    pub fn answer(&self, task: &Task, answer: Answer, signer: &dyn Signer) -> Vec<Mark> {
        let header = Header { study: task.study, key: task.key, step: task.step, site: self.me, answer };
        let mut marks = Vec::new();
        match (&task.ask, answer) {
            (crate::Ask::Parts { public_key, bundle, evaluation, .. }, Answer::Payload(_)) => {
                let (public_key, bundle, inference) = (*public_key, *bundle, task.spec.kind.is_inference());
                let (ceremony, evaluation_keys) = (task.step.job, evaluation.as_ref().map(|e| e.keys));
                // A change that was learned meanwhile is not of this key.
                let version = task.version;
                marks.push(Mark::Key { ceremony, public_key, bundle, inference, evaluation_keys, version });
            }
            (crate::Ask::Share { evaluation: Some(e), .. }, Answer::Payload(_))
                if !self.has_checked(task) =>
            {
                let (opening, kept) = (e.opening.digest(), vec![e.start, e.opening.sum, e.keys]);
                marks.push(Mark::Checked { opening, kept });
            }
            _ => {}
        }
        marks.push(Mark::Staged { answer: header.sign(signer) });
        marks
    }

    /// The mark of a receipt, if it is the coordinator's for what is staged.
    ///
    /// # Errors
    /// [`Error::Message`] for any other record.
    pub fn receive(&self, record: &Record) -> Result<Mark> {
        let refuse = |reason: &str| Err(Error::Message { what: "receipt", reason: reason.to_owned() });
        if !record.is_by(&self.study.literal().coordinator) {
            return refuse("its signature is not the coordinator's");
        }
        let Event::Accepted { answer } = &record.body.event else { return refuse("it is no receipt") };
        match self.staged.get(&answer.header.step) {
            Some(staged) if record.acknowledges(staged) => {
                Ok(Mark::Receipt { record: Box::new(record.clone()) })
            }
            _ => refuse("it is for another answer"),
        }
    }

    /// The right to make the share that this task asks for, if its spent mark was applied by this process and not used.
    ///
    /// # Errors
    /// [`Error::Permit`] where no spent mark was applied, or it was used; [`Error::Sum`] for a version of the roster that is not known here; [`Error::Field`] for a job file that is none;
    /// [`Error::Ckks`] for a circuit without parameters.
    pub fn permit(&mut self, task: &Task) -> Result<Permit> {
        let step = task.step;
        let job = Job::of(&task.spec)?;
        let refused = || Error::Permit { step: step.to_string() };
        // A change that was learned meanwhile is not for a task in hand.
        let study = self.study.under(task.version)?;
        let params = study.circuit_params(job.kind().circuit().ok_or_else(refused)?)?;
        if step.phase == Phase::Share && self.fresh.remove(&step) {
            let round = study.opening(&params, step.job, step.round, step.attempt);
            return Ok(Permit { step, mark: round.digest(), used: false });
        }
        Err(refused())
    }

    /// What others can open, or this site opens, is about to be made: until its answer is staged, what is judged meanwhile is judged as
    /// if it were made already.
    pub fn begin(&mut self, task: &Task) {
        self.charge.reserve(task.step, task.sizes.openings);
        if let (Phase::Upload, Some(privacy)) = (task.step.phase, &task.spec.privacy) {
            self.privacy_reserved.insert(task.step.job, (privacy.epsilon, privacy.delta));
        }
    }

    /// The study.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// What this site remembers of sums.
    pub fn sums(&self) -> &Arc<SumSite> {
        &self.in_sums
    }

    /// Fewest contributions of a sum that its policy allows.
    pub fn minimum_cohort(&self) -> u32 {
        self.policy.minimum_cohort
    }

    /// In how many sites its policy wants sets of sums of one kind to differ, unless they are the same; zero where any will do.
    pub fn minimum_difference(&self) -> u32 {
        self.policy.minimum_difference.unwrap_or(0)
    }

    /// This site's number.
    pub fn me(&self) -> SiteId {
        self.me
    }

    /// The key of a ceremony, if this site holds a share of it.
    pub fn key(&self, ceremony: JobId) -> Option<HeldKey> {
        self.keys.get(&ceremony).copied()
    }

    /// The sealed parts that a task is done with, where it needs a share of the key.
    pub fn bundle(&self, task: &Task) -> Option<Blob> {
        let needs = matches!(task.step.phase, Phase::Share | Phase::Trial);
        self.keys.get(&task.key).filter(|_| needs).map(|held| held.bundle)
    }

    /// The last receipt: proof of how far the log went.
    pub fn last_receipt(&self) -> Option<&Record> {
        self.receipt.as_ref()
    }

    /// Whether the head of the question that this task is of was added up by this site before.
    pub fn has_checked(&self, task: &Task) -> bool {
        let crate::Ask::Share { evaluation: Some(e), .. } = &task.ask else { return false };
        self.checked.contains_key(&e.opening.digest())
    }

    /// The blobs of a task that this site has to fetch unless they are here.
    pub fn inputs(&self, task: &Task) -> Vec<Blob> {
        let mut inputs = task.inputs();
        if self.has_checked(task) {
            let uploads = task.head_uploads();
            inputs.retain(|blob| !uploads.contains(blob));
        }
        let upload = Step { attempt: 0, phase: Phase::Upload, ..task.step };
        let uploaded = self.staged.get(&upload).is_some_and(|staged| staged.payload().is_some());
        if let Some(grounds) = task.grounds.as_ref().filter(|_| uploaded && task.step.phase == Phase::Agree) {
            // It has held the start against them before it uploaded.
            inputs.retain(|blob| !grounds.blobs().any(|b| b == *blob));
        }
        inputs
    }

    /// Ciphertexts that others can open with what this site has sent, or that it has helped to open.
    pub fn opened(&self) -> u64 {
        self.charge.total()
    }

    /// What this site's data has given away in jobs with noise, one job left out: that one is about to be judged.
    ///
    /// Losses of jobs add up; the sum is a bound that always holds, if not the tightest.
    pub fn privacy_spent(&self, without: JobId) -> (Epsilon, Delta) {
        let reserved = self.privacy_reserved.iter().filter(|(job, _)| !self.privacy.contains_key(job));
        let others = self.privacy.iter().chain(reserved).filter(|(job, _)| **job != without);
        others.fold((Epsilon::NONE, Delta::NONE), |(e, d), (_, spent)| (e.and(spent.0), d.and(spent.1)))
    }

    /// Answers of the newest rounds that are signed and not acknowledged. Those of older rounds come too late.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &SignedHeader> {
        let open = |step: &Step| self.newest.has(step) && !self.acknowledged.contains(step);
        self.staged.iter().filter(move |(step, _)| open(step)).map(|(_, answer)| answer)
    }

    /// Blobs that this site must keep: its parts of keys, and payloads without a receipt.
    pub fn needed_blobs(&self) -> Vec<Blob> {
        let own = |k: &HeldKey| [Some(k.public_key), Some(k.bundle), k.evaluation_keys];
        let keys = self.keys.values().flat_map(own).flatten();
        // Of a large sum the site evaluates what it uploaded, before it signs the set.
        let signed = |step: &Step| self.staged.contains_key(&Step { phase: Phase::Agree, ..*step });
        let own = self.newest.uploads().filter(|step| !signed(step));
        let own = own.filter_map(|step| self.staged.get(&step)?.payload());
        let keys = keys.chain(self.checked.values().flatten().copied()).chain(own);
        let mut needed: Vec<Blob> =
            keys.chain(self.unacknowledged().filter_map(SignedHeader::payload)).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// What this site confirms at the end of a ceremony.
    pub fn confirmation(task: &Task) -> Option<Confirmation> {
        match &task.ask {
            crate::Ask::Parts { public_key, bundle, evaluation, .. } => Some(Confirmation {
                public_key: *public_key,
                bundle: *bundle,
                evaluation_keys: evaluation.as_ref().map(|e| e.keys),
            }),
            _ => None,
        }
    }
}
