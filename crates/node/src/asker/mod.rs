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
use blindscope_learn::features::{self, Backbone, Features, ImportOptions, import};
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

/// The features in a file of ours, or in one that can be imported.
///
/// # Errors
/// [`crate::Error::Features`] for a file that holds no features.
pub fn features(path: &Path) -> Result<Features> {
    let features = if Features::is_ours(path) {
        Features::load(path)
    } else {
        import(path, &ImportOptions::default()).map(|imported| imported.features)
    };
    Ok(features.map_err(features::Error::from)?)
}

/// The tokens of features, a row each.
///
/// # Errors
/// [`crate::Error::Learning`] for features of another width or backbone than the study of `kit`, or of an unknown one where that
/// study does not allow it.
pub fn tokens(kit: &Kit, features: &Features) -> Result<Vec<Vec<f64>>> {
    Terms::of(kit.study()?.literal()).check_rows("the features to be asked about", features)?;
    let mut tokens = Vec::with_capacity(features.len());
    for block in features.values.blocks() {
        let block = block.map_err(features::Error::from)?;
        let rows = block.chunks_exact(features.width.max(1));
        tokens.extend(rows.map(|row| row.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()));
    }
    Ok(tokens)
}

/// Refuses a model that is not the study's, before tiles go through it.
///
/// # Errors
/// [`crate::Error::Learning`] for another model, with both digests.
pub fn check_model(kit: &Kit, model: &Backbone) -> Result<()> {
    let terms = Terms::of(kit.study()?.literal());
    Ok(terms.check_backbone("the model that tiles go through", Some(model.digest()))?)
}

/// Asks for these tokens in one session: keys are made, sent, used, and forgotten.
///
/// # Errors
/// [`crate::Error::File`] for a kit that cannot be read; as [`Asking::begin`] and [`Asking::ask`].
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
