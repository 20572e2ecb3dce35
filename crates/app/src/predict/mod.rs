//! Encrypted predictions: an asker encrypts tokens under its own key, the coordinator evaluates the released head of a job that
//! is done, the asker opens the logits.
//!
//! The coordinator sees ciphertexts, how many tokens they hold, and when. The asker learns its own logits; enough of those
//! give a head away, so tokens are counted by certificate and hour, durably, before anything is evaluated.

mod asking;
mod collective;
mod heads;
mod kept;
mod oracle;
mod usage;

use std::path::Path;

use blindscope_federation::{Blob, Confirmed, JobId};
use blindscope_vision::features::{Features, ImportOptions, import};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::kit::Kit;

pub use asking::Asking;
pub use collective::predict_encrypted;
pub use heads::HeadReader;
pub(crate) use oracle::{Oracle, exact, wish};
pub(crate) use usage::Usage;

/// One token's prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Name of the class with the largest logit.
    pub class: String,
    /// All logits, in the order of the study's classes.
    pub logits: Vec<f64>,
}

/// The tokens in a file of features, a row each.
///
/// # Errors
/// [`crate::AppError::Vision`]
pub fn tokens(path: &Path) -> Result<Vec<Vec<f64>>> {
    let features = if Features::is_ours(path) {
        Features::load(path)?
    } else {
        import(path, &ImportOptions::default())?
    };
    Ok((0..features.len()).map(|i| features.row(i).iter().map(|&x| f64::from(x)).collect()).collect())
}

/// Asks for these tokens in one session: keys are made, sent, used, and forgotten.
///
/// # Errors
/// [`crate::AppError`]
pub async fn predict(
    kit: &Kit,
    overrides: &[String],
    job: &str,
    tokens: &[Vec<f64>],
    rng: &mut (impl CryptoRng + Send),
) -> Result<Vec<Prediction>> {
    let study = kit.study()?;
    let classes = &study.literal().classes;
    let asking = Asking::begin(kit, overrides, job, rng).await?;
    let logits = asking.ask(tokens, rng).await?;
    Ok(logits.into_iter().map(|logits| Prediction::of(logits, classes)).collect())
}

impl Prediction {
    fn of(logits: Vec<f64>, classes: &[String]) -> Self {
        let best = blindscope_classify::class(&logits);
        Self { class: classes.get(best).cloned().unwrap_or_else(|| best.to_string()), logits }
    }
}

/// What a call about a head names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The job whose head is asked.
    pub(crate) job: String,
    /// Whether its head is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) encrypted: bool,
    /// A question that was asked before: how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<JobId>,
    /// The evaluation keys that the question is to be answered with, uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<Blob>,
    /// Tokens in the question.
    #[serde(default)]
    pub(crate) tokens: usize,
}

/// How an encrypted head is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptedOffer {
    /// The plan, JSON.
    pub(crate) plan: String,
    /// The collective public key that tokens are encrypted under.
    pub(crate) public_key: Blob,
    /// The ceremony that made it.
    pub(crate) ceremony: JobId,
    /// Every site's signed word for it.
    pub(crate) confirmed: Vec<Confirmed>,
}

/// The receipt of a question to an encrypted head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Its job.
    pub(crate) question: JobId,
}
