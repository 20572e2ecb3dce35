//! The search for one image of a batch.
//!
//! Plain descent often ends at an image of the batch that has one or two patches of another image: each such patch lies in
//! the spans by itself, and only its neighbours' attention disagrees. It shows by its token's misfit, the largest of all. So
//! the search goes on without that token's own misfit, through which the wrong patch holds its place, and then with it.

use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::descent::descend;
use super::fit::Fit;

/// Below this an image counts as found: a single wrong patch of the paper's 64 costs more.
pub(super) const FOUND: f64 = 1e-6;
/// Rounds without a lower misfit before a start is given up.
const STUCK: usize = 4;
/// Least gain that counts as lower.
const GAIN: f64 = 0.99;

/// How long to search for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchPlan {
    /// Random starts; the search ends with the first that finds an image.
    pub starts: usize,
    /// Rounds of a start: descent, then descent without the worst tokens.
    pub rounds: usize,
    /// Steps of one descent.
    pub steps: usize,
    /// Seed of the starts.
    pub seed: u64,
}

impl Default for SearchPlan {
    fn default() -> Self {
        Self { starts: 3, rounds: 10, steps: 400, seed: 0 }
    }
}

/// Called with the evaluations done for this image and its least misfit; `false` stops.
pub(super) type Tick<'a> = &'a mut dyn FnMut(usize, f64) -> bool;

/// The best image found.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) coordinates: Vec<f64>,
    pub(super) misfit: f64,
}

struct Search<'a, 'b> {
    fit: &'a Fit<'a>,
    plan: &'a SearchPlan,
    tick: Tick<'b>,
    evaluations: usize,
    least: f64,
    stopped: bool,
}

/// Searches from `plan.starts` random starts with coordinates N(0, `spread`²). The second value says whether `tick` stopped it.
pub(super) fn search(
    fit: &Fit<'_>,
    plan: &SearchPlan,
    spread: f64,
    rng: &mut ChaCha12Rng,
    tick: Tick<'_>,
) -> (Option<Candidate>, bool) {
    let mut search = Search { fit, plan, tick, evaluations: 0, least: f64::INFINITY, stopped: false };
    let mut best: Option<Candidate> = None;
    for _ in 0..plan.starts {
        let start = (0..fit.len())
            .map(|_| {
                let z: f64 = StandardNormal.sample(rng);
                spread * z
            })
            .collect();
        let found = search.one(start);
        if let Some(found) = found
            && best.as_ref().is_none_or(|b| found.misfit < b.misfit)
        {
            best = Some(found);
        }
        if search.stopped || best.as_ref().is_some_and(|b| b.misfit < FOUND) {
            break;
        }
    }
    (best, search.stopped)
}

/// As [`search`], from one given start.
pub(super) fn search_from(
    fit: &Fit<'_>,
    plan: &SearchPlan,
    start: Vec<f64>,
    tick: Tick<'_>,
) -> (Option<Candidate>, bool) {
    let mut search = Search { fit, plan, tick, evaluations: 0, least: f64::INFINITY, stopped: false };
    let found = search.one(start);
    (found, search.stopped)
}

impl Search<'_, '_> {
    fn descend(&mut self, start: Vec<f64>, weights: &[f64]) -> Option<Candidate> {
        let counts = weights.iter().all(|w| *w > 0.0);
        let (fit, steps) = (self.fit, self.plan.steps);
        let point = descend(start, steps, &mut |at| {
            if self.stopped {
                return None;
            }
            let misfit = fit.evaluate(at, weights);
            self.evaluations += 1;
            if counts && misfit.total < self.least {
                self.least = misfit.total;
            }
            self.stopped = !(self.tick)(self.evaluations, self.least);
            Some((misfit.total, misfit.slope))
        })?;
        Some(Candidate { coordinates: point.at, misfit: point.value })
    }

    fn one(&mut self, start: Vec<f64>) -> Option<Candidate> {
        let all = vec![1.0; self.fit.prefix() + self.fit.patches()];
        let mut best = self.descend(start, &all)?;
        let mut stuck = 0;
        for _ in 1..self.plan.rounds {
            if best.misfit < FOUND || stuck > STUCK || self.stopped {
                break;
            }
            let without = self.worst(&best, 1 + stuck);
            let Some(moved) = self.descend(best.coordinates.clone(), &without) else { break };
            let Some(next) = self.descend(moved.coordinates, &all) else { break };
            stuck = if next.misfit < GAIN * best.misfit { 0 } else { stuck + 1 };
            if next.misfit < best.misfit {
                best = next;
            }
        }
        Some(best)
    }

    /// Weights one, and zero for the `count` patches of the largest misfit.
    fn worst(&self, candidate: &Candidate, count: usize) -> Vec<f64> {
        let prefix = self.fit.prefix();
        let all = vec![1.0; prefix + self.fit.patches()];
        let tokens = self.fit.evaluate(&candidate.coordinates, &all).tokens;
        let mut order: Vec<usize> = (prefix..tokens.len()).collect();
        order.sort_by(|a, b| tokens[*b].total_cmp(&tokens[*a]));
        let mut weights = all;
        for k in order.into_iter().take(count) {
            weights[k] = 0.0;
        }
        weights
    }
}
