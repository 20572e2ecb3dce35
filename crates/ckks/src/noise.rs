//! How large the noise of a ciphertext is: an estimate that measurements come near, and a bound they stay under.
//!
//! Noise is followed in the slots, where products are products. A polynomial with independent coefficients of
//! variance `v` has slots of mean square `N·v`, close to complex Gaussian, so `|slot|^2` exceeds `t` times its mean with
//! probability `exp(-t)`. A bound takes `t = ln(N/2) + 40·ln 2`: one slot of the ciphertext exceeds it with
//! probability `2^-40` where a term is Gaussian, and each factor of a product of two random slots gets its own `t`.
//!
//! Units: the integers that are encoded; divide by the scale for the error of a message. The message's own magnitude
//! ([`Magnitude`]) is in those units too.
//!
//! Reference: Costache, Curtis, Hales, Murphy, Ogilvie, Player, "On the precision loss in approximate homomorphic
//! encryption", ia.cr/2022/162 (canonical-embedding variances).

use crate::{Level, Parameters, Scale};
pub use blindscope_ring::sample::ERROR_STD;

/// Variance of a uniform ternary coefficient.
const TERNARY_VARIANCE: f64 = 2.0 / 3.0;
/// `40·ln 2`: the exponent of the bound's failure probability.
const TAIL: f64 = 27.725_887_222_397_81;

/// The noise of one ciphertext's slots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Root mean square of a slot's error.
    pub std: f64,
    /// What no slot exceeds, up to the probability in the module text.
    pub bound: f64,
}

/// The size of a message's slots, times its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Magnitude {
    /// Root mean square of a slot.
    pub rms: f64,
    /// Largest slot.
    pub max: f64,
}

impl Magnitude {
    /// Of slots with these statistics at a scale.
    pub fn new(params: &Parameters, scale: &Scale, rms: f64, max: f64) -> Self {
        let s = params.scale_value(scale);
        Self { rms: rms * s, max: max * s }
    }
}

impl Noise {
    /// No noise.
    pub const NONE: Self = Self { std: 0.0, bound: 0.0 };

    /// Noise of a sum or a difference.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { std: self.std.hypot(other.std), bound: self.bound + other.bound }
    }

    /// Noise of the ciphertext times a constant of this size.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { std: self.std * factor.abs(), bound: self.bound * factor.abs() }
    }

    /// Bits of a message's worst slot that are right at a scale: `-log2(bound / scale)`.
    pub fn bits(&self, params: &Parameters, scale: &Scale) -> f64 {
        params.scale_log2(scale) - self.bound.log2()
    }
}

/// Variances, a coefficient, of keys that sites make together: every secret and every error is a sum over the sites, and the
/// relinearisation key multiplies such sums.
///
/// With `s = Σ s_i`, `u = Σ u_i` and errors `e_0`, `e_1` of the first round summed over the sites, the second round leaves
/// `b + a·s = P·g·s² + s·e_0 + u·e_1 + e_2 + e_3` for `a = s·a' + e_1` (ia.cr/2020/304, §4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyVariances {
    /// Of the secret: `2/3` a site.
    pub secret: f64,
    /// Of the error of a public key or of a Galois key: `σ²` a site.
    pub error: f64,
    /// Of the error of a relinearisation key: `σ²` under one party's own secret, `n·σ²·(2 + 4/3·N·n)` for `n` sites that make
    /// it in two rounds, one included.
    pub relin: f64,
}

impl KeyVariances {
    /// Of keys that the holder of the secret makes alone.
    pub fn own() -> Self {
        let error = ERROR_STD * ERROR_STD;
        Self { secret: TERNARY_VARIANCE, error, relin: error }
    }

    /// Of keys that so many sites make together in a ring of degree `n`.
    pub fn collective(n: usize, sites: usize) -> Self {
        let (n, sites) = (n as f64, sites as f64);
        let error = sites * ERROR_STD * ERROR_STD;
        let secret = sites * TERNARY_VARIANCE;
        Self { secret, error, relin: error * 2.0 * (1.0 + n * secret) }
    }

    /// Of a fresh encryption under the public key in a ring of degree `n`: `e·u + e_0 + e_1·s`.
    pub fn fresh(&self, n: usize) -> f64 {
        let n = n as f64;
        n * TERNARY_VARIANCE * self.error + ERROR_STD * ERROR_STD * (1.0 + n * self.secret)
    }
}

/// Noise of each operation under one parameter set.
#[derive(Debug, Clone)]
pub struct NoiseModel {
    params: Parameters,
    keys: KeyVariances,
    n: f64,
    /// Squared tail factor of one Gaussian slot among all.
    tail: f64,
}

impl NoiseModel {
    /// The model of these parameters under keys of one holder.
    pub fn new(params: &Parameters) -> Self {
        Self::with_keys(params, KeyVariances::own())
    }

    /// The model of these parameters under keys of these variances.
    pub fn with_keys(params: &Parameters, keys: KeyVariances) -> Self {
        let n = params.n() as f64;
        Self { params: params.clone(), keys, n, tail: (n / 2.0).ln() + TAIL }
    }

    /// A Gaussian term with this mean square.
    fn gaussian(&self, mean_square: f64) -> Noise {
        Noise { std: mean_square.sqrt(), bound: (mean_square * self.tail).sqrt() }
    }

    /// A sum of products of two random slots, with this mean square.
    fn product(&self, mean_square: f64) -> Noise {
        Noise { std: mean_square.sqrt(), bound: mean_square.sqrt() * self.tail }
    }

    /// Rounding to integers while encoding: uniform in `[-1/2, 1/2]` a coefficient.
    pub fn encoding(&self) -> Noise {
        self.gaussian(self.n / 12.0)
    }

    /// A fresh secret-key ciphertext, encoding included.
    pub fn fresh_secret(&self) -> Noise {
        self.gaussian(self.n * ERROR_STD * ERROR_STD).plus(self.encoding())
    }

    /// A fresh public-key ciphertext, encoding included: `e·u + e_0 + e_1·s`.
    pub fn fresh_public(&self) -> Noise {
        let e = self.n * self.keys.error * self.n * TERNARY_VARIANCE;
        let own = self.n * ERROR_STD * ERROR_STD * self.n * self.keys.secret;
        self.product(e + own).plus(self.fresh_secret())
    }

    /// Rounding both halves of a ciphertext after a division: `r_0 + r_1·s`.
    pub fn rounding(&self) -> Noise {
        let r = self.n / 12.0;
        self.gaussian(r).plus(self.product(r * self.n * self.keys.secret))
    }

    /// What one key switch under a Galois key adds at a level: `Σ d_j·e_j / P` and a rounding.
    ///
    /// Digits are centred, so uniform in `[-D_j/2, D_j/2]`.
    pub fn key_switch(&self, level: Level) -> Noise {
        self.switch(level, self.keys.error)
    }

    /// What one relinearisation adds at a level.
    pub fn relinearise(&self, level: Level) -> Noise {
        self.switch(level, self.keys.relin)
    }

    fn switch(&self, level: Level, error: f64) -> Noise {
        let Some(special) = self.params.special() else { return Noise::NONE };
        let log_p = special.log2_product(special.len());
        let primes = &self.params.q().primes()[..level.limbs()];
        let digits: f64 = primes
            .chunks(special.len())
            .map(|run| run.iter().map(|q| (q.value() as f64).log2()).sum::<f64>())
            .map(|log_d| (2.0 * (log_d - log_p)).exp2() / 12.0)
            .sum();
        self.product(digits * self.n * self.n * error).plus(self.rounding())
    }

    /// After `rescale` from `level`.
    pub fn rescale(&self, noise: Noise, level: Level) -> Noise {
        noise.times(1.0 / self.params.q().prime(level.0).value() as f64).plus(self.rounding())
    }

    /// A product of ciphertexts, before relinearisation: `m_a·e_b + m_b·e_a + e_a·e_b`.
    pub fn mul(&self, a: Noise, m_a: Magnitude, b: Noise, m_b: Magnitude) -> Noise {
        let std = ((m_a.rms * b.std).powi(2) + (m_b.rms * a.std).powi(2) + (a.std * b.std).powi(2)).sqrt();
        Noise { std, bound: m_a.max * b.bound + m_b.max * a.bound + a.bound * b.bound }
    }

    /// A square, before relinearisation: `2·m·e + e^2`.
    pub fn square(&self, a: Noise, m: Magnitude) -> Noise {
        // E|e^2|^2 = 2·(E|e|^2)^2 for a complex Gaussian.
        let std = ((2.0 * m.rms * a.std).powi(2) + 2.0 * a.std.powi(4)).sqrt();
        Noise { std, bound: 2.0 * m.max * a.bound + a.bound * a.bound }
    }

    /// A product with a plaintext, whose encoding was rounded.
    pub fn mul_plain(&self, a: Noise, m_a: Magnitude, m_plain: Magnitude) -> Noise {
        self.mul(a, m_a, self.encoding(), m_plain)
    }

    /// What dropping low bits of a final ciphertext adds; see [`crate::codec::DropBits`].
    pub fn dropped(&self, drop: crate::codec::DropBits) -> Noise {
        let half = |bits: u32| if bits == 0 { 0.0 } else { self.n * (2.0 * f64::from(bits)).exp2() / 12.0 };
        self.gaussian(half(drop.c0)).plus(self.product(half(drop.c1) * self.n * self.keys.secret))
    }
}
