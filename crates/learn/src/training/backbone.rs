//! Training a backbone together with its head.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::head::finish;
use super::{EpochFigures, Error, Evaluation, HeadRequest, TrainedHead, train_head};
use crate::features::{self, Backbone, ExtractOptions};
use blindscope_vision::data::{Dataset, Rejected, decode, read_image};
use blindscope_vision::features::Features;
use blindscope_vision::train::{FitPlan, TrainingTile, Tuning, fit};

/// How a backbone is trained.
#[derive(Debug, Clone)]
pub struct TuneRequest {
    /// The head: trained first on the backbone as it is, then with it.
    pub head: HeadRequest,
    /// The trained part, epochs, rates, augmentation.
    pub plan: FitPlan,
    /// How tiles are read. No cache is used: the backbone changes.
    pub extraction: ExtractOptions,
}

/// A backbone that was trained with its head.
#[derive(Debug, Clone)]
pub struct TunedBackbone {
    /// The backbone, adapters folded in.
    pub backbone: Backbone,
    /// The head as encryption evaluates it, with the figures of the joint training.
    pub head: TrainedHead,
    /// The held-out rows under the first head, on the backbone as it was.
    pub before: Option<Evaluation>,
    /// Tiles that could not be used.
    pub rejected: Vec<Rejected>,
}

/// Trains a head on `backbone`'s features of `train`, then both together by [`fit`], and evaluates on `held_out`. All tiles of
/// `train` are held in memory. `progress` hears of every epoch; once `cancel` is set, training ends after the epoch at hand and
/// what it has reached is returned.
///
/// # Errors
/// [`Error::Vision`] when no tile is readable, or for a part that the backbone has not.
pub fn tune(
    mut backbone: Backbone,
    train: &Dataset,
    held_out: Option<&Dataset>,
    request: &TuneRequest,
    progress: &mut dyn FnMut(&EpochFigures),
    cancel: &AtomicBool,
) -> Result<TunedBackbone, Error> {
    let tokens =
        |backbone: &Backbone, tiles: &Dataset| cls_tokens(backbone, tiles, &request.extraction, cancel);
    let (rows, mut rejected) = tokens(&backbone, train)?;
    let test = held_out.map(|tiles| tokens(&backbone, tiles)).transpose()?;
    let started = train_head(&rows, test.as_ref().map(|(rows, _)| rows), &request.head)?;
    rejected.extend(test.into_iter().flat_map(|(_, rejected)| rejected));

    let tiles = decoded(train, &request.extraction);
    let (mut classifier, mut epochs) = (started.classifier, Vec::new());
    fit(&mut backbone.model, &mut classifier, &tiles, &backbone.preprocess, &request.plan, &mut |epoch| {
        let figures = EpochFigures { epoch: epoch.number, loss: epoch.loss, accuracy: epoch.accuracy };
        progress(&figures);
        epochs.push(figures);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    drop(tiles);
    Tuning::merge(&mut backbone.model);

    // What was reached is evaluated even when the caller wanted training to end early.
    let go_on = AtomicBool::new(false);
    let last = |tiles: &Dataset| cls_tokens(&backbone, tiles, &request.extraction, &go_on);
    let (rows, _) = last(train)?;
    let test = held_out.map(last).transpose()?;
    let head = finish(classifier, &rows, test.as_ref().map(|(rows, _)| rows), epochs)?;
    Ok(TunedBackbone { backbone, head, before: started.report.held_out, rejected })
}

fn cls_tokens(
    backbone: &Backbone,
    tiles: &Dataset,
    options: &ExtractOptions,
    cancel: &AtomicBool,
) -> Result<(Features, Vec<Rejected>), Error> {
    let options = ExtractOptions { cache: None, ..options.clone() };
    let extracted = features::extract(tiles, backbone, &options, &mut |_| {}, cancel)?;
    Ok((extracted.features, extracted.rejected))
}

/// The readable tiles; the others have been listed by the extraction before.
fn decoded(tiles: &Dataset, options: &ExtractOptions) -> Vec<TrainingTile> {
    let read = |path: &std::path::Path| {
        read_image(path, options.limits).and_then(|bytes| decode(&bytes, options.limits)).ok()
    };
    let tile = |sample: &blindscope_vision::data::Sample| {
        Some(TrainingTile { image: read(&sample.path)?, label: sample.label })
    };
    tiles.samples.iter().filter_map(tile).collect()
}
