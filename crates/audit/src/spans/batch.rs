//! The whole batch, image by image.
//!
//! Once an image is found, its own gradient is computed, for each class, and taken off the batch's: what is left is the
//! gradient of a smaller batch, whose spans are narrower. The right class is the one for which dL/dW_patch loses rank, so
//! labels come along. The last image has a closed form.

use faer::Mat;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::block::Block;
use super::fit::Fit;
use super::search::{Candidate, FOUND, SearchPlan, search};
use super::seen::{ATTACK, Seen};
use crate::closed::assemble;
use crate::error::{Error, Result};
use crate::linear::{left_singular, narrow, product};
use crate::matching::Subspace;
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Parameters, Vit};

/// Deviation of the starts' coordinates, in normalised colours over a patch: about half of real tiles'.
pub(super) const SPREAD: f64 = 0.1;

/// What is attacked.
#[derive(Debug)]
pub struct Observed<'a> {
    /// Gradient of the mean loss; of an update the sum of its steps' gradients, of whatever length.
    pub gradient: &'a Parameters,
    /// The model whose gradient it is; of an update the model before.
    pub model: &'a Vit,
    /// Its head.
    pub head: &'a LinearHead,
    /// Images in the batch.
    pub images: usize,
}

/// Where the attack stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanStep {
    /// The image of the batch, from 0.
    pub image: usize,
    /// Evaluations done for it.
    pub evaluation: usize,
    /// Its least misfit.
    pub misfit: f64,
}

/// One recovered image.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanImage {
    /// Normalised pixels `[3, side, side]`.
    pub pixels: Vec<f32>,
    /// Its misfit; below 1e-6 for an image behind a gradient.
    pub misfit: f64,
    /// Its label, as the gradient without it says; nothing for the last image, nor behind an update.
    pub label: Option<usize>,
}

impl SpanImage {
    /// Whether this is an image of the batch, not only as near as the search came.
    pub fn found(&self) -> bool {
        self.misfit < FOUND
    }
}

/// Recovers the images behind a batch's gradient. Images that no start finds are returned as near as the search came. When
/// `progress` gives `false` what was found so far is returned.
///
/// # Errors
/// [`Error::NotShared`] without positions, patch embedding or the first block's feed-forward layers; [`Error::Setting`] for a batch
/// of more tokens than the model is wide, or no start; [`Error::NotFinite`] for a gradient that is not finite; [`Error::Vision`]
/// where the model cannot be run at an image.
pub fn recover(
    observed: &Observed<'_>,
    plan: &SearchPlan,
    progress: &mut dyn FnMut(&SpanStep) -> bool,
) -> Result<Vec<SpanImage>> {
    let config = observed.model.config();
    let mut seen = Seen::new(config, observed.gradient)?;
    check(observed, plan)?;
    let block = Block::new(config, &observed.model.parameters().blocks[0]);
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut found = Vec::new();
    let mut space = Subspace::of(config, &seen.patch, &seen.positions, observed.images)?;
    for left in (1..=observed.images).rev() {
        let spans = spans(&seen, [left * config.tokens(); 2])?;
        let fit = Fit::new(observed.model, &block, &space, spans);
        let image = observed.images - left;
        let spread = SPREAD * (config.patch_values() as f64).sqrt();
        let mut tick = |evaluation, misfit| progress(&SpanStep { image, evaluation, misfit });
        let (best, stopped) = search(&fit, plan, spread, &mut rng, &mut tick);
        let Some(best) = best else { break };
        let pixels = pixels(observed.model, &space, &best);
        let mut next = SpanImage { pixels, misfit: best.misfit, label: None };
        if left > 1 && next.found() {
            let (label, without) = peel(observed, &seen, &next.pixels, left)?;
            next.label = Some(label);
            seen = without;
            space = Subspace::of(config, &seen.patch, &seen.positions, left - 1)?;
        }
        found.push(next);
        if stopped {
            break;
        }
    }
    Ok(found)
}

/// The spans of the inputs of fc1 and fc2, of these ranks.
pub(super) fn spans(seen: &Seen, ranks: [usize; 2]) -> Result<[Mat<f64>; 2]> {
    Ok([left_singular(ATTACK, &seen.fc1, ranks[0])?.0, left_singular(ATTACK, &seen.fc2, ranks[1])?.0])
}

pub(super) fn check(observed: &Observed<'_>, plan: &SearchPlan) -> Result<()> {
    let config = observed.model.config();
    let tokens = observed.images * config.tokens();
    if observed.images == 0 || tokens >= config.width.min(config.patch_values()) {
        let value = observed.images.to_string();
        let rule = format!(
            "images × {} tokens must stay below the width {} and the patch's {} values",
            config.tokens(),
            config.width,
            config.patch_values()
        );
        return Err(Error::Setting { attack: ATTACK, setting: "images", value, rule });
    }
    if plan.starts == 0 || plan.steps == 0 {
        let (setting, value) = ("starts or steps", "0".to_owned());
        let rule = "at least one of each is needed".to_owned();
        return Err(Error::Setting { attack: ATTACK, setting, value, rule });
    }
    Ok(())
}

/// The candidate's normalised pixels.
pub(super) fn pixels(model: &Vit, space: &Subspace, candidate: &Candidate) -> Vec<f32> {
    let (config, q) = (model.config(), space.open());
    let z = Mat::from_fn(q, config.patches(), |i, k| candidate.coordinates[k * q + i]);
    let patches = space.start() + product(space.free(), z.as_ref());
    assemble(config, &narrow(patches.transpose()))
}

/// The gradient without one image, under the label that leaves least of rank beyond `left` − 1 images.
pub(super) fn peel(
    observed: &Observed<'_>,
    seen: &Seen,
    pixels: &[f32],
    left: usize,
) -> Result<(usize, Seen)> {
    let config = observed.model.config();
    let classes = observed.head.bias.len();
    let head = Classifier::Linear(observed.head.clone());
    let share = 1.0 / observed.images as f64;
    let mut best: Option<(f64, usize, Seen)> = None;
    for label in 0..classes {
        let own = batch_gradient(observed.model, &head, pixels, &[label])?.backbone;
        let without = seen.without(&Seen::new(config, &own)?, share);
        let values = left_singular(ATTACK, &without.patch, 0)?.1;
        let beyond = values.iter().skip((left - 1) * config.patches()).sum();
        if best.as_ref().is_none_or(|b| beyond < b.0) {
            best = Some((beyond, label, without));
        }
    }
    best.map(|(_, label, without)| (label, without)).ok_or(Error::Setting {
        attack: ATTACK,
        setting: "classes",
        value: classes.to_string(),
        rule: "the head needs a class".into(),
    })
}
