//! Training attention and its head on the slides of one place, by the code of the job `attention`.

use std::sync::{Mutex, PoisonError};

use super::{EpochFigures, Error, Evaluation};
use crate::jobs::{
    self, AttentionPooling, AttentionSettings, Examples, Model, SiteData, Terms, clear_twin, job,
};
use blindscope_federation::JobKind;
use blindscope_vision::features::Features;

/// A model of slides, and how it came about.
#[derive(Debug, Clone)]
pub struct TrainedSlides {
    /// Attention and head, as a job leaves them.
    pub model: Model,
    /// Every step.
    pub steps: Vec<EpochFigures>,
    /// Its figures on the slides that were held out.
    pub held_out: Option<Evaluation>,
}

/// Trains on `train`, whose rows are tiles called `SLIDE/X_Y`, and evaluates on `held_out`. Width, number and names of the classes are
/// those of `train`, whatever `settings` say.
///
/// # Errors
/// [`Error::Jobs`] for rows that name no slide, a slide of several classes, slides of one class, or settings out of range;
/// [`Error::Vision`] for rows without labels.
pub fn train_slides(
    train: &Features,
    held_out: Option<&Features>,
    settings: &AttentionSettings,
    progress: &(dyn Fn(&EpochFigures) + Send + Sync),
) -> Result<TrainedSlides, Error> {
    let settings = AttentionSettings {
        width: train.width,
        classes: train.classes.len(),
        names: train.classes.clone(),
        validate: false,
        ..settings.clone()
    };
    let spec = job("slides", JobKind::Attention, &settings)?;
    let site = SiteData { train: examples(train)?, ..SiteData::default() };
    let steps = Mutex::new(Vec::new());
    let result = clear_twin(&spec, &[&site], &|now| {
        let figures = EpochFigures { epoch: now.epoch as usize, loss: now.loss, accuracy: now.accuracy };
        progress(&figures);
        steps.lock().unwrap_or_else(PoisonError::into_inner).push(figures);
    })?;
    let model = Model::from_json(&result)?;
    let held_out = held_out.map(|tiles| of_slides(&model, tiles)).transpose()?;
    let steps = steps.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(TrainedSlides { model, steps, held_out })
}

/// Rows under the names of their own classes.
fn examples(features: &Features) -> Result<Examples, Error> {
    let terms = Terms {
        classes: features.classes.clone(),
        width: features.width,
        backbone: features.backbone.unwrap_or_default(),
        allow_unknown_backbone: features.backbone.is_none(),
    };
    Ok(terms.examples("the rows to train on", features)?)
}

/// The model's figures on the slides of tiles.
fn of_slides(model: &Model, tiles: &Features) -> Result<Evaluation, Error> {
    let pooling: Option<&AttentionPooling> = model.pooling.as_ref();
    let pooling = pooling
        .ok_or_else(|| jobs::Error::Bytes { what: "model file", reason: "it holds no attention".into() })?;
    Evaluation::new(&model.head()?, &pooling.pool(tiles)?.features)
}
