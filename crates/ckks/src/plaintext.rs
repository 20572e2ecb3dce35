//! Encoded messages.

use crate::{Level, Parameters, Scale};
use blindscope_ring::galois::{Automorphism, rotation_element};
use blindscope_ring::{Ntt, Poly};

/// An encoded message: a polynomial with its level and exact scale.
///
/// `Debug` shows its shape only, since a message may be private.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext {
    pub(crate) params: Parameters,
    pub(crate) poly: Poly<Ntt>,
    pub(crate) scale: Scale,
}

impl Plaintext {
    /// The message with these evaluations, for encoders that place integers in coefficients. Range: at least one limb,
    /// at most as many as there are ciphertext primes.
    pub fn from_polynomial(params: &Parameters, poly: Poly<Ntt>, scale: Scale) -> Self {
        debug_assert!((1..=params.q().len()).contains(&poly.limb_count()));
        Self { params: params.clone(), poly, scale }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The polynomial, `level + 1` limbs in evaluations.
    pub fn poly(&self) -> &Poly<Ntt> {
        &self.poly
    }

    /// Its level: it combines with ciphertexts at this level or below.
    pub fn level(&self) -> Level {
        Level(self.poly.limb_count() - 1)
    }

    /// Its scale.
    pub fn scale(&self) -> Scale {
        self.scale
    }
}

impl std::fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log2 = self.params.scale_log2(&self.scale);
        write!(f, "Plaintext(level {}, scale 2^{log2:.4})", self.level())
    }
}

/// An encoded message over the primes of a level and the special ones: it multiplies what is not divided by these yet.
#[derive(Clone, PartialEq, Eq)]
pub struct RaisedPlaintext {
    pub(crate) params: Parameters,
    pub(crate) poly: Poly<Ntt>,
    pub(crate) level: Level,
    pub(crate) scale: Scale,
}

impl RaisedPlaintext {
    /// The message with its slots moved left by `steps`.
    #[must_use]
    pub fn rotated(&self, steps: i64) -> Self {
        let log_n = self.params.log_n();
        let poly = Automorphism::new(rotation_element(steps, log_n), log_n).apply(&self.poly);
        Self { params: self.params.clone(), poly, ..*self }
    }
}

impl std::fmt::Debug for RaisedPlaintext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RaisedPlaintext(level {})", self.level)
    }
}
