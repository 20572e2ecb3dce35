//! Tracing a tile in a released mean (Homer et al. 2008; Dwork, Smith, Steinke, Ullman, Vadhan 2015): a member pulls the
//! mean towards itself by 1/n, which an attacker who knows the population sees in its whitened coordinates.

use faer::Mat;

use crate::error::Result;
use crate::linear::{Spectrum, moments};

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
    /// [`crate::Error::Shape`] for fewer than two tokens; [`crate::Error::NotFinite`] for a token that is not finite.
    pub fn new(tokens: &[f32], width: usize) -> Result<Self> {
        const OPERATION: &str = "knowing a population";
        let (mean, covariance) = moments(OPERATION, tokens, width)?;
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
