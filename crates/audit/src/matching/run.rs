//! The search itself.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::objective::Objective;
use super::subspace::Subspace;
use super::variation::total_variation;
use crate::adam::Adam;
use crate::error::{Error, Result};
use blindscope_vision::data::Preprocess;

/// How long and how to search.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Steps of each start.
    pub steps: usize,
    /// Random starts; the one with the least objective wins.
    pub restarts: usize,
    /// Step size in normalised pixels.
    pub rate: f32,
    /// Weight α of total variation.
    pub variation: f32,
    /// Seed of the starts.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { steps: 800, restarts: 2, rate: 0.2, variation: 1e-3, seed: 0 }
    }
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The start, from 0.
    pub restart: usize,
    /// Steps done in it.
    pub step: usize,
    /// 1 − cosine.
    pub distance: f64,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// Normalised images `[b, 3, side, side]`, in no particular order.
    pub pixels: Vec<f32>,
    /// Their 1 − cosine.
    pub distance: f64,
    /// Distance at every step of the winning start.
    pub history: Vec<f64>,
}

/// Searches for the batch behind an observed gradient. `start` is where every search begins, plus noise: the mean image
/// of other tiles, say, or nothing. When `progress` breaks, the best found so far is returned.
///
/// # Errors
/// [`Error::Setting`] for no step or start, [`Error::NotFinite`] when the objective diverges, [`Error::Vision`] where the model
/// cannot be run at an image.
pub fn reconstruct(
    objective: &Objective<'_>,
    preprocess: &Preprocess,
    subspace: Option<&Subspace>,
    start: Option<&[f32]>,
    plan: &Plan,
    progress: &mut dyn FnMut(&Step) -> ControlFlow<()>,
) -> Result<Matched> {
    if plan.steps == 0 || plan.restarts == 0 {
        let (setting, value) = ("steps × restarts", "0".to_owned());
        let rule = "at least one of each is needed".to_owned();
        return Err(Error::Setting { attack: "gradient matching", setting, value, rule });
    }
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut best: Option<Matched> = None;
    for restart in 0..plan.restarts {
        let mut search = Search { objective, preprocess, subspace, plan, restart };
        let pixels = search.begin(start, &mut rng);
        let (found, stopped) = search.descend(pixels, progress)?;
        if best.as_ref().is_none_or(|b| found.distance < b.distance) {
            best = Some(found);
        }
        if stopped {
            break;
        }
    }
    best.ok_or(Error::NotFinite { operation: "gradient matching", what: "every start" })
}

struct Search<'a> {
    objective: &'a Objective<'a>,
    preprocess: &'a Preprocess,
    subspace: Option<&'a Subspace>,
    plan: &'a Plan,
    restart: usize,
}

impl Search<'_> {
    fn begin(&self, start: Option<&[f32]>, rng: &mut ChaCha12Rng) -> Vec<f32> {
        let each = self.objective.model().config().pixels();
        let noise = if start.is_some() { 0.2 } else { 1.0 };
        let mut pixels: Vec<f32> = (0..self.objective.images() * each)
            .map(|i| {
                let z: f32 = StandardNormal.sample(rng);
                start.and_then(|s| s.get(i % each)).copied().unwrap_or(0.0) + noise * z
            })
            .collect();
        self.allow(&mut pixels);
        pixels
    }

    /// Into the subspace, and into the range of colours.
    fn allow(&self, pixels: &mut [f32]) {
        if let Some(subspace) = self.subspace {
            subspace.project(pixels);
        } else {
            let plane = self.preprocess.side * self.preprocess.side;
            for (i, plane) in pixels.chunks_exact_mut(plane).enumerate() {
                let (mean, std) = (self.preprocess.mean[i % 3], self.preprocess.std[i % 3]);
                for v in plane {
                    *v = v.clamp(-mean / std, (1.0 - mean) / std);
                }
            }
        }
    }

    fn descend(
        &mut self,
        mut pixels: Vec<f32>,
        progress: &mut dyn FnMut(&Step) -> ControlFlow<()>,
    ) -> Result<(Matched, bool)> {
        let mut adam = Adam::new(pixels.len());
        let mut best = Matched { pixels: pixels.clone(), distance: f64::INFINITY, history: Vec::new() };
        let mut history = Vec::with_capacity(self.plan.steps);
        let mut stopped = false;
        for step in 0..self.plan.steps {
            let mut at = self.objective.evaluate(&pixels)?;
            if !at.distance.is_finite() {
                return Err(Error::NotFinite { operation: "gradient matching", what: "the objective" });
            }
            history.push(at.distance);
            if at.distance < best.distance {
                best = Matched { pixels: pixels.clone(), distance: at.distance, history: Vec::new() };
            }
            if progress(&Step { restart: self.restart, step, distance: at.distance }).is_break() {
                stopped = true;
                break;
            }
            total_variation(&pixels, self.preprocess.side, self.plan.variation, &mut at.pixels);
            if let Some(subspace) = self.subspace {
                subspace.project_direction(&mut at.pixels);
            }
            adam.step(&mut pixels, &at.pixels, self.rate(step));
            self.allow(&mut pixels);
        }
        best.history = history;
        Ok((best, stopped))
    }

    /// The rate falls by 2.5 at 3/8, 5/8 and 7/8 of the steps, where Geiping's falls tenfold.
    fn rate(&self, step: usize) -> f32 {
        let passed = [3, 5, 7].iter().filter(|eighth| step * 8 >= *eighth * self.plan.steps).count();
        self.plan.rate * 0.4f32.powi(passed as i32)
    }
}
