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

/// The kinds that there are: what each computes, its name in files and records, its family, what people are told of it, and the rest of its
/// smallest file.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $family:expr, $about:literal, $asks:literal, $example:expr;)*) => {
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

            /// What its jobs are for, in words for people who choose one.
            pub fn about(self) -> &'static str {
                match self {
                    Self::Ceremony => "nothing: no sum needs the collective key of earlier releases",
                    $(Self::$kind => $about,)*
                }
            }

            /// What its jobs ask of a site, in words for people who have to allow them.
            pub fn asks(self) -> &'static str {
                match self {
                    Self::Ceremony => "a share of a key that nobody will hold alone",
                    $(Self::$kind => $asks,)*
                }
            }

            /// What the smallest file of a job of the kind says after its name and kind, as TOML; none for kinds that people do not
            /// submit.
            pub fn example(self) -> Option<&'static str> {
                match self {
                    Self::Ceremony => None,
                    $(Self::$kind => $example,)*
                }
            }
        }
    };
}

kinds! {
    /// Rounds of sums of integers that sites bring themselves: no learning code of ours.
    Sum = "sum", Family::Sum { rounds: true },
        "integers that sites bring themselves",
        "encrypted integers from the file that our settings name",
        Some("values = 1000\nmax = 65535\n");
    /// Class counts, class sums and a Gram matrix, in one round: the pooled head, exactly.
    Statistics = "statistics", Family::Sum { rounds: false },
        "one round: the head that pooling all data would give",
        "encrypted counts and sums of features by class, and their products in pairs",
        Some("[settings]\nlambda = 0.01\n");
    /// The same and counts of answers by fold: the best of a ladder of heads, with its interval.
    Auto = "auto", Family::Sum { rounds: true },
        "two rounds: the best of a ladder of heads, with its interval",
        "encrypted counts and sums of features by class, and their products in pairs; then counts of a few heads' answers here",
        Some("");
    /// Rounds of local training of a head and a weighted mean.
    Fedavg = "fedavg", Family::Sum { rounds: true },
        "rounds of local training, averaged",
        "encrypted weights of a head that was trained here",
        Some("[settings]\nrounds = 5\nepochs = 6\nhidden = 32\n");
    /// Rounds of a weighted mean of a whole model update.
    Update = "update", Family::Sum { rounds: true },
        "rounds of training the backbone itself",
        "the encrypted change of the backbone that was trained here",
        Some("[settings]\nrounds = 3\nepochs = 2\n");
    /// Rounds of full-batch steps of attention over the tiles of slides, and a head on what it pools.
    Attention = "attention", Family::Sum { rounds: true },
        "rounds of learning which tiles of a slide matter, and a head a slide",
        "encrypted gradients of attention over our slides, summed over all of them",
        Some("");
    /// The mean CLS token a class.
    ClsMean = "cls-mean", Family::Sum { rounds: false },
        "the mean token of each class",
        "encrypted counts and sums of features by class",
        Some("");
    /// Counts from which validation metrics follow.
    Metrics = "metrics", Family::Sum { rounds: false },
        "how well a model file does at the sites",
        "encrypted counts of a model's right and wrong answers here",
        Some("[settings]\nmodel = \"SHA-256 of the model file\"\n");
    /// A collective key, for encrypted inference.
    InferenceKeys = "inference-keys", Family::InferenceKey,
        "the key of an encrypted head",
        "a share of a key that nobody will hold alone",
        Some("start = \"NAME OF A fedavg JOB\"\n[settings]\nhidden = 32\n");
    /// The average of the sites' first layers under the inference key: never decrypted.
    EncryptedHead = "encrypted-head", Family::UnderKey,
        "a head that nobody sees",
        "a first layer that was trained here, dealt in shares that are encrypted; nobody ever sees or decrypts it",
        Some("start = \"NAME OF A fedavg JOB\"\n[settings]\nhidden = 32\n");
    /// An answer of an encrypted head, re-encrypted to who asked.
    Question = "question", Family::UnderKey,
        "an answer of an encrypted head; askers submit them",
        "a share of the answer, encrypted to whoever asked; nothing of our data",
        None;
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
