//! Whether a sum is the sum of the bodies that were uploaded, without fetching them: one evaluation a site.
//!
//! A body is a polynomial over a field larger than its coefficients. Set and sum are fixed first; `r` is their hash; site `i`
//! gives `y_i = Σ_j c_(i,j)·r^j` of its stored body, and the sum is right where `Σ y_i` is its own value at `r`, but with
//! probability `M·2^-252` a hash query, `M` coefficients. Bodies are public, so another site can recompute `y_i`.
//!
//! The field is the scalars of Curve25519, modulo `2^252 + 27742…`, which a well-kept crate gives.

use std::io::Read;

use curve25519_dalek::Scalar;

use super::body::Source;
use super::plan::{Plan, RoundId};
use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

/// `r`: where bodies are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(Scalar);

impl Challenge {
    /// Follows from the round, the committed set and the digest of its sum: all fixed before anybody evaluates.
    pub fn new(round: &RoundId, set: &Digest, sum: &Digest) -> Self {
        let half = |label: u64| {
            let mut h = Hasher::new("blindscope/one-round/challenge/v1");
            h.absorb(&round.0.0).absorb(&set.0).absorb(&sum.0).absorb_u64(label).finish().0
        };
        let mut wide = [0; 64];
        wide[..32].copy_from_slice(&half(0));
        wide[32..].copy_from_slice(&half(1));
        Self(Scalar::from_bytes_mod_order_wide(&wide))
    }
}

/// `y`: a body's value at the challenge, as 32 canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluation(Scalar);

impl Evaluation {
    /// Zero: the sum of no evaluation.
    pub const ZERO: Self = Self(Scalar::ZERO);

    /// `y + other`
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The evaluation of these bytes.
    ///
    /// # Errors
    /// [`Error::Evaluation`] for bytes that are not the one form of a field element.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self> {
        Option::from(Scalar::from_canonical_bytes(bytes)).map(Self).ok_or(Error::Evaluation)
    }
}

/// The value of one body.
///
/// # Errors
/// As [`super::check_body`].
pub fn evaluate_body(plan: &Plan, at: &Challenge, body: &mut impl Read) -> Result<Evaluation> {
    evaluate(plan, at, &mut Source::body(plan, "evaluate body", body)?)
}

/// The value of a sum of bodies.
///
/// # Errors
/// As [`super::open_sum`].
pub fn evaluate_sum(plan: &Plan, at: &Challenge, sum: &mut impl Read) -> Result<Evaluation> {
    evaluate(plan, at, &mut Source::sum(plan, "evaluate sum", sum)?)
}

/// Coefficients that are added up before their sum is reduced: below 2^220 each, times a power below 2^253, 256 of them stay below 2^512.
const RUN: usize = 256;

/// `1, r, r², …` as words.
fn powers(at: Scalar) -> Vec<[u64; 4]> {
    let words = |power: &Scalar| {
        let (words, _) = power.as_bytes().as_chunks::<8>();
        [0, 1, 2, 3].map(|k| words.get(k).map_or(0, |word| u64::from_le_bytes(*word)))
    };
    std::iter::successors(Some(Scalar::ONE), |power| Some(power * at)).take(RUN).map(|p| words(&p)).collect()
}

/// Adds a coefficient's product with a power to a sum that has room for it.
fn add_product(sum: &mut [u64; 8], coefficient: &[u64], power: &[u64; 4]) {
    for (at, word) in coefficient.iter().enumerate() {
        let mut carry = 0u128;
        let (low, high) = sum.split_at_mut(at.min(4) + 4);
        for (to, factor) in low[at.min(4)..].iter_mut().zip(power) {
            let next = u128::from(*word) * u128::from(*factor) + u128::from(*to) + carry;
            (*to, carry) = (next as u64, next >> 64);
        }
        for to in high {
            let next = u128::from(*to) + carry;
            (*to, carry) = (next as u64, next >> 64);
        }
    }
}

/// The element of the field that a sum of products is.
fn reduced(sum: &[u64; 8]) -> Scalar {
    let mut wide = [0; 64];
    for (to, word) in wide.chunks_exact_mut(8).zip(sum) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// `Σ c_j·r^j`, run by run: products are added up as integers, and each run's sum is reduced once.
fn evaluate<R: Read>(plan: &Plan, at: &Challenge, source: &mut Source<'_, R>) -> Result<Evaluation> {
    let powers = powers(at.0);
    let run_power = (0..RUN).fold(Scalar::ONE, |power, _| power * at.0);
    let (mut value, mut power) = (Scalar::ZERO, Scalar::ONE);
    for index in 0..plan.chunks() {
        let (mut sum, mut place) = ([0; 8], 0);
        source.chunk(plan.shape(index), index, |_, words| {
            add_product(&mut sum, words, &powers[place]);
            place += 1;
            if place == RUN {
                value += reduced(&sum) * power;
                power *= run_power;
                (sum, place) = ([0; 8], 0);
            }
        })?;
        // Chunks need not be whole runs.
        value += reduced(&sum) * power;
        power = (0..place).fold(power, |power, _| power * at.0);
    }
    source.finish()?;
    Ok(Evaluation(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng as _;

    /// Runs of the largest coefficients and powers, and of random ones, are what the field's own arithmetic gives.
    #[test]
    fn runs_are_sums_in_the_field() {
        let mut rng = blindscope_testkit::rng(61);
        let at = -Scalar::ONE;
        for (at, largest) in [(at, true), (Scalar::from(rng.next_u64()) * at.invert(), false)] {
            let powers = powers(at);
            for width in 1..=4 {
                let (mut sum, mut expected, mut power) = ([0; 8], Scalar::ZERO, Scalar::ONE);
                for words in &powers {
                    let mut coefficient = vec![u64::MAX; width];
                    if !largest {
                        coefficient.fill_with(|| rng.next_u64());
                    }
                    if let Some(top) = coefficient.get_mut(3) {
                        *top &= (1 << 28) - 1;
                    }
                    add_product(&mut sum, &coefficient, words);
                    let mut bytes = [0; 32];
                    for (to, word) in bytes.chunks_exact_mut(8).zip(&coefficient) {
                        to.copy_from_slice(&word.to_le_bytes());
                    }
                    expected += Scalar::from_bytes_mod_order(bytes) * power;
                    power *= at;
                }
                assert_eq!(reduced(&sum), expected, "{width} words");
            }
        }
    }
}
