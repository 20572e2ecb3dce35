//! Closed forms: one image's pixels from the gradient of its loss, by linear algebra alone.
//!
//! The embedding of patch k is x_k = Wᵀ·p_k + b + e_k. With δ_k = dL/dx_k, back-propagation gives
//!
//! dL/de_k = δ_k and dL/dW = Σ_k p_k·δ_kᵀ.
//!
//! Where positions e are learned, both sides are in the gradient and the patches are its least-squares solution
//! ([`from_positions`]). Where they are fixed, the attention's gradient takes their place ([`from_attention`]).
//! Both hold whatever follows the embedding: depth, attention, loss, labels.

mod attention;
mod positions;
mod smooth;

pub use attention::from_attention;
pub use positions::from_positions;

use crate::error::{Error, Result};
use blindscope_vision::vit::{Config, Parameters};

/// Patches that a closed form recovered.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// Normalised pixels `[3, image, image]`.
    pub pixels: Vec<f32>,
    /// Independent equations found.
    pub rank: usize,
    /// Unknown patches; more than `rank` means that the rest was filled in by smoothness.
    pub patches: usize,
    /// Largest over smallest singular value that was inverted.
    pub condition: f64,
}

/// Refuses a gradient without the patch embedding's weight, or of other shapes.
pub(crate) fn check_patch_weight(attack: &'static str, config: &Config, gradient: &Parameters) -> Result<()> {
    let expected = config.patch_values() * config.width;
    if gradient.patch.weight.is_empty() {
        let repair = "attack the CLS tokens or the head instead";
        return Err(Error::NotShared { attack, missing: "patch embedding", repair });
    }
    if gradient.patch.weight.len() == expected {
        Ok(())
    } else {
        Err(Error::shape(attack, expected, gradient.patch.weight.len()))
    }
}

/// Puts patches `[n, 3·p²]` back into an image `[3, side, side]`.
pub(crate) fn assemble(config: &Config, patches: &[f32]) -> Vec<f32> {
    let mut pixels = vec![0.0; config.pixels()];
    let values = config.patch_values();
    for (k, patch) in patches.chunks_exact(values).enumerate() {
        for (j, value) in patch.iter().enumerate() {
            pixels[pixel_of(config, k, j)] = *value;
        }
    }
    pixels
}

/// Where value `j` of patch `k` lies in the image.
pub(crate) fn pixel_of(config: &Config, k: usize, j: usize) -> usize {
    let (side, p) = (config.image, config.patch);
    let grid = side / p;
    let (channel, y, x) = (j / (p * p), j / p % p, j % p);
    (channel * side + k / grid * p + y) * side + k % grid * p + x
}
