//! Masks that hide a ciphertext's noise when it is opened.
//!
//! A mask is the centred sum of four uniform integers of `w` bits: variance `W²/3` with `W = 2^w`, no larger than `2W`.
//! Opening the noise vector `e` with it, or nothing with it, differ by a squared Hellinger distance of at most
//! `Σ e_i²/2 · J`, where `J = Σ_x (√p(x+1) − √p(x))² <= 0.79/W²` (a step of one, then the triangle inequality). Over all
//! `N·D` coefficients that the study opens, with `‖e‖² <= 2·N·D·τ²` (twice its mean), the choice
//!
//! ```text
//! W² >= 2·N·D·τ² · 0.79 · 2^(s+1)
//! ```
//!
//! gives `H² <= 2^-(s+2)` and total variation `<= √2·H <= 2^-(s+1)/2`. That is the `s`-bit statistical part of
//! `(c, s)` security; the derivation and what it does not say are in `docs/notes/flooding.md`. Only one site's
//! mask is counted on; the others may be known.
//!
//! References: ia.cr/2022/816; Yasunaga, "Replacing probability distributions in security games via Hellinger distance",
//! 2021.

use crate::{Result, ThresholdError};
use blindscope_ckks::Parameters;
use blindscope_ckks::noise::Noise;
use blindscope_ring::sample::ERROR_STD;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Fewest bits of statistical security accepted.
pub const MIN_STATISTICAL_BITS: u32 = 30;

/// Bound on `J·W²` for four uniform summands and `W >= 32`; `docs/notes/flooding.md`.
const HELLINGER_STEP: f64 = 0.79;
/// `‖e‖²` over its mean.
const NOISE_MARGIN: f64 = 2.0;
/// `P(|sum of masks| > λ) <= 2·exp(−λ²/(2·variance))`, and this many deviations make it `2^-64`.
const TAIL: f64 = 9.5;
/// Deviations allowed to the noise itself, which is far below the masks.
const NOISE_TAIL: f64 = 64.0;
/// Widest summand: masks stay below `2^60`.
const MAX_BITS: u32 = 58;
/// Narrowest summand for which the bound on `J` is stated.
const MIN_BITS: u32 = 5;

/// How the mask of one study's openings is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flooding {
    /// Bits of each of the four summands.
    width: u32,
    noise_log2: f64,
    parties: usize,
    bits: u32,
}

impl Flooding {
    /// The mask for sums of `terms` fresh ciphertexts under the collective key of `sites` sites, of which `polynomials`
    /// message halves are opened in the study's life, by `committee` sites each.
    ///
    /// # Errors
    /// [`ThresholdError::WeakFlooding`].
    pub fn for_sums(
        params: &Parameters,
        sites: usize,
        terms: usize,
        polynomials: u64,
        committee: usize,
        bits: u32,
    ) -> Result<Self> {
        Self::derive(fresh_sum_noise_log2(params.n(), sites, terms), params.n(), polynomials, committee, bits)
    }

    /// The mask for a circuit whose noise a plan predicts (as [`Noise`] states it: in the slots, `√N` times a
    /// coefficient's), `openings` results of which are opened in the study's life.
    ///
    /// # Errors
    /// [`ThresholdError::WeakFlooding`].
    pub fn for_circuit(
        params: &Parameters,
        noise: Noise,
        openings: u64,
        committee: usize,
        bits: u32,
    ) -> Result<Self> {
        let coefficient = noise.std.log2() - 0.5 * (params.n() as f64).log2();
        Self::derive(coefficient, params.n(), openings, committee, bits)
    }

    fn derive(noise_log2: f64, n: usize, polynomials: u64, parties: usize, bits: u32) -> Result<Self> {
        if bits < MIN_STATISTICAL_BITS || polynomials == 0 || !noise_log2.is_finite() {
            let (found, min, budget) = (bits, MIN_STATISTICAL_BITS, polynomials);
            return Err(ThresholdError::WeakFlooding { found, min, budget });
        }
        let norm = NOISE_MARGIN * n as f64 * polynomials as f64;
        let width_log2 = noise_log2 + 0.5 * ((norm * HELLINGER_STEP).log2() + f64::from(bits) + 1.0);
        let width = (width_log2.ceil().max(f64::from(MIN_BITS))).min(1e6) as u32;
        Ok(Self { width, noise_log2, parties, bits })
    }

    /// `log2` of one mask's standard deviation.
    pub fn std_log2(&self) -> f64 {
        f64::from(self.width) - 0.5 * 3f64.log2()
    }

    /// Bits of statistical security, over all openings of the study together.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// `log2` of the noise's standard deviation that the mask was derived for.
    pub fn noise_log2(&self) -> f64 {
        self.noise_log2
    }

    /// `log2` of a bound on the noise and all masks together: the masks' support, or where their sum lies but for
    /// probability `2^-64` a coefficient.
    pub fn error_log2(&self) -> f64 {
        let parties = self.parties as f64;
        let masks = (2.0 * parties).min(TAIL * (parties / 3.0).sqrt());
        f64::from(self.width) + (masks + NOISE_TAIL * (self.noise_log2 - f64::from(self.width)).exp2()).log2()
    }

    /// Refuses masks that would reach the message, which starts at `2^(room_log2 + 1)`.
    ///
    /// # Errors
    /// [`ThresholdError::NoRoom`]; masks above `2^60` have no sampler and are refused as well.
    pub fn require_room(&self, room_log2: f64) -> Result<()> {
        let (needed, noise, parties) = (self.error_log2(), self.noise_log2, self.parties);
        if needed < room_log2 && self.width <= MAX_BITS {
            return Ok(());
        }
        let room = room_log2.min(f64::from(MAX_BITS));
        Err(ThresholdError::NoRoom { noise, parties, needed, room })
    }

    /// Fills `out` with masks: masked words of the generator, added up. No branch, division or table.
    ///
    /// Range: `|mask| < 2^(w+1)`, exact distribution; only after [`Self::require_room`].
    pub(crate) fn sample(&self, rng: &mut impl CryptoRng, out: &mut [i64]) {
        const RUN: usize = 128;
        debug_assert!(self.width <= MAX_BITS);
        let mask = (1u64 << self.width) - 1;
        let mut bytes = Zeroizing::new([0u8; RUN * 32]);
        for run in out.chunks_mut(RUN) {
            let used = &mut bytes[..run.len() * 32];
            rng.fill_bytes(used);
            for (o, words) in run.iter_mut().zip(used.as_chunks::<32>().0) {
                let sum: u64 = words.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w) & mask).sum();
                // The mean of four is 2·(W − 1).
                *o = sum as i64 - 2 * mask as i64;
            }
        }
    }
}

/// `log2` of the noise's standard deviation in the sum of `terms` fresh ciphertexts under the collective public key of
/// `parties` sites: `terms·σ²·(1 + 2·(2/3)·N·parties)`, from `e·u + e_0 + e_1·s`.
pub fn fresh_sum_noise_log2(n: usize, parties: usize, terms: usize) -> f64 {
    let variance = terms as f64 * ERROR_STD.powi(2) * (1.0 + 4.0 / 3.0 * n as f64 * parties as f64);
    0.5 * variance.log2()
}
