//! What the caller of a plan decides.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};
use blindscope_ckks::Security;

/// How tokens stand in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// All features of a few tokens in one ciphertext: low latency, rotations.
    Token,
    /// One slot a token, two features a ciphertext: thousands of tokens, no rotation.
    Feature,
}

impl std::fmt::Display for Packing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Feature => "feature",
        })
    }
}

/// Under whose key the asker encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOwner {
    /// The asker's own key: half of each ciphertext is a seed, answers are compacted for the asker.
    Asker,
    /// A collective key: answers are ciphertexts that a committee re-encrypts to the asker.
    Collective,
}

/// How a collective key and a question under it come about: both bring noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collective {
    /// Sites whose secrets, and whose keys' errors, add up.
    pub sites: u32,
    /// Fresh encryptions that a question, and an encrypted head, is the sum of.
    pub encryptions: u32,
}

impl Default for Collective {
    /// One site's key, under which the asker encrypts at once.
    fn default() -> Self {
        Self { sites: 1, encryptions: 1 }
    }
}

/// What an asker is to learn; `docs/inference.md` says what each of them leaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "release", rename_all = "lowercase")]
pub enum Release {
    /// Every logit.
    Logits {
        /// Tokens an asker may ask in all; without one, as many as it likes.
        tokens: Option<u64>,
    },
    /// The class alone, as far as the asker's own software keeps to it; the limit holds for any software.
    Class {
        /// Tokens an asker may ask in all.
        tokens: u64,
    },
}

impl Release {
    /// Tokens an asker may ask in all.
    pub fn limit(self) -> Option<u64> {
        match self {
            Self::Logits { tokens } => tokens,
            Self::Class { tokens } => Some(tokens),
        }
    }

    /// Admits `tokens` more after `used` were answered; what a server calls before it evaluates, and keeps durably.
    /// Returns the new count.
    ///
    /// # Errors
    /// [`Error::QueryLimit`] where the asker has asked enough.
    pub fn admit(self, used: u64, tokens: u64) -> Result<u64> {
        let total = used.saturating_add(tokens);
        match self.limit() {
            Some(limit) if total > limit => Err(Error::QueryLimit { used, asked: tokens, limit }),
            _ => Ok(total),
        }
    }
}

/// What the caller wants of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Most tokens of one question.
    pub batch: usize,
    /// Row of the security table that is met at least.
    pub security: Security,
    /// The packing, or the planner's choice.
    pub packing: Option<Packing>,
    /// Whose key.
    pub key: KeyOwner,
    /// How a collective key comes about; read for [`KeyOwner::Collective`] alone.
    pub collective: Collective,
    /// Whether the first layer is encrypted too.
    pub encrypted_head: bool,
    /// What the asker learns.
    pub release: Release,
    /// The largest error of a logit that is put up with: the smallest question that promises it is planned. Without one,
    /// the most exact answer of the ring that the circuit's degree suggests, no finer than `2^-12`.
    pub max_error: Option<f64>,
}

impl Policy {
    /// Batches of this size under the asker's own key, against quantum computers too, the planner's packing, a head in
    /// the clear, logits without a limit.
    pub fn new(batch: usize) -> Self {
        Self {
            batch,
            security: Security::Quantum128,
            packing: None,
            key: KeyOwner::Asker,
            collective: Collective::default(),
            encrypted_head: false,
            release: Release::Logits { tokens: None },
            max_error: None,
        }
    }

    /// As this policy, with the worst logit right to this many bits right of the point.
    #[must_use]
    pub fn precise(self, bits: u32) -> Self {
        Self { max_error: Some((-f64::from(bits)).exp2()), ..self }
    }
}
