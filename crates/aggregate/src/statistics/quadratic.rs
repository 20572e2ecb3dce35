//! Random quadratic features: what a linear head over them computes is a quadratic form of low rank.

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Error, Result};

/// `x ↦ (x, (u_1·x)², …, (u_r·x)²)`, the `u_k` random signs over `√width`, from a public seed that all sites share.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticFeatures {
    width: usize,
    /// A row a form.
    forms: Vec<f64>,
}

impl QuadraticFeatures {
    /// `rank` squares beside `width` features.
    ///
    /// # Errors
    /// [`Error::Plan`] where there is no feature, or more than 2^24 signs.
    pub fn new(seed: [u8; 32], width: usize, rank: usize) -> Result<Self> {
        let (found, max) = (width.saturating_mul(rank.max(1)) as u64, 1 << 24);
        if !(1..=max).contains(&found) {
            return Err(Error::Plan { what: "signs of the forms", found, min: 1, max });
        }
        let mut rng = ChaCha20Rng::from_seed(seed);
        let scale = 1.0 / (width as f64).sqrt();
        let mut forms = Vec::with_capacity(width * rank);
        while forms.len() < width * rank {
            let word = rng.next_u64();
            let left = (width * rank - forms.len()).min(64);
            forms.extend((0..left).map(|bit| if word >> bit & 1 == 1 { scale } else { -scale }));
        }
        Ok(Self { width, forms })
    }

    /// Features of a mapped sample: `width + rank`.
    pub fn features(&self) -> usize {
        self.width + self.forms.len() / self.width
    }

    /// The rows `u_k`, one after the other: what a quadratic head needs to be evaluated.
    pub fn forms(&self) -> &[f64] {
        &self.forms
    }

    /// The features of one sample.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another width.
    pub fn map(&self, x: &[f64]) -> Result<Vec<f64>> {
        if x.len() != self.width {
            let (expected, found) = (self.width as u64, x.len() as u64);
            return Err(Error::Mismatch { what: "number of features", expected, found });
        }
        let mut out = x.to_vec();
        out.extend(self.forms.chunks(self.width).map(|u| {
            let dot: f64 = u.iter().zip(x).map(|(u, x)| u * x).sum();
            dot * dot
        }));
        Ok(out)
    }
}
