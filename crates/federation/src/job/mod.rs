//! What a study is asked to do: a job's file, and what its kind makes of it.
//!
//! A [`JobSpec`] is what stands in files, tasks and records. It is parsed once where it comes in, into a [`Job`] that has what its
//! kind needs and nothing else. Each kind is one file here: its fields, its sizes, what a site makes in each step, how
//! payloads are combined, and its way through the steps. A new kind of sums is a row in [`JobKind`], and what it sums is learning; any
//! other is such a row, such a file, and a line in each of the two matches below.

mod encrypted_head;
mod inference_keys;
mod kind;
mod portion;
mod question;
mod run;
mod sizes;
mod spec;
mod sum;

pub use kind::JobKind;
pub use portion::{Portion, combine_portions, divisible, portion};
pub use run::{SiteTools, combine, site_payload};
pub use sizes::Sizes;
pub use spec::JobSpec;

pub(crate) use encrypted_head::EncryptedHeadJob;
pub(crate) use inference_keys::InferenceKeys;
pub(crate) use question::QuestionJob;
pub(crate) use sum::{MOST_TOLD, SumJob};

use rand_core::CryptoRng;

use crate::{
    Advance, Ask, Blob, Blobs, Circuit, Input, JobId, Mark, Permit, Phase, Result, SiteId, Study, Task, Work,
};

/// A job, parsed: what its kind needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Job {
    /// Rounds of sums of integers, whatever they mean.
    Sum(SumJob),
    /// The key of encrypted inference.
    InferenceKeys(Box<InferenceKeys>),
    /// A head under that key.
    EncryptedHead(Box<EncryptedHeadJob>),
    /// A question to such a head.
    Question(Box<QuestionJob>),
}

impl Job {
    /// The job of this file.
    ///
    /// # Errors
    /// [`crate::Error::Field`] for a field that its kind lacks, that is out of range, or that belongs to other kinds.
    pub(crate) fn of(spec: &JobSpec) -> Result<Self> {
        Ok(match spec.kind {
            kind if kind.is_sum() => Self::Sum(SumJob::of(spec)?),
            JobKind::InferenceKeys => Self::InferenceKeys(InferenceKeys::of(spec)?.into()),
            JobKind::EncryptedHead => Self::EncryptedHead(EncryptedHeadJob::of(spec)?.into()),
            JobKind::Question => Self::Question(QuestionJob::of(spec)?.into()),
            former => {
                let expected = "another kind: sums need no key beforehand, since each round has keys of its own; leave this job out";
                return Err(spec::refused("kind", former.to_string(), expected));
            }
        })
    }

    /// What its kind does.
    pub(crate) fn kind(&self) -> &dyn Kind {
        match self {
            Self::Sum(kind) => kind,
            Self::InferenceKeys(kind) => &**kind,
            Self::EncryptedHead(kind) => &**kind,
            Self::Question(kind) => &**kind,
        }
    }
}

/// Which key a job has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// It makes one.
    Makes,
    /// Each of its rounds has keys of its own.
    Rounds,
    /// It works under the inference key of its circuit.
    Inference,
}

/// What has to be there before a job begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis<'a> {
    /// Nothing but its key.
    Key,
    /// The result of the job of this name: its first step starts from it.
    Result(&'a str),
    /// The encrypted head of this job.
    Head(JobId),
}

/// What follows a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// All sites are asked this.
    Ask(Phase),
    /// A committee of those who answered first opens it.
    Open,
    /// Whoever can opens it.
    OpenSum,
    /// Its round begins.
    Begin,
    /// The job is done; the combination is its result.
    Done,
}

/// What a kind of jobs does: at a site, at the coordinator's worker, and in the order of its steps.
pub(crate) trait Kind {
    /// What its steps move, in a job of this id.
    fn sizes(&self, study: &Study, id: JobId) -> Result<Sizes>;

    /// The payload that a task asks of a site.
    fn payload(&self, making: Making<'_>, rng: &mut dyn CryptoRng) -> Result<Blob>;

    /// What a step's payloads make together.
    fn combine(&self, combining: &Combining<'_>) -> Result<Input>;

    /// The uploads that work goes over one by one, where several may go over some each; none of most.
    fn divisible(&self, _combining: &Combining<'_>) -> Result<Vec<(SiteId, Blob)>> {
        Ok(Vec::new())
    }

    /// What becomes of those of these sites.
    fn portion(&self, combining: &Combining<'_>, _sites: &[SiteId]) -> Result<Blob> {
        Err(combining.foreign())
    }

    /// The key that it makes or uses.
    fn key(&self) -> KeyUse;

    /// Its first phase.
    fn first(&self) -> Phase {
        Phase::Upload
    }

    /// What follows once the payloads of `phase` are there and, where it combines any, combined.
    fn next(&self, phase: Phase) -> Next;

    /// What it begins with, besides its key.
    fn basis(&self) -> Basis<'_> {
        Basis::Key
    }

    /// The inference key's parameters and elements, for kinds that make or use it.
    fn circuit(&self) -> Option<&Circuit> {
        None
    }

    /// The sites that it asks to upload, all of whom are needed; of other kinds everybody is asked and a cohort is enough.
    fn holders(&self) -> Option<&[SiteId]> {
        None
    }

    /// The sites that it asks to encrypt what was dealt to them, all of whom are needed: nobody, but for heads.
    fn encryptors(&self) -> &[SiteId] {
        &[]
    }

    /// Holders that are to be in a committee only where there are too few others.
    fn avoided(&self) -> &[SiteId] {
        &[]
    }

    /// Whether sites ever help to open what it computes.
    fn opens(&self) -> bool {
        false
    }

    /// Bytes of a site's payload of a phase; `None` for a site that has none.
    fn payload_len(&self, _study: &Study, sizes: &Sizes, phase: Phase, _site: SiteId) -> Option<u64> {
        Some(match phase {
            Phase::KeyShare => sizes.key_share,
            Phase::Relin => sizes.relin,
            Phase::Upload | Phase::Ready => sizes.upload,
            Phase::Share | Phase::Open => sizes.share,
            Phase::Commit
            | Phase::Promise
            | Phase::Parts
            | Phase::Trial
            | Phase::Void
            | Phase::Findings
            | Phase::Agree
            | Phase::Vouch
            | Phase::Encrypt => return None,
        })
    }

    /// Most bytes of anything that a site fetches for a task; `None` where what it has to be follows from what else is shown.
    ///
    /// # Errors
    /// As [`Self::sizes`].
    fn longest_input(&self, _study: &Study, _task: &Task) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Bytes of a site's pair keys, where they go with an upload.
    fn pairs_len(&self, _study: &Study, _site: SiteId) -> u64 {
        0
    }

    /// The blobs that a site fetches before it can do what it is asked.
    fn inputs(&self, ask: &Ask) -> Vec<Blob> {
        ask.blobs()
    }

    /// Blobs that everybody who takes part in it may need, besides what its steps name.
    fn attached(&self) -> Vec<Blob> {
        Vec::new()
    }
}

/// A task at a site, and what it is done with.
pub(crate) struct Making<'a> {
    pub(crate) tools: &'a SiteTools<'a>,
    pub(crate) task: &'a Task,
    pub(crate) sizes: Sizes,
    /// The sealed parts of the key in use.
    pub(crate) bundle: Option<Blob>,
    /// The right to make a share.
    pub(crate) permit: Option<Permit>,
    /// What the site remembers from then on, stored with its answer whatever that is.
    pub(crate) marks: &'a mut Vec<Mark>,
}

impl Making<'_> {
    /// The sealed parts and the permit, without which no share is made.
    fn shares(&mut self) -> Result<(Blob, Permit)> {
        let both = self.bundle.zip(self.permit.take());
        both.ok_or_else(|| crate::Error::Permit { step: self.task.step.to_string() })
    }

    /// What a kind answers where it is asked for another kind's step.
    fn foreign(&self) -> crate::Error {
        crate::Error::ForeignPhase { kind: self.task.spec.kind, phase: self.task.step.phase }
    }
}

/// Payloads at the coordinator's worker, and what they are combined with.
pub(crate) struct Combining<'a> {
    pub(crate) study: &'a Study,
    pub(crate) work: &'a Work,
    pub(crate) learning: &'a dyn Advance,
    pub(crate) blobs: &'a dyn Blobs,
    /// What became of its uploads; nothing where they are still to be gone over.
    pub(crate) portions: &'a [Portion],
}

impl Combining<'_> {
    /// As [`Making::foreign`].
    fn foreign(&self) -> crate::Error {
        crate::Error::ForeignPhase { kind: self.work.spec().kind, phase: self.work.step().phase }
    }
}
