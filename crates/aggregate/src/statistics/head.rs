//! Linear heads in closed form, from statistics alone.

use super::Statistics;
use super::solve::solve;
use crate::{AggregateError, Result};

/// `weights·x + bias`: a row and a number a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Classes × features.
    pub weights: Vec<Vec<f64>>,
    /// One a class.
    pub bias: Vec<f64>,
}

/// Counts, means and second moments in the features' own units.
struct Moments {
    features: usize,
    samples: f64,
    counts: Vec<f64>,
    /// Class means, a row a class.
    means: Vec<Vec<f64>>,
    mean: Vec<f64>,
    /// Lower triangle of `Σ x·xᵀ / samples`, by rows.
    second: Vec<f64>,
}

impl Moments {
    fn new(s: &Statistics) -> Result<Self> {
        if let Some(class) = s.counts().iter().position(|&n| n == 0) {
            return Err(AggregateError::EmptyClass { class });
        }
        let (d, step) = (s.plan.features(), s.plan.fixed.step());
        let samples = s.samples() as f64;
        let counts: Vec<f64> = s.counts().iter().map(|&n| n as f64).collect();
        let scaled = |v: i64, n: f64| v as f64 * step / n;
        let means = s.sums().chunks(d).zip(&counts);
        let means = means.map(|(row, &n)| row.iter().map(|&v| scaled(v, n)).collect()).collect();
        let all = |j: usize| s.sums().chunks(d).map(|row| row[j]).sum();
        let mean = (0..d).map(|j| scaled(all(j), samples)).collect();
        let mut second = vec![0.0; d * d];
        let mut upper = s.gram().iter();
        for i in 0..d {
            for (j, &g) in (i..d).zip(&mut upper) {
                second[j * d + i] = g as f64 * (step * step) / samples;
            }
        }
        Ok(Self { features: d, samples, counts, means, mean, second })
    }

    /// `second -= weight·v·vᵀ` in the lower triangle.
    fn remove(&mut self, weight: f64, v: &[f64]) {
        for (i, row) in self.second.chunks_mut(self.features).enumerate() {
            let scaled = weight * v[i];
            row.iter_mut().zip(v).take(i + 1).for_each(|(s, v)| *s -= scaled * v);
        }
    }

    fn add_diagonal(&mut self, ridge: f64) {
        self.second.iter_mut().step_by(self.features + 1).for_each(|s| *s += ridge);
    }

    fn head(&self, right: &[f64], bias: impl Fn(usize, &[f64]) -> f64) -> Head {
        let weights: Vec<Vec<f64>> = right.chunks(self.features).map(<[f64]>::to_vec).collect();
        let bias = weights.iter().enumerate().map(|(c, w)| bias(c, w)).collect();
        Head { weights, bias }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Ridge regression onto class indicators, intercept free: `W = (S + λI)⁻¹·(x̄_c − x̄)·n_c/n` with covariance `S`.
///
/// # Errors
/// [`AggregateError::EmptyClass`]; [`AggregateError::Singular`] for a ridge that is too small.
pub fn ridge(statistics: &Statistics, lambda: f64) -> Result<Head> {
    let mut m = Moments::new(statistics)?;
    let mean = m.mean.clone();
    m.remove(1.0, &mean);
    m.add_diagonal(lambda);
    let cross = |(row, n): (&Vec<f64>, &f64)| -> Vec<f64> {
        row.iter().zip(&mean).map(|(x, m_all)| (x - m_all) * (n / m.samples)).collect()
    };
    let mut right: Vec<f64> = m.means.iter().zip(&m.counts).flat_map(cross).collect();
    solve("ridge head", &mut m.second, m.features, &mut right)?;
    Ok(m.head(&right, |c, w| m.counts[c] / m.samples - dot(w, &mean)))
}

/// Linear discriminant analysis: `W_c = Σ⁻¹·x̄_c` and `b_c = −½·x̄_c·W_c + ln(n_c/n)`, `Σ` the covariance within classes plus
/// `shrinkage` times its mean diagonal.
///
/// # Errors
/// As [`ridge`].
pub fn lda(statistics: &Statistics, shrinkage: f64) -> Result<Head> {
    let mut m = Moments::new(statistics)?;
    for c in 0..m.means.len() {
        let mean = m.means[c].clone();
        m.remove(m.counts[c] / m.samples, &mean);
    }
    let trace: f64 = m.second.iter().step_by(m.features + 1).sum();
    m.add_diagonal(shrinkage * trace / m.features as f64);
    let mut right: Vec<f64> = m.means.iter().flatten().copied().collect();
    solve("LDA head", &mut m.second, m.features, &mut right)?;
    Ok(m.head(&right, |c, w| (m.counts[c] / m.samples).ln() - 0.5 * dot(w, &m.means[c])))
}
