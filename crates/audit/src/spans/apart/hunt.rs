//! The search for a batch's tokens, each position by itself, all at once.

use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::super::descent::Walk;
use super::hidden::{At, Hidden};
use super::pull::{Pull, Target};

/// How long to search for the tokens of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenPlan {
    /// Rounds of walks to every missing token, those found taken off between them.
    pub rounds: usize,
    /// Steps of one descent.
    pub steps: usize,
    /// Deviation of the starts' coordinates over the length of the token at zero.
    pub spread: f64,
    /// Weight of the pull: the misfit of a mixture is some tenths.
    pub pull: f64,
    /// Below this a token counts as found.
    pub found: f64,
    /// The sizes that two gradients say a token has may differ by this share.
    pub agreed: f64,
    /// Seed of the starts.
    pub seed: u64,
}

impl Default for TokenPlan {
    fn default() -> Self {
        Self { rounds: 10, steps: 150, spread: 0.5, pull: 0.5, found: 1e-6, agreed: 0.1, seed: 0 }
    }
}

/// A place where the misfit is least.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// Coordinates in the room.
    pub(super) at: Vec<f64>,
    /// Its misfit.
    pub(super) misfit: f64,
}

/// Two places whose tokens differ by less than this share of a token's length are one.
const SAME: f64 = 0.01;

/// Called after every evaluation of all walks; `false` stops.
pub(super) type Tick<'a> = &'a mut dyn FnMut() -> bool;

/// A search in one room.
#[derive(Debug)]
pub(super) struct Hunt<'a> {
    pub(super) hidden: &'a Hidden,
    pub(super) plan: &'a TokenPlan,
    /// The places found at each position, lowest first.
    pub(super) places: Vec<Vec<Place>>,
}

/// A walk at a position, with the number of the target that pulls it.
type Pulled = (usize, Option<usize>, Walk);

impl<'a> Hunt<'a> {
    pub(super) fn new(hidden: &'a Hidden, plan: &'a TokenPlan) -> Self {
        Self { hidden, plan, places: vec![Vec::new(); hidden.positions()] }
    }

    /// Walks from `starts` random starts at each position.
    pub(super) fn free(&mut self, starts: usize, rng: &mut ChaCha12Rng) {
        let positions = (0..self.places.len()).flat_map(|k| std::iter::repeat_n(k, starts));
        let walks = positions.map(|k| (k, None, Walk::new(self.start(k, rng), self.plan.steps))).collect();
        self.end(walks, &mut || true);
    }

    /// Walks at some positions, each pulled to the target of its number and then let go; `false` when `tick` stopped them.
    pub(super) fn pulled(
        &mut self,
        wanted: &[(usize, usize)],
        (pull, targets): (&Pull<'_>, &[Target]),
        rng: &mut ChaCha12Rng,
        tick: Tick<'_>,
    ) -> bool {
        let steps = self.plan.steps / 2;
        let walks = wanted.iter().map(|(k, image)| (*k, Some(*image), Walk::new(self.start(*k, rng), steps)));
        let mut walks: Vec<Pulled> = walks.collect();
        if !self.walk(&mut walks, Some((pull, targets)), tick) {
            return false;
        }
        let near = walks.iter().filter_map(|(k, _, walk)| walk.lowest().map(|p| (*k, p.at.clone())));
        let walks = near.map(|(k, at)| (k, None, Walk::new(at, self.plan.steps))).collect();
        self.end(walks, tick)
    }

    fn start(&self, k: usize, rng: &mut ChaCha12Rng) -> Vec<f64> {
        let open = self.hidden.open();
        let deviation = self.plan.spread * (self.hidden.rest(k) / open.max(1) as f64).sqrt();
        let normal = |_| -> f64 { StandardNormal.sample(rng) };
        (0..open).map(normal).map(|z| deviation * z).collect()
    }

    /// Moves walks to their ends and keeps the places where they end.
    fn end(&mut self, mut walks: Vec<Pulled>, tick: Tick<'_>) -> bool {
        let going = self.walk(&mut walks, None, tick);
        for (k, _, walk) in walks {
            if let Some(end) = walk.lowest() {
                let place = Place { at: end.at.clone(), misfit: end.value };
                merge(&mut self.places[k], place, self.hidden.rest(k));
            }
        }
        for places in &mut self.places {
            places.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
        }
        going
    }

    /// Moves all walks to their ends side by side; `false` when `tick` stopped them.
    fn walk(&self, walks: &mut [Pulled], pull: Option<(&Pull<'_>, &[Target])>, tick: Tick<'_>) -> bool {
        loop {
            let asking: Vec<usize> = (0..walks.len()).filter(|i| asks(&walks[*i].2).is_some()).collect();
            if asking.is_empty() {
                return true;
            }
            let at: Vec<At<'_>> =
                asking.iter().filter_map(|i| asks(&walks[*i].2).map(|z| (walks[*i].0, z))).collect();
            let mut told = self.hidden.misfits(&at);
            for ((i, at), (value, slope)) in asking.iter().zip(&at).zip(&mut told) {
                if let (Some((pull, targets)), Some(image)) = (pull, walks[*i].1) {
                    pull.add(&targets[image], *at, value, slope);
                }
            }
            for (i, (value, slope)) in asking.into_iter().zip(told) {
                walks[i].2.tell(value, slope);
            }
            if !tick() {
                return false;
            }
        }
    }
}

/// Where a walk goes next; nothing once it has ended, or found more digits than any gradient has.
fn asks(walk: &Walk) -> Option<&[f64]> {
    const DIGITS: f64 = 1e-14;
    walk.asks().filter(|_| walk.lowest().is_none_or(|p| p.value > DIGITS))
}

/// Adds a place unless it is known; of two that are one the lower stays.
fn merge(places: &mut Vec<Place>, place: Place, rest: f64) {
    let same = |known: &&mut Place| {
        let (mut apart, mut length) = (0.0, rest);
        for (a, b) in known.at.iter().zip(&place.at) {
            apart += (a - b).powi(2);
            length += a * a;
        }
        apart < SAME * SAME * length
    };
    match places.iter_mut().find(same) {
        Some(known) if known.misfit <= place.misfit => {}
        Some(known) => *known = place,
        None => places.push(place),
    }
}
