//! A batch behind an update after several plain steps.
//!
//! An update over its step size is Σ g(W_t) over the steps' weights, of which only the first are known. The steps' gradients point
//! elsewhere each: training at a customary rate turns them by more than a right angle. But dL/dW of a layer is Σ input·(gradient at its
//! output)ᵀ, and only the latter turn. The patches are the same at every step, so [`Subspace`] holds to the last digit. The inputs of the
//! first block's feed-forward layers are at the first step what the model before makes of the images, and drift from there by little and
//! in few directions. So they lie in spans of rather more dimensions than the batch has tokens, but fewer than the layers have.
//!
//! Images found cannot be taken off, for their gradients at later weights belong to weights that nobody knows. Instead, a token's
//! misfit is divided by its distance from what known images make ([`Fit::apart_from`]), which takes their attraction away. Images that
//! were found while others were wrong are looked for once more.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::batch::{Observed, SPREAD, SpanImage, check, pixels, spans};
use super::block::Block;
use super::fit::Fit;
use super::search::{Candidate, SearchPlan, search_from};
use super::seen::Seen;
use crate::error::Result;
use crate::matching::Subspace;

/// Starts side by side.
const TOGETHER: usize = 4;
/// Below this an image counts as one of the batch without more starts: drift leaves some 2e-5 to 3e-4, a wrong patch adds 1e-4.
const SURE: f64 = 1e-4;
/// Deviation of every other start, as a share.
const NEARER: f64 = 0.25;
/// A second look ends where the image is found again, but for this share.
const AGAIN: f64 = 1.01;
/// A patch is one of a known image where it is nearer to it than this share of its size.
const SAME: f64 = 0.1;

/// Where the attack stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateStep {
    /// Images known so far.
    pub known: usize,
    /// Starts done.
    pub starts: usize,
    /// The least misfit from these starts for the image that is looked for.
    pub misfit: f64,
}

/// Recovers the images behind an update after several plain steps on one batch: the sum of the steps' gradients (weights before less
/// weights after), and the model before. All images of the batch are returned, each as near as the search came. `plan.starts` are those of one
/// look for one image. When `progress` gives `false` what was found so far is returned.
///
/// # Errors
/// As [`super::recover`].
pub fn recover_update(
    observed: &Observed<'_>,
    plan: &SearchPlan,
    progress: &mut dyn FnMut(&UpdateStep) -> bool,
) -> Result<Vec<SpanImage>> {
    let config = observed.model.config();
    let seen = Seen::new(config, observed.gradient)?;
    check(observed, plan)?;
    let block = Block::new(config, &observed.model.parameters().blocks[0]);
    let space = Subspace::of(config, &seen.patch, &seen.positions, observed.images)?;
    let fit = Fit::new(observed.model, &block, &space, spans(&seen, ranks(observed))?);
    let spread = SPREAD * (config.patch_values() as f64).sqrt();
    let walks = Walks { fit, plan, spread };
    let mut looks = Looks { walks, starts: 0, stopped: false, progress };
    let found = looks.all(observed.images)?;
    let image = |c: &Candidate| {
        let pixels = pixels(observed.model, &space, c);
        SpanImage { pixels, misfit: c.misfit, label: None }
    };
    Ok(found.iter().map(image).collect())
}

/// Dimensions of the spans: three quarters of the inputs of fc1, whose drift has few directions, and seven eighths of the rank of
/// fc2's, which are spread over more; never fewer than the batch has tokens.
fn ranks(observed: &Observed<'_>) -> [usize; 2] {
    let (config, width) = (observed.model.config(), observed.model.config().width);
    let tokens = observed.images * config.tokens();
    [tokens.max(3 * width / 4), tokens.max(7 * width / 8)]
}

/// Where single starts lead.
struct Walks<'a> {
    fit: Fit<'a>,
    plan: &'a SearchPlan,
    spread: f64,
}

/// Looks for single images.
struct Looks<'a, 'b> {
    walks: Walks<'a>,
    starts: usize,
    stopped: bool,
    progress: &'b mut dyn FnMut(&UpdateStep) -> bool,
}

impl Looks<'_, '_> {
    /// One image after the other, and then those that may be wrong once more, beside the others.
    fn all(&mut self, images: usize) -> Result<Vec<Candidate>> {
        let mut known: Vec<Candidate> = Vec::new();
        while known.len() < images && !self.stopped {
            match self.look(&known, SURE)? {
                Some(next) => known.push(next),
                None => break,
            }
        }
        for _ in 0..known.len() {
            let image = known.remove(0);
            let cost = self.walks.cost(&image, &known);
            let next = if cost < SURE || self.stopped { None } else { self.look(&known, AGAIN * cost)? };
            let better = next.filter(|next| self.walks.cost(next, &known) < cost);
            known.push(better.unwrap_or(image));
        }
        Ok(known)
    }

    /// The best image from the plan's starts beside those that are known; below `enough` no more starts are made.
    fn look(&mut self, known: &[Candidate], enough: f64) -> Result<Option<Candidate>> {
        let images: Vec<&[f64]> = known.iter().map(|k| k.coordinates.as_slice()).collect();
        let apart = self.walks.fit.apart_from(&images)?;
        let mut best: Option<(f64, Candidate)> = None;
        for _ in 0..self.walks.plan.starts.div_ceil(TOGETHER) {
            let (walks, numbers) = (&self.walks, self.starts..self.starts + TOGETHER);
            let ends: Vec<Option<Candidate>> =
                numbers.into_par_iter().map(|number| walks.one(&apart, number as u64)).collect();
            self.starts += TOGETHER;
            for end in ends.into_iter().flatten() {
                let cost = self.walks.cost(&end, known);
                if best.as_ref().is_none_or(|best| cost < best.0) {
                    best = Some((cost, end));
                }
            }
            let misfit = best.as_ref().map_or(f64::INFINITY, |best| best.0);
            self.stopped |= !(self.progress)(&UpdateStep { known: known.len(), starts: self.starts, misfit });
            if self.stopped || misfit < enough {
                break;
            }
        }
        Ok(best.map(|best| best.1))
    }
}

impl Walks<'_> {
    /// Where one start ends: beside what is known, and then by the plain misfit.
    fn one(&self, apart: &Fit<'_>, number: u64) -> Option<Candidate> {
        let mut rng = ChaCha12Rng::seed_from_u64(self.plan.seed.wrapping_add(number));
        let normal = |_| -> f64 { StandardNormal.sample(&mut rng) };
        // Near starts and far ones end at different images.
        let spread = self.spread * if number.is_multiple_of(2) { 1.0 } else { NEARER };
        let start = (0..self.fit.len()).map(normal).map(|z| spread * z).collect();
        let beside = search_from(apart, self.plan, start, &mut |_, _| true).0?;
        search_from(&self.fit, self.plan, beside.coordinates, &mut |_, _| true).0
    }

    /// The misfit, and the share of the patches that are known already.
    fn cost(&self, image: &Candidate, known: &[Candidate]) -> f64 {
        let each = self.fit.len() / self.fit.patches();
        let squared = |z: &mut dyn Iterator<Item = f64>| z.map(|z| z * z).sum::<f64>();
        let patches =
            |c: &Candidate| c.coordinates.chunks_exact(each).map(<[f64]>::to_vec).collect::<Vec<_>>();
        let own = patches(image);
        let shared = known.iter().flat_map(patches).enumerate().filter(|(k, other)| {
            let mine = &own[k % own.len()];
            let apart = squared(&mut mine.iter().zip(other).map(|(a, b)| a - b));
            apart < SAME * SAME * squared(&mut other.iter().copied())
        });
        image.misfit + shared.count() as f64 / own.len() as f64
    }
}
