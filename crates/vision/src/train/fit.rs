//! Local training of a backbone with its head: the paper's 30 epochs of AdamW, accuracy by epoch.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rayon::prelude::*;

use super::augment::augment;
use super::classifier::Classifier;
use super::tuning::Tuning;
use crate::data::{Preprocess, Rgb};
use crate::error::{Error, Result};
use crate::head::{AdamW, cross_entropy, for_each_batch};
use crate::metrics::argmax;
use crate::vit::Vit;

/// A decoded tile with its class.
#[derive(Clone, Debug)]
pub struct TrainingTile {
    /// The pixels.
    pub image: Rgb,
    /// The class label.
    pub label: usize,
}

/// How a backbone is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct FitPlan {
    /// The trained part.
    pub tuning: Tuning,
    /// Passes over the data.
    pub epochs: usize,
    /// Tiles a step.
    pub batch: usize,
    /// Peak step size for the backbone.
    pub rate: f32,
    /// Peak step size for the head.
    pub head_rate: f32,
    /// Weight decay of matrices.
    pub decay: f32,
    /// Whether tiles are turned and their stain varied.
    pub augment: bool,
    /// Seed of adapters, shuffles and augmentation.
    pub seed: u64,
}

impl Default for FitPlan {
    fn default() -> Self {
        Self {
            tuning: Tuning::LastBlocks(1),
            epochs: 30,
            batch: 8,
            rate: 1e-4,
            head_rate: 1e-3,
            decay: 0.05,
            augment: true,
            seed: 0,
        }
    }
}

/// One epoch's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Epochs done, from 1.
    pub number: usize,
    /// Mean loss.
    pub loss: f32,
    /// Training accuracy, measured on the way.
    pub accuracy: f32,
}

/// Trains `model` and `head` in place and returns every epoch's figures. `progress` is called after each epoch; when it
/// breaks, training ends there with the model as it is.
///
/// # Errors
/// [`Error::Data`] without tiles or for a label without a class, [`Error::Config`] for an impossible tuning,
/// [`Error::Shape`] when head and backbone disagree.
pub fn fit(
    model: &mut Vit,
    head: &mut Classifier,
    tiles: &[TrainingTile],
    preprocess: &Preprocess,
    plan: &FitPlan,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Vec<Epoch>> {
    head.check_width(model.config().width)?;
    if let Some(tile) = tiles.iter().find(|t| t.label >= head.classes()) {
        return Err(Error::data("training", format!("label {} of {} classes", tile.label, head.classes())));
    }
    if tiles.is_empty() {
        return Err(Error::data("training", "there is no tile"));
    }
    plan.tuning.prepare(model, &mut ChaCha12Rng::seed_from_u64(plan.seed))?;
    let mut run = Run {
        backbone_optimiser: AdamW::new(plan.rate, plan.decay),
        head_optimiser: AdamW::new(plan.head_rate, plan.decay),
        step: 0,
        plan,
    };
    let mut epochs = Vec::new();
    let (mut loss, mut right, mut outcome, mut stopped) = (0.0, 0, Ok(()), false);
    for_each_batch(tiles.len(), plan.epochs, plan.batch, plan.seed ^ 2, |batch, at| {
        if stopped || outcome.is_err() {
            return;
        }
        match run.step(model, head, tiles, preprocess, batch, at.rate) {
            Ok((batch_loss, batch_right)) => {
                loss += batch_loss * batch.len() as f32;
                right += batch_right;
            }
            Err(e) => outcome = Err(e),
        }
        if let Some(epoch) = at.epoch_end {
            let n = tiles.len() as f32;
            let figures = Epoch { number: epoch + 1, loss: loss / n, accuracy: right as f32 / n };
            (loss, right) = (0.0, 0);
            stopped = progress(&figures).is_break();
            epochs.push(figures);
        }
    });
    outcome.map(|()| epochs)
}

struct Run<'a> {
    plan: &'a FitPlan,
    backbone_optimiser: AdamW,
    head_optimiser: AdamW,
    step: u64,
}

impl Run<'_> {
    /// One step on a batch; its loss and right answers.
    fn step(
        &mut self,
        model: &mut Vit,
        head: &mut Classifier,
        tiles: &[TrainingTile],
        preprocess: &Preprocess,
        batch: &[usize],
        rate: f32,
    ) -> Result<(f32, usize)> {
        self.step += 1;
        let plan = self.plan;
        let first = self.step << 20;
        let load = |(i, tile): (usize, &usize)| {
            let image = &tiles[*tile].image;
            if plan.augment {
                let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ (first + i as u64));
                preprocess.pixels(&augment(image, &mut rng))
            } else {
                preprocess.pixels(image)
            }
        };
        let pixels: Vec<Vec<f32>> = batch.par_iter().enumerate().map(load).collect();
        let labels: Vec<usize> = batch.iter().map(|i| tiles[*i].label).collect();
        let recording = model.record(&pixels.concat(), plan.tuning.first_block(model.config().depth))?;
        let logits = head.logits(recording.cls_tokens())?;
        let answers = logits.chunks_exact(head.classes()).zip(&labels);
        let right = answers.filter(|(row, label)| argmax(row) == **label).count();
        let (loss, d_logits) = cross_entropy(&logits, &labels, head.classes());
        let (head_gradient, d_class) = head.backward(recording.cls_tokens(), &d_logits);
        if plan.tuning != Tuning::Head {
            let mut gradient = plan.tuning.gradient(model.parameters());
            model.backward(&recording, &d_class, &mut gradient)?;
            drop(recording);
            let specs = model.parameters().specs(model.config());
            let tensors =
                model.parameters_mut().tensors_mut().into_iter().zip(gradient.tensors()).zip(&specs);
            self.backbone_optimiser.rate = plan.rate * rate;
            self.backbone_optimiser
                .step(tensors.map(|((p, g), spec)| (p.as_mut_slice(), g.as_slice(), spec.decays())));
        }
        self.head_optimiser.rate = plan.head_rate * rate;
        head.step(&head_gradient, &mut self.head_optimiser);
        Ok((loss, right))
    }
}
