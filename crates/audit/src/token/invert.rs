//! Search in pixel space for an image with a given CLS token (Mahendran and Vedaldi, arXiv 1412.0035, for a frozen
//! transformer): minimise |f(x) − t|²/|t|² + α·TV(x) by Adam.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::adam::Adam;
use crate::error::{Error, Result};
use crate::matching::total_variation;
use blindscope_vision::data::Preprocess;
use blindscope_vision::vit::Vit;

/// How a token is inverted.
#[derive(Clone, Debug, PartialEq)]
pub struct InversionPlan {
    /// Steps.
    pub steps: usize,
    /// Step size in normalised pixels.
    pub rate: f32,
    /// Weight α of total variation.
    pub variation: f32,
    /// Seed of the start's noise.
    pub seed: u64,
}

impl Default for InversionPlan {
    fn default() -> Self {
        Self { steps: 200, rate: 0.05, variation: 0.5, seed: 0 }
    }
}

/// Where an inversion stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InversionStep {
    /// Steps done.
    pub step: usize,
    /// Mean of |f(x) − t|²/|t|² over the batch.
    pub distance: f64,
}

/// Images `[b, 3, side, side]` whose CLS tokens come near `tokens: [b, d]`. The search starts at `start` (the mean of other
/// tiles, say) plus noise. When `progress` breaks, what is found so far is returned.
///
/// # Errors
/// [`Error::Shape`] when `tokens` is no whole number of tokens, [`Error::NotFinite`] where the search diverges, [`Error::Vision`]
/// where the model cannot be run at an image.
pub fn invert(
    model: &Vit,
    preprocess: &Preprocess,
    tokens: &[f32],
    start: &[f32],
    plan: &InversionPlan,
    progress: &mut dyn FnMut(&InversionStep) -> ControlFlow<()>,
) -> Result<Vec<f32>> {
    let (d, each) = (model.config().width, model.config().pixels());
    if tokens.is_empty() || !tokens.len().is_multiple_of(d) || start.len() != each {
        let expected = format!("rows of {d} and a start of {each}");
        return Err(Error::shape("inverting tokens", expected, format!("{}, {}", tokens.len(), start.len())));
    }
    let b = tokens.len() / d;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut pixels: Vec<f32> = (0..b * each)
        .map(|i| {
            let z: f32 = StandardNormal.sample(&mut rng);
            start[i % each] + 0.1 * z
        })
        .collect();
    let mut adam = Adam::new(pixels.len());
    for step in 0..plan.steps {
        let (distance, mut gradient) = slope(model, &pixels, tokens)?;
        if !distance.is_finite() {
            return Err(Error::NotFinite { operation: "inverting tokens", what: "the distance" });
        }
        total_variation(&pixels, preprocess.side, plan.variation, &mut gradient);
        let falling = 1.0 - 0.9 * step as f32 / plan.steps as f32;
        adam.step(&mut pixels, &gradient, plan.rate * falling);
        preprocess_range(preprocess, &mut pixels);
        if progress(&InversionStep { step: step + 1, distance }).is_break() {
            break;
        }
    }
    Ok(pixels)
}

/// The mean distance, and its derivative in pixels.
fn slope(model: &Vit, pixels: &[f32], tokens: &[f32]) -> Result<(f64, Vec<f32>)> {
    let d = model.config().width;
    let recording = model.record(pixels, 0)?;
    let b = (tokens.len() / d) as f32;
    let mut distance = 0.0;
    let mut d_class = Vec::with_capacity(tokens.len());
    for (seen, wanted) in recording.cls_tokens().chunks_exact(d).zip(tokens.chunks_exact(d)) {
        let length: f32 = wanted.iter().map(|t| t * t).sum::<f32>().max(1e-12);
        let error: f32 = seen.iter().zip(wanted).map(|(s, t)| (s - t) * (s - t)).sum();
        distance += f64::from(error / length);
        d_class.extend(seen.iter().zip(wanted).map(|(s, t)| 2.0 * (s - t) / (length * b)));
    }
    let gradient = model.backward(&recording, &d_class, &mut model.parameters().untrained())?;
    Ok((distance / f64::from(b), gradient))
}

/// Cuts normalised pixels to the range of colours.
fn preprocess_range(preprocess: &Preprocess, pixels: &mut [f32]) {
    let plane = preprocess.side * preprocess.side;
    for (i, plane) in pixels.chunks_exact_mut(plane).enumerate() {
        let (mean, std) = (preprocess.mean[i % 3], preprocess.std[i % 3]);
        for v in plane {
            *v = v.clamp(-mean / std, (1.0 - mean) / std);
        }
    }
}
