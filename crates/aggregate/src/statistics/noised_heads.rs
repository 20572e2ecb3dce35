//! Heads of statistics with noise: what follows from an opened sum follows from noise, too, and no head may blow it up.
//!
//! The noise of the products is a random symmetric matrix of norm `2σ√d` (Wigner), which makes a covariance of few units indefinite. What
//! is below the noise is noise, so the covariance is projected: eigenvalues less than a floor of the noise's own size become that floor.
//! The floor follows from the plan, not from the data, so that nothing more is given away.

use super::eigen::Eigen;
use super::head::Head;
use super::solve::dot;
use crate::Result;

/// Means of classes, with noise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClassMeans {
    /// Units of each class, from one on.
    pub(super) units: Vec<f64>,
    /// Mean of each class, a row a class.
    pub(super) means: Vec<Vec<f64>>,
    /// What noise alone makes of the squared norm of each class's mean: `d·σ²/n²`.
    pub(super) excess: Vec<f64>,
}

impl ClassMeans {
    /// Of units by class and class sums, a row a class, with noise of deviation `sigma`.
    pub(super) fn of_sums(units: &[f64], sums: &[f64], sigma: f64) -> Self {
        let d = sums.len() / units.len().max(1);
        let units: Vec<f64> = units.iter().map(|n| n.max(1.0)).collect();
        let class = |(row, n): (&[f64], &f64)| row.iter().map(|s| s / n).collect();
        let means = sums.chunks(d.max(1)).zip(&units).map(class).collect();
        let excess = units.iter().map(|n| d as f64 * (sigma / n).powi(2)).collect();
        Self { units, means, excess }
    }

    pub(super) fn all(&self) -> f64 {
        self.units.iter().sum()
    }

    /// Share of each class.
    pub(super) fn shares(&self) -> Vec<f64> {
        let all = self.all();
        self.units.iter().map(|n| n / all).collect()
    }

    /// Mean of all units, and each class's less that.
    fn centred(&self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mut mean = vec![0.0; self.means.first().map_or(0, Vec::len)];
        for (row, share) in self.means.iter().zip(self.shares()) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += share * v);
        }
        let less = |row: &Vec<f64>| row.iter().zip(&mean).map(|(v, m)| v - m).collect();
        let classes = self.means.iter().map(less).collect();
        (mean, classes)
    }

    /// The mean of `x·xᵀ` less what the classes' means make of it: the covariance within classes.
    pub(super) fn less_between(&self, mut products: Vec<f64>) -> Vec<f64> {
        for (row, share) in self.means.iter().zip(self.shares()) {
            for (line, a) in products.chunks_mut(row.len()).zip(row) {
                line.iter_mut().zip(row).for_each(|(s, b)| *s -= share * a * b);
            }
        }
        products
    }
}

/// What was opened: means of classes and the covariance within them, over units, with noise.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisedStatistics {
    pub(super) means: ClassMeans,
    /// The whole matrix; empty where no products were summed.
    pub(super) within: Vec<f64>,
    /// Below it the covariance's eigenvalues are noise.
    pub(super) floor: f64,
}

impl NoisedStatistics {
    /// Units of each class, as far as noise tells: from one on.
    pub fn units(&self) -> Vec<f64> {
        self.means.units.clone()
    }

    /// The class of the nearest mean: `W_c = m_c − m` and `b_c = −½·‖m_c − m‖²` on `x − m`, the noise's part of the norm taken off.
    pub fn nearest_mean(&self) -> Head {
        let (mean, weights) = self.means.centred();
        let norms = weights.iter().zip(&self.means.excess);
        let bias = norms.map(|(w, e)| -0.5 * (dot(w, w) - e).max(0.0)).collect();
        Head { deviation: vec![1.0; mean.len()], mean, weights, bias }
    }

    /// The inverse of a covariance whose noise is taken for what it is, applied to each row of `right`.
    fn solve(&self, covariance: &[f64], lambda: f64, right: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let d = right.first().map_or(0, Vec::len);
        let spectrum = Eigen::new(covariance, d)?;
        let largest = spectrum.values().iter().copied().fold(0.0, f64::max);
        let floor = self.floor.max(lambda * largest / d as f64).max(f64::MIN_POSITIVE);
        Ok(right.iter().map(|row| spectrum.solve(floor, row)).collect())
    }

    /// Linear discriminant analysis as [`super::lda`] has it, on rows less their mean: `W_c = Σ⁻¹·(m_c − m)`, `b_c = −½·W_c·(m_c − m) + ln(n_c/n)`
    /// with the projected covariance within classes.
    ///
    /// # Errors
    /// [`crate::Error::Mismatch`] for statistics without products; [`crate::Error::Singular`] where the spectrum does not converge.
    pub fn lda(&self, lambda: f64) -> Result<Head> {
        let (mean, classes) = self.means.centred();
        let weights = self.solve(&self.within, lambda, &classes)?;
        let bias = weights.iter().zip(&classes).zip(self.means.shares());
        let bias = bias.map(|((w, m), share)| share.ln() - 0.5 * dot(w, m)).collect();
        Ok(Head { deviation: vec![1.0; mean.len()], mean, weights, bias })
    }

    /// Ridge regression onto class indicators as [`super::ridge`] has it, on rows less their mean: `W_c = Σ⁻¹·(m_c − m)·n_c/n`, `b_c = n_c/n`
    /// with the projected covariance.
    ///
    /// # Errors
    /// As [`Self::lda`].
    pub fn ridge(&self, lambda: f64) -> Result<Head> {
        let (mean, classes) = self.means.centred();
        let share = self.means.shares();
        let scaled = |(row, p): (&Vec<f64>, &f64)| row.iter().map(|m| m * p).collect();
        let right: Vec<Vec<f64>> = classes.iter().zip(&share).map(scaled).collect();
        let mut covariance = self.within.clone();
        for (row, p) in classes.iter().zip(&share) {
            for (line, a) in covariance.chunks_mut(row.len()).zip(row) {
                line.iter_mut().zip(row).for_each(|(s, b)| *s += p * a * b);
            }
        }
        let weights = self.solve(&covariance, lambda, &right)?;
        Ok(Head { deviation: vec![1.0; mean.len()], mean, weights, bias: share })
    }
}
