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
/// Deviation of every other start, as a share.
const NEARER: f64 = 0.25;
/// Images, and patches, are the same where they are nearer to each other than this share of their size.
const SAME: f64 = 0.1;
/// Ends at the same image whose misfits differ by less than this factor are one.
const LEVEL: f64 = 1.1;

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
        let mut sure = Vec::new();
        while known.len() < images && !self.stopped {
            let Some((next, twice)) = self.look(&known)? else { break };
            known.push(next);
            sure.push(twice);
        }
        for sure in sure {
            let image = known.remove(0);
            let next = if sure || self.stopped { None } else { self.look(&known)? };
            let cost = self.walks.cost(&image, &known);
            let better = next.map(|next| next.0).filter(|next| self.walks.cost(next, &known) < cost);
            known.push(better.unwrap_or(image));
        }
        Ok(known)
    }

    /// The best image from the plan's starts beside those that are known, and whether two starts ended there: images with a patch of
    /// another are many, and none is found twice so soon. After that no more starts are made.
    fn look(&mut self, known: &[Candidate]) -> Result<Option<(Candidate, bool)>> {
        let images: Vec<&[f64]> = known.iter().map(|k| k.coordinates.as_slice()).collect();
        let apart = self.walks.fit.apart_from(&images)?;
        let mut ends: Vec<(f64, Candidate)> = Vec::new();
        let mut sure = false;
        for _ in 0..self.walks.plan.starts.div_ceil(TOGETHER) {
            let (walks, numbers) = (&self.walks, self.starts..self.starts + TOGETHER);
            let next: Vec<Option<Candidate>> =
                numbers.into_par_iter().map(|number| walks.one(&apart, number as u64)).collect();
            self.starts += TOGETHER;
            ends.extend(next.into_iter().flatten().map(|end| (walks.cost(&end, known), end)));
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            sure = matches!(&ends[..], [a, b, ..] if self.walks.one_end(a, b));
            let misfit = ends.first().map_or(f64::INFINITY, |end| end.0);
            self.stopped |= !(self.progress)(&UpdateStep { known: known.len(), starts: self.starts, misfit });
            if self.stopped || sure {
                break;
            }
        }
        Ok(ends.into_iter().next().map(|end| (end.1, sure)))
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

    /// Whether two starts, with their costs, ended at one image that is not known yet.
    fn one_end(&self, a: &(f64, Candidate), b: &(f64, Candidate)) -> bool {
        let new = a.0 * (self.fit.patches() as f64) < 1.0;
        new && b.0 < LEVEL * a.0 && same(&a.1.coordinates, &b.1.coordinates)
    }

    /// The misfit, and the share of the patches that are known already.
    fn cost(&self, image: &Candidate, known: &[Candidate]) -> f64 {
        let each = self.fit.len() / self.fit.patches();
        let own: Vec<&[f64]> = image.coordinates.chunks_exact(each).collect();
        let others = known.iter().flat_map(|k| k.coordinates.chunks_exact(each).enumerate());
        let shared = others.filter(|(k, other)| same(own[*k], other)).count();
        image.misfit + shared as f64 / own.len() as f64
    }
}

fn same(a: &[f64], b: &[f64]) -> bool {
    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    apart < SAME * SAME * b.iter().map(|b| b * b).sum::<f64>()
}
