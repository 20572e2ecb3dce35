//! The coordinator: a fold over [`Record`]s.
//!
//! Nothing here acts. [`Coordinator::handle`] takes an input and the clock and answers with a [`Decision`]: the records to
//! store, and the state after them. The runner stores the records in one transaction, then puts the new state in place of
//! the old one, then acknowledges. A store that fails leaves everything as it was.

mod answer;
mod asked;
mod cohort;
mod decide;
mod earlier;
mod fold;
mod inputs;
mod progress;
mod queue;
mod roster;
mod task;
mod view;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Blob, Body, Change, Circuit, Error, Event, JobId, JobSpec, Line, Output, Record, Refusal, Result,
    SignedChange, SignedHeader, Signer, SiteId, Sizes, Step, Study, Word,
};
use blindscope_wire::Digest;
use earlier::Earlier;
use progress::Progress;
use roster::OnItsWay;

pub use answer::Admission;
pub use view::{JobStatus, JobView, StepView};
pub use work::{Outcome, SumWork, Work};

/// Most jobs, and most questions, that wait at a time.
const MAX_WAITING: usize = 1000;

/// A study's coordinator.
#[derive(Debug, Clone)]
pub struct Coordinator {
    study: Study,
    /// Number of the next record.
    seq: u64,
    /// Digest of the last record.
    head: Digest,
    jobs: BTreeMap<JobId, Arc<Progress>>,
    names: Arc<BTreeMap<String, JobId>>,
    /// Jobs that wait, oldest first, and those that run, in the order of their start.
    waiting: Vec<JobId>,
    running: Vec<JobId>,
    /// Most jobs, and most questions, that are begun beside others.
    beside: queue::Beside,
    /// When each line of askers that still has questions had its last turn, by record.
    turns: Arc<BTreeMap<Line, u64>>,
    inference: Option<Arc<InferenceKey>>,
    /// Pair keys of sums, by the site that sealed them.
    pairs: Arc<BTreeMap<SiteId, Blob>>,
    /// Rounds of sums that are over, by what was put into them.
    earlier: Arc<BTreeMap<Digest, Arc<Earlier>>>,
    /// Ciphertexts that openings were begun for.
    opened: u64,
    /// A change of the roster on its way.
    proposal: Option<Arc<OnItsWay>>,
    /// Every change so far, oldest first.
    changes: Arc<Vec<SignedChange>>,
}

/// The key of encrypted inference in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceKey {
    /// Its ceremony.
    pub ceremony: JobId,
    /// The public key.
    pub public_key: Blob,
    /// The evaluation keys.
    pub evaluation_keys: Blob,
    /// What they are made for.
    pub circuit: Circuit,
    /// Ciphertexts that re-encryptions were begun for under this key, every attempt counted.
    pub answered: u64,
}

/// What happens to a coordinator.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Somebody who may asks for a job. `sizes` is [`Sizes::of`] it.
    Submit {
        /// The job's file.
        spec: JobSpec,
        /// What its steps move.
        sizes: Sizes,
    },
    /// An asker asks an encrypted head. Askers' lines take turns.
    Ask {
        /// The question's file.
        spec: JobSpec,
        /// What its steps move.
        sizes: Sizes,
        /// Whose line it stands in.
        line: Line,
    },
    /// Somebody who may calls a job off.
    Abort {
        /// The job.
        job: JobId,
    },
    /// A site's answer. Its payload is on disk already.
    Answer(SignedHeader),
    /// [`Work`] ended: payloads were combined and the outcome is on disk.
    Combined {
        /// The work's step.
        step: Step,
        /// The outcome.
        output: Output,
    },
    /// [`Work::Open`] ended: the sum was opened and the next input, or the result, is on disk.
    Opened {
        /// The work's step.
        step: Step,
        /// What followed.
        outcome: Outcome,
    },
    /// Work failed because of the payloads of these sites.
    Unusable {
        /// The work's step.
        step: Step,
        /// Whose payloads.
        sites: Vec<SiteId>,
    },
    /// Of a sum: whoever's fault it is, its set is too small, or it did not open. Nothing was released.
    Spoiled {
        /// The work's step.
        step: Step,
    },
    /// The learning code could not go on from the opened sum.
    Stuck {
        /// The work's step.
        step: Step,
    },
    /// Somebody who may proposes a change of the roster.
    Propose(Box<Change>),
    /// Somebody who may withdraws the change that is on its way.
    Withdraw,
    /// A site's word on the change that is on its way.
    Word(Word),
    /// Time passes.
    Tick,
}

/// What follows from an input. Store `records` durably and in one piece, then let `next` replace the coordinator.
#[derive(Debug)]
#[must_use = "nothing has happened until the records are stored and the state is replaced"]
pub struct Decision {
    /// The records to append; none where the input changes nothing.
    pub records: Vec<Record>,
    /// The receipt of an answer: this one's, or the one given before.
    pub receipt: Option<Record>,
    /// The job that was submitted, now or before.
    pub job: Option<JobId>,
    /// The coordinator after these records.
    pub next: Coordinator,
}

impl Coordinator {
    /// The coordinator of a study in which nothing has happened.
    pub fn new(study: &Study) -> Self {
        Self {
            study: study.under(0).unwrap_or_else(|_| study.clone()),
            seq: 0,
            head: study.digest(),
            jobs: BTreeMap::new(),
            names: Arc::default(),
            waiting: Vec::new(),
            running: Vec::new(),
            beside: queue::Beside::default(),
            turns: Arc::default(),
            inference: None,
            pairs: Arc::default(),
            earlier: Arc::default(),
            opened: 0,
            proposal: None,
            changes: Arc::default(),
        }
    }

    /// The coordinator after these records, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the first record that does not follow from those before it.
    pub fn replay(study: &Study, records: impl IntoIterator<Item = Record>) -> Result<Self> {
        let mut coordinator = Self::new(study);
        let mut last = None;
        for record in records {
            coordinator.append(&record)?;
            last = Some(record);
        }
        // The last signature covers the last digest, and through the chain every record before it.
        if last.is_some_and(|record| !record.is_by(&study.literal().coordinator)) {
            let seq = coordinator.seq.saturating_sub(1);
            return Err(Error::Corrupt { seq, reason: "its signature is not the coordinator's" });
        }
        Ok(coordinator)
    }

    /// Checks number and chain of the next record and folds it in.
    pub(crate) fn append(&mut self, record: &Record) -> Result<()> {
        let seq = self.seq;
        let require = |fine, reason| if fine { Ok(()) } else { Err(Error::Corrupt { seq, reason }) };
        require(record.body.seq == seq, "its number is not the next one")?;
        require(record.body.previous == self.head, "it does not name the record before it")?;
        self.fold(record).map_err(|reason| Error::Corrupt { seq, reason })?;
        Ok(())
    }

    /// What follows from an input at `now_ms`. The coordinator itself is unchanged.
    ///
    /// # Errors
    /// [`Refusal`] for an input that does not follow from what is stored; nothing has changed then and nothing is to be stored.
    pub fn handle(
        &self,
        input: &Input,
        now_ms: u64,
        signer: &dyn Signer,
    ) -> std::result::Result<Decision, Refusal> {
        let mut decision = Decision { records: Vec::new(), receipt: None, job: None, next: self.clone() };
        if self.seq == 0 {
            decision.record(Event::Founded { study: self.study.digest() }, now_ms, signer);
        }
        match input {
            Input::Submit { spec, sizes } => decision.submit((spec, *sizes, None), now_ms, signer)?,
            Input::Ask { spec, sizes, line } => {
                decision.submit((spec, *sizes, Some(*line)), now_ms, signer)?;
            }
            Input::Abort { job } => {
                if let Some(event) = self.abort(*job)? {
                    decision.record(event, now_ms, signer);
                }
            }
            Input::Answer(answer) => decision.answer(answer, now_ms, signer)?,
            Input::Combined { .. }
            | Input::Opened { .. }
            | Input::Unusable { .. }
            | Input::Spoiled { .. }
            | Input::Stuck { .. } => {
                let event = self.work_done(input, now_ms)?;
                decision.record(event, now_ms, signer);
            }
            Input::Propose(change) => decision.propose(change, now_ms, signer)?,
            Input::Withdraw => {
                self.admit_withdrawal()?;
                decision.record(Event::Withdrawn, now_ms, signer);
            }
            Input::Word(word) => {
                if !self.admit_word(word)? {
                    decision.record(Event::Said { word: word.clone() }, now_ms, signer);
                }
            }
            Input::Tick => {}
        }
        while let Some(event) = decision.next.next_event(now_ms) {
            decision.record(event, now_ms, signer);
        }
        Ok(decision)
    }

    /// The study, under the roster in force.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The key of encrypted inference, once its ceremony is done.
    pub fn inference_key(&self) -> Option<&InferenceKey> {
        self.inference.as_deref()
    }

    /// Number of records so far, and the digest of the last one (of the study where there is none).
    pub fn head(&self) -> (u64, Digest) {
        (self.seq, self.head)
    }

    /// Ciphertexts that openings were begun for, every attempt counted.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// The jobs that run, in the order of their start, each with its round.
    pub fn rounds_at_work(&self) -> Vec<(JobId, u64)> {
        self.running().map(|job| (job.id, job.round)).collect()
    }

    /// Whether every job has ended.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Jobs that run, in the order of their start.
    fn running(&self) -> impl Iterator<Item = &Progress> + Clone {
        self.running.iter().filter_map(|id| self.jobs.get(id)).map(AsRef::as_ref)
    }

    /// A job that runs.
    fn at_work(&self, id: JobId) -> Option<&Progress> {
        self.running().find(|job| job.id == id)
    }
}

impl Decision {
    /// Appends what happened to the records and to the state.
    fn record(&mut self, event: Event, at_ms: u64, signer: &dyn Signer) {
        let next = &mut self.next;
        let record = Body { seq: next.seq, previous: next.head, at_ms, event }.sign(signer);
        let folded = next.fold(&record);
        debug_assert_eq!(folded, Ok(()), "an event that does not follow: {record:?}");
        self.records.push(record);
    }

    /// The same change again changes nothing.
    fn propose(
        &mut self,
        change: &Change,
        now_ms: u64,
        signer: &dyn Signer,
    ) -> std::result::Result<(), Refusal> {
        self.next.admit_change(change)?;
        if !self.next.is_on_its_way(change) {
            self.record(Event::Proposed { change: change.clone() }, now_ms, signer);
        }
        Ok(())
    }

    fn submit(
        &mut self,
        (spec, sizes, line): (&JobSpec, Sizes, Option<Line>),
        now_ms: u64,
        signer: &dyn Signer,
    ) -> std::result::Result<(), Refusal> {
        let (job, known) = self.next.admit_job(spec, sizes)?;
        self.job = Some(job);
        // An old log may hold such files, and they run on; no log gets new ones.
        if !known && spec.is_former() {
            return Err(Refusal::FormerJob { kind: spec.kind });
        }
        if !known && spec.is_former_head() {
            return Err(Refusal::FormerHead { name: spec.name.clone() });
        }
        if !known {
            self.record(
                Event::Submitted { job, spec: spec.clone(), sizes, line: line.map(Box::new) },
                now_ms,
                signer,
            );
        }
        Ok(())
    }

    fn answer(
        &mut self,
        answer: &SignedHeader,
        now_ms: u64,
        signer: &dyn Signer,
    ) -> std::result::Result<(), Refusal> {
        match self.next.admit(answer)? {
            Admission::Known(receipt) => self.receipt = Some(*receipt),
            Admission::Expected { .. } => {
                self.record(Event::Accepted { answer: answer.clone() }, now_ms, signer);
                self.receipt = self.records.last().cloned();
            }
        }
        Ok(())
    }
}
