//! Bootstrap confidence intervals that draw whole groups (Efron's percentile method, cluster form).

use std::collections::BTreeMap;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use super::confusion::Confusion;

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// The interval of a figure when groups are drawn with replacement.
pub fn bootstrap(
    labels: &[usize],
    predicted: &[usize],
    groups: &[usize],
    classes: usize,
    seed: u64,
    figure: fn(&Confusion) -> f64,
) -> Interval {
    let mut cells: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for ((label, guess), group) in labels.iter().zip(predicted).zip(groups) {
        cells.entry(*group).or_default().push((*label, *guess));
    }
    let cells: Vec<_> = cells.into_values().collect();
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut figures: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let mut confusion = Confusion { counts: vec![vec![0; classes]; classes] };
            for _ in 0..cells.len() {
                for (label, guess) in &cells[rng.random_range(0..cells.len())] {
                    confusion.counts[*label][*guess] += 1;
                }
            }
            figure(&confusion)
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| figures[((DRAWS as f64 * share) as usize).min(DRAWS - 1)];
    Interval { low: at(0.025), high: at(0.975) }
}
