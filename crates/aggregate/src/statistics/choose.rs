//! Choosing a penalty by cross-validation, from sums alone: the squared error of a linear head on samples is a function of their second
//! moments, so each fold's head is measured on the fold exactly, and nobody looks at a sample.

use rayon::prelude::*;

use super::folds::FoldedStatistics;
use super::head::{Head, ridge};
use super::{Statistics, solve::dot};
use crate::Result;

/// A penalty and how its heads did on the folds they were not made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalty {
    /// The ridge penalty, relative to the number of samples.
    pub lambda: f64,
    /// Mean over samples of the squared distance between the head's answers and the class indicators.
    pub error: f64,
}

/// Every penalty of `ladder` by cross-validation of ridge heads, in the order of the ladder; nothing where fewer than two folds leave
/// samples of every class outside them, since nothing is validated then. A fold that does not is left out for every penalty alike.
///
/// The figures are functions of the integers alone: sites that are pooled first give the same bits.
///
/// # Errors
/// [`crate::Error::Singular`] for a penalty that is too small.
pub fn cross_validate(statistics: &FoldedStatistics, ladder: &[f64]) -> Result<Option<Vec<Penalty>>> {
    let splits = statistics.splits()?;
    let usable: Vec<_> = splits.iter().filter(|(fold, rest)| is_usable(fold, rest)).collect();
    let samples: u64 = usable.iter().map(|(fold, _)| fold.samples()).sum();
    if usable.len() < 2 {
        return Ok(None);
    }
    let one = |&lambda: &f64| -> Result<Penalty> {
        let errors = usable.iter().map(|(fold, rest)| Ok(squared_error(&ridge(rest, lambda)?, fold)));
        let errors = errors.collect::<Result<Vec<f64>>>()?;
        Ok(Penalty { lambda, error: errors.iter().sum::<f64>() / samples as f64 })
    };
    // Range: every penalty is computed by one thread in one order, and they are collected in the ladder's.
    ladder.par_iter().map(one).collect::<Result<_>>().map(Some)
}

/// Whether a head can be made without a fold, and measured on it.
pub fn is_usable(fold: &Statistics, rest: &Statistics) -> bool {
    fold.samples() > 0 && rest.counts().iter().all(|n| *n > 0)
}

/// The best of them; the larger penalty of equals.
pub fn best(tried: &[Penalty]) -> Option<Penalty> {
    let better = |best: Penalty, next: &Penalty| {
        let wins = next.error < best.error || (next.error <= best.error && next.lambda > best.lambda);
        if wins { *next } else { best }
    };
    let (first, rest) = tried.split_first()?;
    Some(rest.iter().fold(*first, better))
}

/// Sum over samples of the squared distance between the head's answers and the class indicators.
///
/// `Σ_i Σ_c (w_c·x_i + b_c − 1[y_i = c])²` with the head taken back to the integers `x`.
pub fn squared_error(head: &Head, samples: &Statistics) -> f64 {
    let (d, step) = (samples.sums().len() / samples.counts().len(), samples.fixed().step());
    let n = samples.samples() as f64;
    let total: Vec<f64> = (0..d).map(|j| samples.sums().chunks(d).map(|row| row[j] as f64).sum()).collect();
    let gram = full_gram(samples, d);
    let one = |class: usize| {
        let (bias, count) = (head.bias[class], samples.counts()[class] as f64);
        let scaled = head.weights[class].iter().zip(&head.deviation).zip(&head.mean);
        let (w, shift): (Vec<f64>, Vec<f64>) =
            scaled.map(|((w, dev), m)| (w / dev * step, w / dev * m)).unzip();
        let b = bias - shift.iter().sum::<f64>();
        let square: f64 = gram.chunks(d).zip(&w).map(|(row, wi)| wi * dot(row, &w)).sum();
        let own: Vec<f64> = samples.sums()[class * d..][..d].iter().map(|v| *v as f64).collect();
        square + 2.0 * b * dot(&w, &total) - 2.0 * dot(&w, &own) + n * b * b - 2.0 * b * count + count
    };
    (0..samples.counts().len()).map(one).sum()
}

/// The whole matrix, both triangles.
fn full_gram(samples: &Statistics, d: usize) -> Vec<f64> {
    let mut full = vec![0.0; d * d];
    let mut upper = samples.gram().iter();
    for i in 0..d {
        for (j, g) in (i..d).zip(&mut upper) {
            full[i * d + j] = *g as f64;
            full[j * d + i] = *g as f64;
        }
    }
    full
}
