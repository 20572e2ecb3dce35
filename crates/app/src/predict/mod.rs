//! Encrypted predictions: an asker encrypts tokens under its own key, the coordinator evaluates the released head of a job that
//! is done, the asker opens the logits.
//!
//! The coordinator sees ciphertexts, how many tokens they hold, and when. The asker learns its own logits; enough of those
//! give a head away, so tokens are counted by certificate and hour, durably, before anything is evaluated.

mod asking;
mod heads;
mod kept;
mod oracle;
mod usage;

use blindscope_federation::Blob;
use serde::{Deserialize, Serialize};

pub use asking::Asking;
pub use heads::HeadReader;
pub(crate) use oracle::Oracle;

/// What a call about a head names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// The job whose head is asked.
    job: String,
    /// The evaluation keys that the question is to be answered with, uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Blob>,
    /// Tokens in the question.
    #[serde(default)]
    tokens: usize,
}
