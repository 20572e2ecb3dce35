//! Exact samples of the discrete Gaussian, with integers alone: Canonne, Kamath, Steinke 2020, algorithms 1 to 3.
//!
//! A double's rounding would give each output a probability of its own, and a ratio of two that no `ε` bounds (Mironov 2012). Here
//! each coin is exact: `Bernoulli(exp(−a/b))` is drawn by von Neumann's series of `Bernoulli(a/(b·k))`, uniform integers by rejection.

use rand_core::Rng;

use crate::{Error, Result};

/// Integers with mean zero, `P(x) ∝ exp(−x²/2σ²)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscreteGaussian {
    variance: u64,
    /// Scale of the discrete Laplace distribution that is drawn from first: `⌊σ⌋ + 1`.
    scale: u64,
}

impl DiscreteGaussian {
    /// Largest `σ²`: products of the sampler then stay below 2^128.
    pub const MOST_VARIANCE: u64 = 1 << 52;

    /// Of this `σ²`.
    ///
    /// # Errors
    /// [`Error::Plan`] outside 1 to 2^52.
    pub fn new(variance: u64) -> Result<Self> {
        if !(1..=Self::MOST_VARIANCE).contains(&variance) {
            let (what, found, max) = ("variance of the noise", variance, Self::MOST_VARIANCE);
            return Err(Error::Plan { what, found, min: 1, max });
        }
        Ok(Self { variance, scale: variance.isqrt() + 1 })
    }

    /// `σ²`
    pub fn variance(&self) -> u64 {
        self.variance
    }

    /// One integer.
    ///
    /// # Timing
    /// Of rejection: the number of words that are drawn depends on the sample and on those that were thrown away, not on what it is
    /// added to. Noise is drawn for all values before the first byte is sent, so only the time of all draws together can be seen.
    pub fn sample(&self, rng: &mut impl Rng) -> i64 {
        let (variance, t) = (u128::from(self.variance), u128::from(self.scale));
        loop {
            let y = self.laplace(rng);
            // Range: σ² ≤ 2^52 and t ≤ 2^26 + 1; |y| < 2^36 by `laplace`, so the square stays below 2^124.
            let distance = (u128::from(y.unsigned_abs()) * t).abs_diff(variance);
            if exp_of_minus(rng, distance * distance, 2 * variance * t * t) {
                return y;
            }
        }
    }

    /// The discrete Laplace distribution: `P(y) ∝ exp(−|y|/t)`.
    fn laplace(&self, rng: &mut impl Rng) -> i64 {
        let t = u128::from(self.scale);
        loop {
            let rest = below(rng, t);
            if !exp_of_minus(rng, rest, t) {
                continue;
            }
            // Range: a thousand heads of a coin that shows them with 1/e have probability 2^-1442: |y| < 2^36.
            let mut whole = 0u64;
            while whole < 1000 && exp_of_minus(rng, 1, 1) {
                whole += 1;
            }
            let size = (rest as u64 + self.scale * whole).cast_signed();
            let negative = rng.next_u32() & 1 == 1;
            if negative && size == 0 {
                continue;
            }
            return if negative { -size } else { size };
        }
    }
}

/// True with probability `exp(−a/b)`. Range: `a` below 2^124, `b` from 1 to 2^107.
fn exp_of_minus(rng: &mut impl Rng, a: u128, b: u128) -> bool {
    let (whole, rest) = (a / b, a % b);
    // exp(−whole): as many coins, of which the first tail ends it.
    let mut left = whole;
    while left > 0 {
        if !exp_below_one(rng, 1, 1) {
            return false;
        }
        left -= 1;
    }
    exp_below_one(rng, rest, b)
}

/// True with probability `exp(−a/b)`, `a ≤ b`: odd where the first `k` with a tail of `Bernoulli(a/(b·k))` is odd.
fn exp_below_one(rng: &mut impl Rng, a: u128, b: u128) -> bool {
    let mut k = 1u128;
    // Range: that many heads in a row have probability below 1/64! ≈ 2^-295; b·k stays below 2^113.
    while k < 64 && below(rng, b * k) < a {
        k += 1;
    }
    k % 2 == 1
}

/// Uniform below `n`, by rejection.
fn below(rng: &mut impl Rng, n: u128) -> u128 {
    let bits = 128 - (n - 1).leading_zeros();
    if bits <= 64 {
        let mask = if bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
        loop {
            let word = u128::from(rng.next_u64() & mask);
            if word < n {
                return word;
            }
        }
    }
    let mask = u128::MAX >> (128 - bits);
    loop {
        let word = (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())) & mask;
        if word < n {
            return word;
        }
    }
}
