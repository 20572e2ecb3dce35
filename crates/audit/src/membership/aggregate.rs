//! Tracing a tile in a released mean (Homer et al. 2008; Dwork, Smith, Steinke, Ullman, Vadhan 2015): a member pulls the
//! mean towards itself by 1/n, which an attacker who knows the population sees in its whitened coordinates.

use faer::Mat;

use crate::error::{Error, Result};
use crate::linear::{Spectrum, widen};

/// What an attacker knows of tokens at large, from tiles of its own.
#[derive(Debug)]
pub struct Population {
    mean: Vec<f64>,
    /// Whitening: Σ^(−1), `[d, d]`.
    inverse: Mat<f64>,
}

impl Population {
    /// Mean and covariance of `tokens: [n, d]`, shrunk a little towards a multiple of the identity.
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer than two tokens; [`Error::NotFinite`] for a token that is not finite.
    pub fn new(tokens: &[f32], width: usize) -> Result<Self> {
        const OPERATION: &str = "knowing a population";
        let n = tokens.len() / width.max(1);
        if n < 2 || tokens.len() != n * width {
            return Err(Error::shape(OPERATION, format!("at least two rows of {width}"), tokens.len()));
        }
        let mut x = widen(tokens, n, width);
        let mean: Vec<f64> = (0..width).map(|j| (0..n).map(|i| x[(i, j)]).sum::<f64>() / n as f64).collect();
        for i in 0..n {
            for j in 0..width {
                x[(i, j)] -= mean[j];
            }
        }
        let mut covariance = x.transpose() * &x / faer::Scale(n as f64);
        let spread = (0..width).map(|i| covariance[(i, i)]).sum::<f64>() / width as f64;
        for i in 0..width {
            covariance[(i, i)] += 0.05 * spread + 1e-12;
        }
        let inverse = Spectrum::new(OPERATION, &covariance, 1e-14)?.solve(&Mat::identity(width, width));
        Ok(Self { mean, inverse })
    }

    /// How much each candidate of `[m, d]` looks like part of the mean `released: [d]`: (t − μ)ᵀ·Σ⁻¹·(r − μ).
    pub fn scores(&self, released: &[f32], candidates: &[f32]) -> Vec<f64> {
        let d = self.mean.len();
        let offset = Mat::from_fn(d, 1, |i, _| f64::from(released[i]) - self.mean[i]);
        let direction = &self.inverse * offset;
        let score = |t: &[f32]| {
            let pairs = t.iter().zip(&self.mean).enumerate();
            pairs.map(|(i, (t, m))| (f64::from(*t) - m) * direction[(i, 0)]).sum()
        };
        candidates.chunks_exact(d).map(score).collect()
    }
}
