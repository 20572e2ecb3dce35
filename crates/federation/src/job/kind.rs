//! The kinds of jobs, by name: a row each.

use serde::{Deserialize, Serialize};

/// Which key a kind has to do with.
#[derive(PartialEq, Eq)]
enum Family {
    /// It adds up integers, which are opened, under keys of its rounds.
    Sum {
        /// Whether it may take more than one round.
        rounds: bool,
    },
    /// It makes the inference key.
    InferenceKey,
    /// It works under the inference key.
    UnderKey,
    /// Of earlier releases, refused.
    Former,
}

/// The kinds that there are: what each computes, its name in files and records, its family.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $family:expr;)*) => {
        /// What a job computes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum JobKind {
            /// The collective key of sums, in files of earlier releases. Refused: no sum needs it.
            #[serde(rename = "ceremony")]
            Ceremony,
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl JobKind {
            /// Every kind that can be submitted, in the order in which files list them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The kind's name, as in files and records.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Ceremony => "ceremony",
                    $(Self::$kind => $name,)*
                }
            }

            fn family(self) -> Family {
                match self {
                    Self::Ceremony => Family::Former,
                    $(Self::$kind => $family,)*
                }
            }
        }
    };
}

kinds! {
    /// Rounds of sums of integers that sites bring themselves: no learning code of ours.
    Sum = "sum", Family::Sum { rounds: true };
    /// Class counts, class sums and a Gram matrix, in one round: the pooled head, exactly.
    Statistics = "statistics", Family::Sum { rounds: false };
    /// The same and counts of answers by fold: the best of a ladder of heads, with its interval.
    Auto = "auto", Family::Sum { rounds: true };
    /// Rounds of local training of a head and a weighted mean.
    Fedavg = "fedavg", Family::Sum { rounds: true };
    /// Rounds of a weighted mean of a whole model update.
    Update = "update", Family::Sum { rounds: true };
    /// Rounds of full-batch steps of attention over the tiles of slides, and a head on what it pools.
    Attention = "attention", Family::Sum { rounds: true };
    /// The mean CLS token a class.
    ClsMean = "cls-mean", Family::Sum { rounds: false };
    /// Counts from which validation metrics follow.
    Metrics = "metrics", Family::Sum { rounds: false };
    /// A collective key, for encrypted inference.
    InferenceKeys = "inference-keys", Family::InferenceKey;
    /// The average of the sites' first layers under the inference key: never decrypted.
    EncryptedHead = "encrypted-head", Family::UnderKey;
    /// An answer of an encrypted head, re-encrypted to who asked.
    Question = "question", Family::UnderKey;
}

impl JobKind {
    /// Whether the kind may take more than one round.
    pub fn has_rounds(self) -> bool {
        self.family() == Family::Sum { rounds: true }
    }

    /// Whether the kind makes a key.
    pub fn is_ceremony(self) -> bool {
        matches!(self.family(), Family::Former | Family::InferenceKey)
    }

    /// Whether the kind adds up integers that are opened.
    pub fn is_sum(self) -> bool {
        matches!(self.family(), Family::Sum { .. })
    }

    /// Whether the kind works under the inference key.
    pub fn is_inference(self) -> bool {
        matches!(self.family(), Family::InferenceKey | Family::UnderKey)
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
