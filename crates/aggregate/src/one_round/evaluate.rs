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

fn evaluate<R: Read>(plan: &Plan, at: &Challenge, source: &mut Source<'_, R>) -> Result<Evaluation> {
    let (mut value, mut power) = (Scalar::ZERO, Scalar::ONE);
    let chunk_power = (0..plan.shape(0).coefficients).fold(Scalar::ONE, |x, _| x * at.0);
    let mut coefficients = Vec::with_capacity(plan.n());
    for index in 0..plan.chunks() {
        coefficients.clear();
        // A coefficient has at most 220 bits: below the field's order as it stands.
        source.chunk(plan.shape(index), index, |_, words| {
            let mut bytes = [0; 32];
            for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
                to.copy_from_slice(&word.to_le_bytes());
            }
            coefficients.push(Scalar::from_bytes_mod_order(bytes));
        })?;
        let chunk = coefficients.iter().rev().fold(Scalar::ZERO, |y, c| y * at.0 + c);
        value += chunk * power;
        power *= chunk_power;
    }
    source.finish()?;
    Ok(Evaluation(value))
}
