//! What workers do, and what it comes to.

use serde::{Deserialize, Serialize};

use blindscope_federation::{Blob, JobSpec, Outcome, Output, Portion, SignedChange, SiteId, Work};

/// A piece of work: a function of what it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Piece {
    /// Combine the payloads of a step.
    Combine {
        /// What made the roster of the study's founding the one that the work is under.
        changes: Vec<SignedChange>,
        /// The work.
        work: Box<Work>,
        /// What others made of its uploads; nothing where they are still to be gone over.
        portions: Vec<Portion>,
    },
    /// Go over some of the uploads of a step's work.
    GoOver {
        /// As of [`Self::Combine`].
        changes: Vec<SignedChange>,
        /// The work.
        work: Box<Work>,
        /// Whose uploads.
        sites: Vec<SiteId>,
    },
    /// Answer a question to a head in the clear. Its tokens are counted before.
    Answer(Box<Questioned>),
}

impl Piece {
    /// All that [`Self::name`] says.
    pub(crate) const NAMES: [&'static str; 3] = ["combine", "go-over", "answer"];

    /// What it is, for figures.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Combine { .. } => "combine",
            Self::GoOver { .. } => "go-over",
            Self::Answer(_) => "answer",
        }
    }
}

/// A question to a head in the clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Questioned {
    /// The head's job file.
    pub(crate) spec: JobSpec,
    /// The job's result, which holds the head.
    pub(crate) result: Blob,
    /// Most tokens of one question, and bits right of the point: what the head's plan was made for.
    pub(crate) batch: usize,
    /// See `batch`.
    pub(crate) precision: Option<u32>,
    /// The asker's evaluation keys.
    pub(crate) keys: Blob,
    /// The question.
    pub(crate) question: Blob,
    /// What the answer's fresh encryption of zero and its flooding are drawn from: whoever does it, and however often, it is one answer.
    pub(crate) seed: [u8; 32],
}

/// What a piece came to. That payloads cannot be used, or that a job ends, is no worker's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Made {
    /// Some uploads were gone over.
    WentOver(Portion),
    /// Payloads were combined.
    Combined(Box<Output>),
    /// A sum was opened, and this follows.
    Opened(Outcome),
    /// A question was answered.
    Answered(Blob),
}

/// The outcome of one piece, and of no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ended {
    /// The parcel that named the piece.
    pub(crate) piece: Blob,
    /// What it came to.
    pub(crate) made: Made,
}

impl Made {
    /// Every blob that it names.
    pub(crate) fn blobs(&self) -> Vec<Blob> {
        match self {
            Self::Combined(output) => output.blobs().collect(),
            Self::WentOver(portion) => vec![portion.made],
            Self::Opened(Outcome::Next(blob) | Outcome::Final(blob)) | Self::Answered(blob) => vec![*blob],
        }
    }
}
