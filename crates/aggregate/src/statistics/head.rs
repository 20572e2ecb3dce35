//! Linear heads in closed form, from statistics alone, in `f64` and one fixed order: equal integers give equal bits.

use super::Statistics;
use super::solve::{dot, solve};
use crate::{Error, Result};

/// `weights·z + bias` with `z = (x − mean)/deviation`: a row and a number a class.
///
/// Penalties act on `z`: they mean the same whatever the scale of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Mean of each feature, in its own unit.
    pub mean: Vec<f64>,
    /// Standard deviation of each feature, in its own unit; at least one step of the fixed point.
    pub deviation: Vec<f64>,
    /// Classes × features.
    pub weights: Vec<Vec<f64>>,
    /// One a class.
    pub bias: Vec<f64>,
}

/// Moments of the standardised features `z`.
struct Moments {
    features: usize,
    /// Share of each class.
    prior: Vec<f64>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Mean of `z` in each class, a row a class.
    means: Vec<Vec<f64>>,
    /// Lower triangle of the mean of `z·zᵀ`, by rows.
    second: Vec<f64>,
}

impl Moments {
    fn new(s: &Statistics) -> Result<Self> {
        if let Some(class) = s.counts().iter().position(|&n| n == 0) {
            return Err(Error::EmptyClass { class });
        }
        let (d, step, samples) = (s.plan.features(), s.plan.fixed.step(), s.samples());
        let total: Vec<i64> = (0..d).map(|j| s.sums().chunks(d).map(|row| row[j]).sum()).collect();
        let mut second = covariance(s, &total);
        // A feature that does not vary is left at a deviation of one step.
        let deviation: Vec<f64> = second.iter().step_by(d + 1).map(|v| v.max(1.0).sqrt()).collect();
        for (i, row) in second.chunks_mut(d).enumerate() {
            row.iter_mut().zip(&deviation).take(i + 1).for_each(|(v, dj)| *v /= deviation[i] * dj);
        }
        let mean: Vec<f64> = total.iter().map(|&v| v as f64 / samples as f64).collect();
        let class = |(row, &n): (&[i64], &u64)| -> Vec<f64> {
            let z = |((&v, m), dev): ((&i64, &f64), &f64)| (v as f64 / n as f64 - m) / dev;
            row.iter().zip(&mean).zip(&deviation).map(z).collect()
        };
        let means = s.sums().chunks(d).zip(s.counts()).map(class).collect();
        let prior = s.counts().iter().map(|&n| n as f64 / samples as f64).collect();
        let scale = |v: Vec<f64>| v.into_iter().map(|v| v * step).collect();
        Ok(Self { features: d, prior, mean: scale(mean), deviation: scale(deviation), means, second })
    }

    fn add_diagonal(&mut self, value: f64) {
        self.second.iter_mut().step_by(self.features + 1).for_each(|s| *s += value);
    }

    fn head(self, right: &[f64], bias: impl Fn(usize, &[f64]) -> f64) -> Head {
        let weights: Vec<Vec<f64>> = right.chunks(self.features).map(<[f64]>::to_vec).collect();
        let bias = weights.iter().enumerate().map(|(c, w)| bias(c, w)).collect();
        Head { mean: self.mean, deviation: self.deviation, weights, bias }
    }
}

/// Lower triangle of the covariance in squared steps. Integers up to the one division: nothing cancels.
fn covariance(s: &Statistics, total: &[i64]) -> Vec<f64> {
    let (d, samples) = (total.len(), i128::from(s.samples()));
    let squared = samples as f64 * samples as f64;
    let mut second = vec![0.0; d * d];
    let mut upper = s.gram().iter();
    for i in 0..d {
        for (j, &g) in (i..d).zip(&mut upper) {
            // Range: samples·g and the sums' product stay below 2^126, as `samples·2h²` is below 2^64.
            let scaled = samples * i128::from(g) - i128::from(total[i]) * i128::from(total[j]);
            second[j * d + i] = scaled as f64 / squared;
        }
    }
    second
}

/// Ridge regression onto class indicators, intercept free: `W_c = (R + λI)⁻¹·z̄_c·n_c/n` and `b_c = n_c/n`, `R` the
/// correlation matrix. `λ` is relative to the number of samples.
///
/// # Errors
/// [`Error::EmptyClass`] for a class without a sample; [`Error::Singular`] for a ridge that is too small.
pub fn ridge(statistics: &Statistics, lambda: f64) -> Result<Head> {
    let mut m = Moments::new(statistics)?;
    m.add_diagonal(lambda);
    let cross = m.means.iter().zip(&m.prior).flat_map(|(row, n)| row.iter().map(move |z| z * n));
    let mut right: Vec<f64> = cross.collect();
    solve("ridge head", &mut m.second, m.features, &mut right)?;
    let prior = m.prior.clone();
    Ok(m.head(&right, |c, _| prior[c]))
}

/// Linear discriminant analysis: `W_c = Σ⁻¹·z̄_c` and `b_c = −½·z̄_c·W_c + ln(n_c/n)`, with the covariance within classes `S`
/// shrunk towards the identity, `Σ = (1 − shrinkage)·S + shrinkage·I`.
///
/// # Errors
/// As [`ridge`].
pub fn lda(statistics: &Statistics, shrinkage: f64) -> Result<Head> {
    let mut m = Moments::new(statistics)?;
    for (mean, share) in m.means.iter().zip(&m.prior) {
        for (i, row) in m.second.chunks_mut(m.features).enumerate() {
            let scaled = share * mean[i];
            row.iter_mut().zip(mean).take(i + 1).for_each(|(s, v)| *s -= scaled * v);
        }
    }
    m.second.iter_mut().for_each(|s| *s *= 1.0 - shrinkage);
    m.add_diagonal(shrinkage);
    let mut right = m.means.concat();
    solve("LDA head", &mut m.second, m.features, &mut right)?;
    let (prior, means) = (m.prior.clone(), m.means.clone());
    Ok(m.head(&right, |c, w| prior[c].ln() - 0.5 * dot(w, &means[c])))
}
