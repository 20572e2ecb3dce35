//! Ridge and linear discriminant heads from moments, in `f64` and one fixed order: equal moments give equal bits.

use super::{Moments, Quantiser};
use crate::learn::{Error, Result};
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::cholesky_solve;

/// Shrinkage of the within-class covariance towards the identity (of standardised features).
const SHRINKAGE: f64 = 0.01;

/// Moments of standardised features `z = (x − mean)/deviation`.
pub(super) struct Standardised {
    width: usize,
    /// Examples of each class.
    counts: Vec<f64>,
    total: f64,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Mean of `z·zᵀ`: `[width][width]` in rows.
    correlation: Vec<f64>,
    /// Mean of `z` within each class: `[classes][width]`.
    class_means: Vec<Vec<f64>>,
}

impl Standardised {
    /// # Errors
    /// [`Error::Sums`] when a class has no example or a count is impossible.
    pub(super) fn new(moments: &Moments, q: &Quantiser) -> Result<Self> {
        let width = moments.sums.first().map_or(0, Vec::len);
        if let Some(class) = moments.counts.iter().position(|n| *n <= 0) {
            let reason = format!("class {class} has {} examples over all sites", moments.counts[class]);
            return Err(Error::Sums { operation: "statistics", reason });
        }
        let counts: Vec<f64> = moments.counts.iter().map(|n| *n as f64).collect();
        let total: f64 = counts.iter().sum();
        let sum = |j: usize| moments.sums.iter().map(|s| s[j]).sum::<i64>() as f64;
        let mean: Vec<f64> = (0..width).map(|j| sum(j) / total).collect();
        let mut covariance = vec![0.0; width * width];
        let mut products = moments.products.iter();
        for i in 0..width {
            for (j, product) in (i..width).zip(&mut products) {
                let value = *product as f64 / total - mean[i] * mean[j];
                covariance[i * width + j] = value;
                covariance[j * width + i] = value;
            }
        }
        // A feature that does not vary is left at a deviation of one step.
        let deviation: Vec<f64> = (0..width).map(|j| covariance[j * width + j].max(1.0).sqrt()).collect();
        for i in 0..width {
            for j in 0..width {
                covariance[i * width + j] /= deviation[i] * deviation[j];
            }
        }
        let class_mean = |(s, n): (&Vec<i64>, &f64)| {
            let one = |j: usize| (s[j] as f64 / n - mean[j]) / deviation[j];
            (0..width).map(one).collect()
        };
        let class_means = moments.sums.iter().zip(&counts).map(class_mean).collect();
        let step = q.step();
        let scale = |v: &Vec<f64>| v.iter().map(|v| v * step).collect();
        let (mean, deviation) = (scale(&mean), scale(&deviation));
        Ok(Self { width, counts, total, mean, deviation, correlation: covariance, class_means })
    }

    /// Examples over all sites.
    pub(super) fn examples(&self) -> u64 {
        self.total as u64
    }

    /// `W = (R + λ·I)⁻¹·E[z·yᵀ]` onto class indicators, whose means are the intercept.
    pub(super) fn ridge(&self, lambda: f64, bound: f64) -> Result<HeadLiteral> {
        let mut system = self.correlation.clone();
        (0..self.width).for_each(|j| system[j * self.width + j] += lambda);
        let prior: Vec<f64> = self.counts.iter().map(|n| n / self.total).collect();
        // E[z·y_c] = P(c)·E[z | c], since z has mean zero.
        let right = self.columns(|c, j| prior[c] * self.class_means[c][j]);
        let weights = self.solve("ridge", system, right)?;
        Ok(self.literal(weights, prior, bound))
    }

    /// `w_c = S⁻¹·m_c`, `b_c = −½·m_cᵀ·S⁻¹·m_c + ln P(c)` with the shrunk within-class covariance `S`.
    pub(super) fn lda(&self, bound: f64) -> Result<HeadLiteral> {
        let d = self.width;
        let mut within = self.correlation.clone();
        for (mean, n) in self.class_means.iter().zip(&self.counts) {
            let share = n / self.total;
            for i in 0..d {
                for j in 0..d {
                    within[i * d + j] -= share * mean[i] * mean[j];
                }
            }
        }
        for v in &mut within {
            *v *= 1.0 - SHRINKAGE;
        }
        (0..d).for_each(|j| within[j * d + j] += SHRINKAGE);
        let weights = self.solve("lda", within, self.columns(|c, j| self.class_means[c][j]))?;
        let bias = |(c, w): (usize, &Vec<f64>)| {
            let dot: f64 = w.iter().zip(&self.class_means[c]).map(|(w, m)| w * m).sum();
            (self.counts[c] / self.total).ln() - 0.5 * dot
        };
        let bias = weights.iter().enumerate().map(bias).collect();
        Ok(self.literal(weights, bias, bound))
    }

    /// `[width, classes]` in rows.
    fn columns(&self, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let classes = self.counts.len();
        (0..self.width * classes).map(|at| value(at % classes, at / classes)).collect()
    }

    /// The columns of `system⁻¹·right`, one a class.
    fn solve(
        &self,
        operation: &'static str,
        mut system: Vec<f64>,
        mut right: Vec<f64>,
    ) -> Result<Vec<Vec<f64>>> {
        let classes = self.counts.len();
        cholesky_solve(&mut system, self.width, &mut right, classes).ok_or_else(|| {
            let reason =
                "the system is not positive definite; raise lambda or the bits of a feature".to_owned();
            Error::Sums { operation, reason }
        })?;
        Ok((0..classes).map(|c| right.iter().skip(c).step_by(classes).copied().collect()).collect())
    }

    /// The head on features that the asker standardises. Features were clipped to `±bound` before rounding; after
    /// standardisation they are clipped where the widest of them ends.
    fn literal(&self, weights: Vec<Vec<f64>>, bias: Vec<f64>, bound: f64) -> HeadLiteral {
        let reach = self.mean.iter().zip(&self.deviation).map(|(m, d)| (bound + m.abs()) / d);
        let most = reach.fold(1.0, f64::max).min(CLIP);
        let gain = self.deviation.iter().map(|d| 1.0 / d).collect();
        HeadLiteral {
            normalisation: Normalisation { mean: self.mean.clone(), gain, bound: most },
            map: Map::Linear { layer: Affine { weights, bias } },
            range: None,
        }
    }
}

/// Deviations to which an asker clips: beyond it a feature is an outlier, and the encrypted circuit needs a bound.
const CLIP: f64 = 16.0;
