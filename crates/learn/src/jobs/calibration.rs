//! Probabilities that are right as often as they say, and how often a head is not sure.
//!
//! Logits are multiplied by the one factor of a ladder whose probabilities cost least (Guo et al., arXiv 1706.04599: a temperature, the other
//! way round). A site sums, for each head and factor, its rows' losses and how many answers of each sureness there are, and are right, of
//! heads that the row's fold had no part in. The sums are opened like all others, so nobody's rows are looked at, and pooled rows choose
//! the same.

use serde::{Deserialize, Serialize};

use blindscope_classify::{HeadLiteral, Map};

/// Factors that are tried. Products with a head's numbers are exact, or nearly.
const GAINS: [f64; 19] = [
    0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0,
    64.0,
];

/// Probabilities from which on answers are counted together.
const SURE: [f64; 9] = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// Steps of one in a loss, and the largest loss of a row that is counted.
const STEPS: f64 = 1024.0;
const MOST: f64 = 16.0;

/// The largest integer of a row: its loss.
pub(super) const LARGEST: u64 = (MOST * STEPS) as u64;

/// Integers of one factor: losses, answers and right ones of each sureness.
const EACH: usize = 1 + 2 * SURE.len();

/// Integers of one head.
pub(super) const LEN: usize = GAINS.len() * EACH;

/// How far a head's probabilities can be believed, on rows that it was not made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// By what the head's own logits were multiplied; it is in the head already.
    pub gain: f64,
    /// Mean of `−ln p` of the right class with it, and without: rows of which the loss is more than 16 count as 16.
    pub loss: [f64; 2],
    /// Answers by how sure they are.
    pub bands: Vec<Band>,
}

/// Answers whose probability is at least so much: all that are left where less sure ones go to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The least probability.
    pub from: f64,
    /// Share of rows that are answered then.
    pub answered: f64,
    /// Share of wrong answers among them.
    pub wrong: f64,
}

/// Adds one row to a head's integers. Range: `sums` has [`LEN`].
pub(super) fn add(sums: &mut [u64], logits: &[f64], label: usize, right: bool) {
    for (gain, sums) in GAINS.iter().zip(sums.chunks_exact_mut(EACH)) {
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let all: f64 = logits.iter().map(|v| (gain * (v - most)).exp()).sum();
        let own = logits.get(label).map_or(MOST, |v| all.ln() - gain * (v - most));
        let at = SURE.iter().rposition(|from| 1.0 / all >= *from).unwrap_or(0);
        sums[0] += (own.clamp(0.0, MOST) * STEPS).round() as u64;
        sums[1 + 2 * at] += 1;
        sums[2 + 2 * at] += u64::from(right);
    }
}

/// The least loss that a factor reaches, as it is summed.
pub(super) fn least(sums: &[u64]) -> u64 {
    sums.chunks_exact(EACH).map(|sums| sums[0]).min().unwrap_or(0)
}

/// A summed loss as a mean over rows.
pub(super) fn mean_loss(summed: u64, rows: f64) -> f64 {
    summed as f64 / STEPS / rows
}

/// What a head's opened integers choose; nothing where no row was counted.
pub(super) fn chosen(sums: &[u64]) -> Option<Calibration> {
    let rows = sums.get(..EACH)?.iter().skip(1).step_by(2).sum::<u64>();
    if rows == 0 {
        return None;
    }
    let tried = || GAINS.iter().zip(sums.chunks_exact(EACH));
    // Of equals the smaller factor: less sure.
    let (gain, best) = tried().min_by_key(|(_, sums)| sums[0])?;
    let loss = |sums: &[u64]| mean_loss(sums[0], rows as f64);
    let own = tried().find(|(gain, _)| (**gain - 1.0).abs() < f64::EPSILON).map_or(0.0, |(_, s)| loss(s));
    let (mut bands, mut answered, mut right) = (Vec::new(), 0, 0);
    for (from, counts) in SURE.iter().zip(best[1..].chunks_exact(2)).rev() {
        (answered, right) = (answered + counts[0], right + counts[1].min(counts[0]));
        let wrong = (answered - right) as f64 / answered.max(1) as f64;
        bands.push(Band { from: *from, answered: answered as f64 / rows as f64, wrong });
    }
    bands.reverse();
    Some(Calibration { gain: *gain, loss: [loss(best), own], bands })
}

/// Puts a factor into a head's last layer, so that whoever asks it gets calibrated logits and needs nothing else.
pub(super) fn apply(calibration: Option<&Calibration>, head: &mut HeadLiteral) {
    let Some(Calibration { gain, .. }) = calibration else { return };
    let layer = match &mut head.map {
        Map::Linear { layer } | Map::Polynomial { outer: layer, .. } => layer,
        Map::Quadratic { squares, linear, .. } => {
            squares.iter_mut().flatten().for_each(|v| *v *= gain);
            linear
        }
    };
    layer.weights.iter_mut().flatten().chain(&mut layer.bias).for_each(|v| *v *= gain);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two classes whose first logit is `z`, right with probability `1/(1 + e^{−truth·z})`, in exact proportion.
    fn counted(truth: f64) -> Vec<u64> {
        let mut sums = vec![0; LEN];
        for z in [0.5, 1.0, 2.0, 3.0] {
            let right = (1000.0 / (1.0 + (-truth * z).exp())).round() as usize;
            for at in 0..1000 {
                add(&mut sums, &[z, 0.0], usize::from(at >= right), at < right);
            }
        }
        sums
    }

    #[test]
    fn the_factor_that_rows_were_made_with_is_found() {
        for truth in [0.25, 1.0, 1.5, 2.0] {
            let found = chosen(&counted(truth)).unwrap();
            assert!((found.gain - truth).abs() < 1e-9, "{truth}: {found:?}");
            assert!(found.loss[0] <= found.loss[1] + 1e-9);
            // At least as many are right as the band says.
            for band in found.bands.iter().filter(|band| band.answered > 0.0) {
                assert!(1.0 - band.wrong >= band.from - 0.01, "{truth}: {band:?}");
            }
            let shares: Vec<f64> = found.bands.iter().map(|band| band.answered).collect();
            assert!((shares[0] - 1.0).abs() < 1e-12 && shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
        }
    }

    #[test]
    fn nothing_is_chosen_of_nothing() {
        assert_eq!(chosen(&[0; LEN]), None);
        assert_eq!(chosen(&[]), None);
    }
}
