//! The kinds of jobs, by name.

use serde::{Deserialize, Serialize};

/// What a job computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// The collective key of sums, in files of earlier releases. Refused: no sum needs it.
    Ceremony,
    /// Rounds of sums of integers that sites bring themselves: no learning code of ours.
    Sum,
    /// Class counts, class sums and a Gram matrix, in one round: the pooled head, exactly.
    Statistics,
    /// The same and counts of answers by fold: the best of a ladder of heads, with its interval.
    Auto,
    /// Rounds of local training of a head and a weighted mean.
    Fedavg,
    /// Rounds of a weighted mean of a whole model update.
    Update,
    /// The mean CLS token a class.
    ClsMean,
    /// Counts from which validation metrics follow.
    Metrics,
    /// A collective key, for encrypted inference.
    InferenceKeys,
    /// The average of the sites' first layers under the inference key: never decrypted.
    EncryptedHead,
    /// An answer of an encrypted head, re-encrypted to who asked.
    Question,
}

impl JobKind {
    /// Every kind, in the order in which files list them.
    pub const ALL: [Self; 10] = [
        Self::Sum,
        Self::Statistics,
        Self::Auto,
        Self::Fedavg,
        Self::Update,
        Self::ClsMean,
        Self::Metrics,
        Self::InferenceKeys,
        Self::EncryptedHead,
        Self::Question,
    ];

    /// The kind's name, as in files and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ceremony => "ceremony",
            Self::Sum => "sum",
            Self::Statistics => "statistics",
            Self::Auto => "auto",
            Self::Fedavg => "fedavg",
            Self::Update => "update",
            Self::ClsMean => "cls-mean",
            Self::Metrics => "metrics",
            Self::InferenceKeys => "inference-keys",
            Self::EncryptedHead => "encrypted-head",
            Self::Question => "question",
        }
    }

    /// Whether the kind may take more than one round.
    pub fn has_rounds(self) -> bool {
        matches!(self, Self::Sum | Self::Auto | Self::Fedavg | Self::Update)
    }

    /// Whether the kind makes a key.
    pub fn is_ceremony(self) -> bool {
        matches!(self, Self::Ceremony | Self::InferenceKeys)
    }

    /// Whether the kind adds up integers that are opened.
    pub fn is_sum(self) -> bool {
        !self.is_ceremony() && !self.is_inference()
    }

    /// Whether the kind works under the inference key.
    pub fn is_inference(self) -> bool {
        matches!(self, Self::InferenceKeys | Self::EncryptedHead | Self::Question)
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
