//! Several local steps on a batch: an update is brought back to a gradient at the model that the site started from.
//!
//! Over T plain steps of size η a site's update is η·Σ g_t, and every g_t belongs to other weights, so that spans hold only
//! approximately: tokens drift. But whoever knows the images knows the drift: training is repeated on the images found so far, and
//! what its later gradients have over its first is taken off the update,
//!
//! g_0 ≈ (update/η − Σ_t (ĝ_t − ĝ_0))/T.
//!
//! What is left of the drift is its difference between right and nearly right images, so every turn comes nearer.

use super::super::batch::Observed;
use super::super::search::SearchPlan;
use super::super::seen::ATTACK;
use super::{TokenBatch, TokenPlan, TokenStep, recover_tokens};
use crate::error::{Error, Result};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{BatchGradient, Classifier, batch_gradient};
use blindscope_vision::vit::{Parameters, Vit};

/// Below this a token counts as found while drift is left.
const LOOSE: f64 = 1e-2;

/// What a site uploads after several plain steps on one batch, and what is known of how it trained.
#[derive(Debug)]
pub struct Update<'a> {
    /// Weights before less weights after, over the step size and the number of steps: the mean of the steps' gradients.
    pub mean: &'a Parameters,
    /// The model and head before.
    pub start: &'a (Vit, LinearHead),
    /// The models on the way, as far as they are known: on the straight line between the two that were seen, one a step.
    pub on_the_way: &'a [(Vit, LinearHead)],
    /// Images in the batch.
    pub images: usize,
    /// Size of a step.
    pub rate: f32,
}

/// Recovers the batch behind an update in at most `turns` turns of the module's correction, and gives those of the least misfit.
/// `progress` is told the turn as well.
///
/// # Errors
/// As [`recover_tokens`]; [`Error::Setting`] without steps or turns.
pub fn recover_update(
    update: &Update<'_>,
    (plan, whole): (&TokenPlan, &SearchPlan),
    turns: usize,
    progress: &mut dyn FnMut(usize, &TokenStep) -> bool,
) -> Result<TokenBatch> {
    if update.on_the_way.is_empty() || turns == 0 {
        let (setting, value) = ("steps or turns", "0".to_owned());
        return Err(Error::Setting { attack: ATTACK, setting, value, rule: "at least one is needed".to_owned() });
    }
    // Before anything is known of the drift, gradients are those of the model halfway but for its square.
    let halfway = update.rate * (update.on_the_way.len() - 1) as f32 / 2.0;
    let mut model = moved(&update.start.0, update.mean, halfway)?;
    let mut gradient = update.mean.clone();
    let (mut best, mut going): (Option<(f64, TokenBatch)>, _) = (None, true);
    for turn in 0..turns {
        // What is left of the drift is above what counts as found elsewhere: the first turns take what is nearest.
        let loose = TokenPlan { found: LOOSE, agreed: 1.0, ..plan.clone() };
        let taken_at = if turn == 0 { update.on_the_way } else { std::slice::from_ref(update.start) };
        let observed = Observed { gradient: &gradient, model: &model, taken_at, images: update.images };
        let mut found = recover_tokens(&observed, &loose, whole, &mut |step| {
            going = progress(turn, step);
            going
        })?;
        if found.images.len() < update.images {
            return Ok(best.map_or(found, |best| best.1));
        }
        let pixels: Vec<f32> = found.images.iter().flat_map(|i| i.pixels.iter().copied()).collect();
        let labels = labels(&model, &update.start.1, &pixels, &gradient, update.images)?;
        for (image, label) in found.images.iter_mut().zip(&labels) {
            image.label = Some(*label);
        }
        let misfit = found.images.iter().map(|i| i.misfit).fold(0.0, f64::max);
        if best.as_ref().is_none_or(|best| misfit < best.0) {
            best = Some((misfit, found));
        }
        if !going {
            break;
        }
        if turn + 1 < turns {
            gradient = corrected(update, &pixels, &labels)?;
            model = update.start.0.clone();
        }
    }
    best.map(|best| best.1).ok_or(Error::NotConverged { operation: ATTACK, size: turns })
}

/// The model after a step of `rate` along `gradient`.
fn moved(model: &Vit, gradient: &Parameters, rate: f32) -> Result<Vit> {
    let mut parameters = model.parameters().clone();
    for (w, g) in parameters.tensors_mut().into_iter().zip(gradient.tensors()) {
        w.iter_mut().zip(g).for_each(|(w, g)| *w -= rate * g);
    }
    Ok(Vit::new(model.config().clone(), parameters)?)
}

/// The update's mean gradient less what a training on these images adds to its first gradient.
fn corrected(update: &Update<'_>, pixels: &[f32], labels: &[usize]) -> Result<Parameters> {
    let (mut model, mut head) = update.start.clone();
    let mut out = update.mean.clone();
    let share = 1.0 / update.on_the_way.len() as f32;
    let mut first: Option<Parameters> = None;
    for _ in update.on_the_way {
        let BatchGradient { backbone, head_weight, head_bias, .. } =
            batch_gradient(&model, &Classifier::Linear(head.clone()), pixels, labels)?;
        let first = first.get_or_insert_with(|| backbone.clone());
        for ((out, later), first) in out.tensors_mut().into_iter().zip(backbone.tensors()).zip(first.tensors()) {
            for ((out, later), first) in out.iter_mut().zip(later).zip(first) {
                *out -= share * (later - first);
            }
        }
        model = moved(&model, &backbone, update.rate)?;
        head.weight.iter_mut().zip(&head_weight).for_each(|(w, g)| *w -= update.rate * g);
        head.bias.iter_mut().zip(&head_bias).for_each(|(w, g)| *w -= update.rate * g);
    }
    Ok(out)
}

/// The labels under which the images' gradients add up to the observed one best, by that of the patch embedding.
fn labels(
    model: &Vit,
    head: &LinearHead,
    pixels: &[f32],
    gradient: &Parameters,
    images: usize,
) -> Result<Vec<usize>> {
    let (classes, each) = (head.bias.len(), pixels.len() / images);
    let head = Classifier::Linear(head.clone());
    let mut parts: Vec<Vec<f32>> = Vec::new();
    for image in pixels.chunks_exact(each) {
        for class in 0..classes {
            parts.push(batch_gradient(model, &head, image, &[class])?.backbone.patch.weight);
        }
    }
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let share = 1.0 / images as f64;
    let with: Vec<f64> = parts.iter().map(|p| share * dot(p, &gradient.patch.weight)).collect();
    let among: Vec<Vec<f64>> =
        parts.iter().map(|a| parts.iter().map(|b| share * share * dot(a, b)).collect()).collect();
    let misfit = |labels: &[usize]| -> f64 {
        let at: Vec<usize> = labels.iter().enumerate().map(|(i, l)| i * classes + l).collect();
        let pairs = at.iter().flat_map(|a| at.iter().map(move |b| (*a, *b)));
        pairs.map(|(a, b)| among[a][b]).sum::<f64>() - 2.0 * at.iter().map(|a| with[*a]).sum::<f64>()
    };
    let mut best = (f64::INFINITY, vec![0; images]);
    for number in 0..classes.pow(images as u32) {
        let each: Vec<usize> = (0..images).map(|i| number / classes.pow(i as u32) % classes).collect();
        let value = misfit(&each);
        if value < best.0 {
            best = (value, each);
        }
    }
    Ok(best.1)
}
