//! How alike two images are, by published definitions. Images are [`Picture`]s with values in 0..=1.
//!
//! | figure | definition | perfect |
//! | --- | --- | --- |
//! | MSE | mean of (a − b)² over pixels and channels | 0 |
//! | PSNR | 10·log₁₀(1/MSE), dB | ∞ |
//! | SSIM | Wang, Bovik, Sheikh, Simoncelli 2004: Gaussian window 11×11, σ = 1.5, K₁ = 0.01, K₂ = 0.03, population moments, windows wholly inside, mean over windows and channels | 1 |
//! | NMI | 2·I(A; B)/(H(A) + H(B)) of the joint histogram of eight-bit values, 256 bins, channels pooled | 1 |

mod interval;
mod nmi;
mod order;
mod pixel;
mod ssim;

pub use interval::{Estimate, mean_interval};
pub use nmi::nmi;
pub use order::best_order;
pub use pixel::{exact_bytes, mse, psnr};
pub use ssim::ssim;

use serde::{Deserialize, Serialize};

use crate::Picture;
use crate::error::{Error, Result};

/// Every figure of one reconstruction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Mean squared error.
    pub mse: f64,
    /// Peak signal-to-noise ratio, dB.
    pub psnr: f64,
    /// Structural similarity.
    pub ssim: f64,
    /// Normalised mutual information.
    pub nmi: f64,
    /// Share of eight-bit values that are recovered exactly.
    pub exact_bytes: f64,
}

impl Similarity {
    /// Compares a reconstruction with the original.
    ///
    /// # Errors
    /// [`Error::Shape`] for pictures of different sides, or of a side below SSIM's window.
    pub fn of(original: &Picture, reconstruction: &Picture) -> Result<Self> {
        let (a, b) = (original, reconstruction);
        if a.side != b.side || a.values.len() != b.values.len() || a.values.len() != 3 * a.side * a.side {
            return Err(Error::shape("comparing pictures", format!("{a:?}"), format!("{b:?}")));
        }
        let mse = mse(&a.values, &b.values);
        let (byte_a, byte_b) = (a.to_rgb(), b.to_rgb());
        Ok(Self {
            mse,
            psnr: psnr(mse),
            ssim: ssim(a, b)?,
            nmi: nmi(&byte_a.pixels, &byte_b.pixels),
            exact_bytes: exact_bytes(&byte_a.pixels, &byte_b.pixels),
        })
    }
}
