//! Encrypted predictions: an asker encrypts tokens under its own key, the coordinator evaluates the released head of a job that
//! is done, the asker opens the logits.
//!
//! The coordinator sees ciphertexts, how many tokens they hold, and when. The asker learns its own logits; enough of those
//! give a head away, so tokens are counted by certificate and hour, durably, before anything is evaluated.

mod asking;
mod collective;

use std::path::Path;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::kit::Kit;
use blindscope_learn::features::{Features, ImportOptions, import};
use blindscope_learn::jobs::Terms;

pub use asking::Asking;
pub use collective::predict_encrypted;

/// One token's prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Name of the class with the largest logit.
    pub class: String,
    /// All logits, in the order of the study's classes.
    pub logits: Vec<f64>,
}

/// The tokens in a file of features, a row each, with the rows' names.
///
/// # Errors
/// [`crate::Error::Features`] for a file that holds no features; [`crate::Error::Learning`] for features of another width or
/// backbone than the study of `kit`, or of an unknown one where that study does not allow it.
pub fn tokens(kit: &Kit, path: &Path) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    let features = if Features::is_ours(path) {
        Features::load(path)
    } else {
        import(path, &ImportOptions::default()).map(|imported| imported.features)
    };
    let features = features.map_err(blindscope_learn::features::Error::from)?;
    Terms::of(kit.study()?.literal()).check_rows("the features to be asked about", &features)?;
    let rows = (0..features.len()).map(|i| features.row(i).iter().map(|&x| f64::from(x)).collect()).collect();
    Ok((features.ids, rows))
}

/// Asks for these tokens in one session: keys are made, sent, used, and forgotten.
///
/// # Errors
/// [`crate::Error`]
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
