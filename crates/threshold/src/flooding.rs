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

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Error, Result};
use blindscope_ckks::Parameters;
use blindscope_ckks::noise::{KeyVariances, Noise};

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
    /// message halves are opened in the study's life, by `committee` sites each. No service opens such: what they add up is under keys of
    /// one round, and what they re-encrypt is a circuit's ([`Self::for_circuit`]). It is for whoever builds on this crate alone.
    ///
    /// # Errors
    /// [`Error::WeakFlooding`] for fewer statistical bits than are accepted, or a budget of none.
    pub fn for_fresh(
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
    /// [`Error::WeakFlooding`] for fewer statistical bits than are accepted, or a budget of none.
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
            return Err(Error::WeakFlooding { found, min, budget });
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
    /// [`Error::NoRoom`] where noise and masks reach the message, or for masks above `2^60`, which have no sampler.
    pub fn require_room(&self, room_log2: f64) -> Result<()> {
        let (needed, noise, parties) = (self.error_log2(), self.noise_log2, self.parties);
        if needed < room_log2 && self.width <= MAX_BITS {
            return Ok(());
        }
        let room = room_log2.min(f64::from(MAX_BITS));
        Err(Error::NoRoom { noise, parties, needed, room })
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
    0.5 * (terms as f64 * KeyVariances::collective(n, parties).fresh(n)).log2()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]
mod tests {
    use super::*;
    use blindscope_testkit as testkit;

    fn masks(width: u32, count: usize, seed: u64) -> Vec<i64> {
        let flooding = Flooding { width, noise_log2: 0.0, parties: 1, bits: 30 };
        let mut out = vec![0; count];
        flooding.sample(&mut testkit::rng(seed), &mut out);
        out
    }

    /// `p(x)·W^4` for the sum of four uniforms, by convolution.
    fn exact(w: usize) -> Vec<f64> {
        let mut p = vec![1u128; w];
        for _ in 0..3 {
            let at = |i: usize, p: &[u128]| -> u128 {
                p.iter().skip(i.saturating_sub(w - 1)).take(w.min(i + 1)).sum()
            };
            p = (0..p.len() + w - 1).map(|i| at(i, &p)).collect();
        }
        let total = (w as f64).powi(4);
        p.iter().map(|&c| c as f64 / total).collect()
    }

    fn step_of(p: &[f64], by: usize) -> f64 {
        let at = |i: isize| usize::try_from(i).ok().and_then(|i| p.get(i)).copied().unwrap_or(0.0);
        (-(by as isize)..p.len() as isize).map(|i| (at(i + by as isize).sqrt() - at(i).sqrt()).powi(2)).sum()
    }

    #[test]
    fn the_step_bound_holds_for_every_width() {
        for bits in MIN_BITS..=9 {
            let w = (1usize << bits) as f64;
            let p = exact(1 << bits);
            let j = step_of(&p, 1) * w * w;
            println!("J·W² = {j:.5} at W = {w}");
            assert!(j <= HELLINGER_STEP && j > 0.75, "{j}");
            // A shift by e: H² = half the sum of squares, at most e²/2·J.
            for e in [3usize, 10] {
                let h2 = step_of(&p, e) / 2.0;
                assert!(h2 <= (e * e) as f64 / 2.0 * HELLINGER_STEP / (w * w), "shift {e} at {w}");
            }
        }
    }

    fn chi_square(seen: &[i64], w: usize) -> (f64, f64) {
        let p = exact(w);
        let middle = 2 * (w as i64 - 1);
        let mut counts = vec![0f64; p.len()];
        for x in seen {
            counts[usize::try_from(x + middle).unwrap()] += 1.0;
        }
        let n = seen.len() as f64;
        // Bins with few expected are pooled with their neighbours.
        let (mut chi, mut bins, mut got, mut want) = (0.0, 0.0, 0.0, 0.0);
        for (c, p) in counts.iter().zip(&p) {
            (got, want) = (got + c, want + p * n);
            if want >= 20.0 {
                chi += (got - want) * (got - want) / want;
                (bins, got, want) = (bins + 1.0, 0.0, 0.0);
            }
        }
        (chi, bins - 1.0)
    }

    #[test]
    fn masks_have_the_stated_distribution() {
        let seen = masks(5, 400_000, 7);
        let (chi, freedom) = chi_square(&seen, 32);
        let sigmas = (chi - freedom) / (2.0 * freedom).sqrt();
        println!("chi-square {chi:.1} of {freedom} degrees: {sigmas:.2} deviations");
        assert!(sigmas.abs() < 5.0, "{sigmas}");
        // The test can fail: masks from three summands and a half are told apart.
        let narrow: Vec<i64> = seen.iter().map(|x| x - x.signum() * (x & 1)).collect();
        assert!(chi_square(&narrow, 32).0 > 2.0 * freedom);
    }

    #[test]
    fn masks_have_the_stated_moments_and_no_memory() {
        let (width, count) = (40, 400_000);
        let seen = masks(width, count, 8);
        let scale = f64::from(width).exp2();
        let x: Vec<f64> = seen.iter().map(|&v| v as f64 / scale).collect();
        let mean = |f: &dyn Fn(usize) -> f64| (0..count - 64).map(f).sum::<f64>() / (count - 64) as f64;
        let root = (count as f64).sqrt();
        // Four uniforms of width one: variance 1/3, fourth moment 3/9 − 6/5·4/144.
        let moments = [
            ("mean", mean(&|i| x[i]), 0.0, (1.0f64 / 3.0).sqrt()),
            ("variance", mean(&|i| x[i] * x[i]), 1.0 / 3.0, 0.43),
            ("third", mean(&|i| x[i].powi(3)), 0.0, 0.6),
            ("fourth", mean(&|i| x[i].powi(4)), 0.3, 0.8),
        ];
        for (name, got, want, deviation) in moments {
            println!("{name}: {got:.5} for {want:.5}");
            assert!((got - want).abs() < 5.0 * deviation / root, "{name}: {got}");
        }
        for lag in [1, 2, 3, 4, 8, 32, 64] {
            let r = mean(&|i| x[i] * x[i + lag]) * 3.0;
            assert!(r.abs() < 5.0 / root, "lag {lag}: correlation {r}");
        }
        assert!(seen.iter().all(|v| v.abs() <= 2 << width));
        // Low bits are there: a mask on a coarse grid would hide nothing below it.
        let odd = seen.iter().filter(|v| *v & 1 == 1).count() as f64;
        assert!((odd - count as f64 / 2.0).abs() < 2.5 * root);
    }

    #[test]
    fn masks_grow_with_noise_budget_and_bits() {
        let params = Parameters::new(blindscope_ckks::presets::depth_two()).unwrap();
        let width = |terms, polynomials, bits| {
            Flooding::for_fresh(&params, 3, terms, polynomials, 3, bits).unwrap().std_log2()
        };
        for (more, by) in [(width(16, 1, 30), 2.0), (width(1, 1 << 10, 30), 5.0), (width(1, 1, 40), 5.0)] {
            assert!((more - width(1, 1, 30) - by).abs() < 1e-9, "{more}");
        }
    }
}
