//! Encrypted predictions: an asker encrypts tokens under its own key, the coordinator evaluates the released head of a job that
//! is done, the asker opens the logits.
//!
//! The coordinator sees ciphertexts, how many tokens they hold, and when. The asker learns its own logits; enough of those
//! give a head away, so tokens are counted by certificate and hour, durably, before anything is evaluated.

mod asking;
mod collective;
mod doubts;
mod rows;

use std::path::Path;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::documents::Wish;
use crate::error::Result;
use crate::kit::{Kit, PartySettings};
use blindscope_learn::features::{self, Backbone, Features, ImportOptions, import};
use blindscope_learn::jobs::{AttentionPooling, Terms};

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

/// Refuses features that the study's heads do not take.
///
/// # Errors
/// [`crate::Error::Learning`] for features of another width or backbone than the study of `kit`, or of an unknown one where that
/// study does not allow it.
pub fn check(kit: &Kit, features: &Features) -> Result<()> {
    Ok(Terms::of(kit.study()?.literal()).check_rows("the features to be asked about", features)?)
}

/// How the head of a job wants the tiles of a slide pooled; none where it takes tiles as they are. Whoever may ask the head gets it.
///
/// # Errors
/// [`crate::Error::Transport`] where the coordinator cannot be reached or does not release this head to this asker;
/// [`crate::Error::Learning`] for bytes that are no attention.
pub async fn pooling(kit: &Kit, overrides: &[String], job: &str) -> Result<Option<AttentionPooling>> {
    let settings: PartySettings = kit.settings(overrides)?;
    let client = kit.client(&settings.coordinator)?;
    let wish = Wish::Pooling { job: job.to_owned() };
    let bytes = client.offer(asking::header(&wish)?.into()).await?;
    Ok(if bytes.is_empty() { None } else { Some(AttentionPooling::from_bytes(&bytes)?) })
}

/// Refuses a model that is not the study's, before tiles go through it.
///
/// # Errors
/// [`crate::Error::Learning`] for another model, with both digests.
pub fn check_model(kit: &Kit, model: &Backbone) -> Result<()> {
    let terms = Terms::of(kit.study()?.literal());
    Ok(terms.check_backbone("the model that tiles go through", Some(model.digest()))?)
}

/// Asks for the rows of features in one session: keys are made, sent, used, and forgotten. Rows that stay in their file are read a
/// few questions at a time.
///
/// # Errors
/// [`crate::Error::File`] for a kit that cannot be read; [`crate::Error::Features`] for a file of rows that cannot be read any more; as
/// [`Asking::begin`] and [`Asking::ask`].
pub async fn predict(
    kit: &Kit,
    overrides: &[String],
    job: &str,
    features: &Features,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Vec<Prediction>> {
    let study = kit.study()?;
    let classes = &study.literal().classes;
    let asking = Asking::begin(kit, overrides, job, rng).await?;
    let mut predictions = Vec::with_capacity(features.len());
    for tokens in rows::in_batches(features, asking.plan().literal().batch, rows::AT_ONCE) {
        let logits = asking.ask(&tokens?, rng).await?;
        predictions.extend(logits.into_iter().map(|logits| Prediction::of(logits, classes)));
    }
    Ok(predictions)
}

impl Prediction {
    fn of(logits: Vec<f64>, classes: &[String]) -> Self {
        let best = blindscope_classify::class(&logits);
        Self { class: classes.get(best).cloned().unwrap_or_else(|| best.to_string()), logits }
    }
}
