//! Heads of statistics with noise: what follows from an opened sum follows from noise, too, and no head may blow it up.
//!
//! The noise of the products is a random symmetric matrix of norm `2σ√d` (Wigner), which makes a covariance of few units indefinite. What
//! is below the noise is noise, so the covariance is projected: eigenvalues less than a floor of the noise's own size become that floor.
//! The floor follows from the plan, not from the data, so that nothing more is given away.

use super::eigen::Eigen;
use super::head::Head;
use super::noised::NoisedStatistics;
use super::solve::dot;
use crate::Result;

/// The floor in norms of the noise, `2σ√d/n`: less than one, since of a value beside the noise some is told all the same.
const FLOOR: f64 = 0.35;

impl NoisedStatistics {
    fn features(&self) -> usize {
        self.sums.len() / self.units.len()
    }

    /// Mean of all units, and each class's less that.
    fn means(&self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (d, units) = (self.features(), self.units());
        let all: f64 = units.iter().sum();
        let mean: Vec<f64> =
            (0..d).map(|j| self.sums.chunks(d).map(|row| row[j]).sum::<f64>() / all).collect();
        let class = |(row, n): (&[f64], &f64)| row.iter().zip(&mean).map(|(s, m)| s / n - m).collect();
        let classes = self.sums.chunks(d).zip(&units).map(class).collect();
        (mean, classes)
    }

    /// What noise alone makes of the squared norm of each class's mean: `d·σ²/n²`.
    fn excess(&self) -> Vec<f64> {
        let (d, sigma) = (self.features() as f64, self.plan.deviations()[1]);
        self.units().iter().map(|n| d * (sigma / n).powi(2)).collect()
    }

    /// The class of the nearest mean: `W_c = m_c − m` and `b_c = −½·‖m_c − m‖²` on `x − m`, the noise's part of the norm taken off.
    pub fn nearest_mean(&self) -> Head {
        let (mean, weights) = self.means();
        let bias = weights.iter().zip(self.excess()).map(|(w, e)| -0.5 * (dot(w, w) - e).max(0.0)).collect();
        Head { deviation: vec![1.0; mean.len()], mean, weights, bias }
    }

    /// Mean of `(x − m)·(x − m)ᵀ` over units.
    fn covariance(&self, mean: &[f64]) -> Vec<f64> {
        let (d, all) = (mean.len(), self.units().iter().sum::<f64>());
        let mut out = Vec::with_capacity(d * d);
        for (i, row) in self.products.chunks(d).enumerate() {
            out.extend(row.iter().zip(mean).map(|(g, m)| g / all - mean[i] * m));
        }
        out
    }

    /// The inverse of a covariance whose noise is taken for what it is, applied to each row of `right`.
    fn solve(&self, covariance: &[f64], lambda: f64, right: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let (d, all) = (self.features(), self.units().iter().sum::<f64>());
        let noise = 2.0 * self.plan.deviations()[2] * (d as f64).sqrt() / all;
        let spectrum = Eigen::new(covariance, d)?;
        let largest = spectrum.values().iter().copied().fold(0.0, f64::max);
        let floor = (FLOOR * noise).max(lambda * largest / d as f64).max(f64::MIN_POSITIVE);
        Ok(right.iter().map(|row| spectrum.solve(floor, row)).collect())
    }

    /// Linear discriminant analysis as [`super::lda`] has it, on rows less their mean: `W_c = Σ⁻¹·(m_c − m)`, `b_c = −½·W_c·(m_c − m) + ln(n_c/n)`
    /// with the projected covariance within classes.
    ///
    /// # Errors
    /// [`crate::Error::Mismatch`] for statistics without products; [`crate::Error::Singular`] where the spectrum does not converge.
    pub fn lda(&self, lambda: f64) -> Result<Head> {
        let (mean, classes) = self.means();
        let (units, all) = (self.units(), self.units().iter().sum::<f64>());
        let mut within = self.covariance(&mean);
        for (row, n) in classes.iter().zip(&units) {
            for (line, a) in within.chunks_mut(row.len()).zip(row) {
                line.iter_mut().zip(row).for_each(|(s, b)| *s -= n / all * a * b);
            }
        }
        let weights = self.solve(&within, lambda, &classes)?;
        let bias = weights.iter().zip(&classes).zip(&units);
        let bias = bias.map(|((w, m), n)| (n / all).ln() - 0.5 * dot(w, m)).collect();
        Ok(Head { deviation: vec![1.0; mean.len()], mean, weights, bias })
    }

    /// Ridge regression onto class indicators as [`super::ridge`] has it, on rows less their mean: `W_c = Σ⁻¹·(m_c − m)·n_c/n`, `b_c = n_c/n`
    /// with the projected covariance.
    ///
    /// # Errors
    /// As [`Self::lda`].
    pub fn ridge(&self, lambda: f64) -> Result<Head> {
        let (mean, classes) = self.means();
        let (units, all) = (self.units(), self.units().iter().sum::<f64>());
        let share: Vec<f64> = units.iter().map(|n| n / all).collect();
        let scaled = |(row, p): (&Vec<f64>, &f64)| row.iter().map(|m| m * p).collect();
        let right: Vec<Vec<f64>> = classes.iter().zip(&share).map(scaled).collect();
        let weights = self.solve(&self.covariance(&mean), lambda, &right)?;
        Ok(Head { deviation: vec![1.0; mean.len()], mean, weights, bias: share })
    }
}
