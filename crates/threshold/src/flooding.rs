//! Masks that hide a ciphertext's noise when it is opened.
//!
//! A site's mask is a rounded Gaussian of standard deviation `σ`. With noise of standard deviation `τ` in `N·D`
//! coefficients (`D` ciphertexts, the study's budget), all openings together stay within Kullback–Leibler divergence
//! `‖e‖²/(2σ²) ≤ 2^-s` of openings without noise when `σ ≥ τ·sqrt(2·N·D)·2^(s/2)`; the factor `sqrt(4)` bounds `‖e‖²` by
//! four times its mean. This is the `s`-bit statistical part of `(c, s)` security; the total variation it implies by
//! Pinsker's inequality is `2^-(s+1)/2`. Only one site's mask is counted on; the others may be known.
//!
//! Reference: ia.cr/2022/816, §5.

use crate::{Result, ThresholdError};
use blindscope_ring::sample::ERROR_STD;
use rand_core::CryptoRng;

/// Fewest bits of statistical security accepted.
pub const MIN_STATISTICAL_BITS: u32 = 30;

/// Standard deviations at which the sum of masks is bounded: beyond with probability `2^-55` a coefficient.
const TAIL: f64 = 8.5;

/// The mask of one study's decryptions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flooding {
    std_log2: f64,
    noise_log2: f64,
    parties: usize,
    bits: u32,
}

impl Flooding {
    /// The mask for noise of standard deviation `2^noise_log2` in ciphertexts of `n` coefficients, `budget` of which are
    /// opened in the study's life, by `parties` sites each.
    ///
    /// # Errors
    /// [`ThresholdError::WeakFlooding`].
    pub fn derive(noise_log2: f64, n: usize, budget: u64, parties: usize, bits: u32) -> Result<Self> {
        if bits < MIN_STATISTICAL_BITS || budget == 0 || !noise_log2.is_finite() {
            return Err(ThresholdError::WeakFlooding { found: bits, min: MIN_STATISTICAL_BITS, budget });
        }
        let coefficients = n as f64 * budget as f64;
        let std_log2 = noise_log2 + 0.5 * (2.0 * coefficients).log2() + f64::from(bits) / 2.0;
        Ok(Self { std_log2, noise_log2, parties, bits })
    }

    /// `log2` of one mask's standard deviation.
    pub fn std_log2(&self) -> f64 {
        self.std_log2
    }

    /// Bits of statistical security.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// `log2` of a bound on the noise and all masks together.
    pub fn error_log2(&self) -> f64 {
        let variance = self.parties as f64 + 4f64.powf(self.noise_log2 - self.std_log2);
        self.std_log2 + 0.5 * variance.log2() + TAIL.log2()
    }

    /// Refuses masks that would reach the message, which starts at `2^(room_log2 + 1)`.
    ///
    /// # Errors
    /// [`ThresholdError::NoRoom`]; masks above `2^60` have no sampler and are refused as well.
    pub fn require_room(&self, room_log2: f64) -> Result<()> {
        let room = room_log2.min(60.0);
        let needed = self.error_log2();
        if needed < room {
            return Ok(());
        }
        Err(ThresholdError::NoRoom { noise: self.noise_log2, parties: self.parties, needed, room })
    }

    /// Fills `out` with masks, by the Box–Muller transform of 53-bit uniforms.
    ///
    /// Range: at most 8.6 standard deviations. Standard deviations are far above `2^20`, so rounding to integers and the
    /// grain of `f64` change the distribution by less than `2^-50`.
    pub(crate) fn sample(&self, rng: &mut impl CryptoRng, out: &mut [i64]) {
        let std = self.std_log2.exp2();
        let mut words = [0u8; 16];
        let uniform = |b: &[u8]| {
            let mut w = [0; 8];
            w.copy_from_slice(b);
            ((u64::from_le_bytes(w) >> 11) as f64 + 0.5) * 2f64.powi(-53)
        };
        for pair in out.chunks_mut(2) {
            rng.fill_bytes(&mut words);
            let radius = std * (-2.0 * uniform(&words[..8]).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * uniform(&words[8..])).sin_cos();
            for (o, v) in pair.iter_mut().zip([cos, sin]) {
                *o = (radius * v).round() as i64;
            }
        }
        zeroize::Zeroize::zeroize(&mut words);
    }
}

/// `log2` of the noise's standard deviation in the sum of `terms` fresh ciphertexts under the collective public key of
/// `parties` sites: `terms·σ²·(1 + 2·(2/3)·N·parties)`, from `e·u + e_0 + e_1·s`.
pub fn fresh_sum_noise_log2(n: usize, parties: usize, terms: usize) -> f64 {
    let variance = terms as f64 * ERROR_STD.powi(2) * (1.0 + 4.0 / 3.0 * n as f64 * parties as f64);
    0.5 * variance.log2()
}
