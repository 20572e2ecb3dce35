//! The key that anybody may encrypt with.

use crate::{Parameters, Seed};
use blindscope_ring::{Ntt, Poly, sample};

/// An encryption of zero, `(b, a)` with `b = -a·s + e`, over the ciphertext primes.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(crate) params: Parameters,
    pub(crate) b: Poly<Ntt>,
    pub(crate) a: Poly<Ntt>,
    pub(crate) seed: Seed,
}

impl PublicKey {
    /// The key `(b, a)` with `a` expanded from a seed. Range: `b` has a limb for each ciphertext prime.
    pub fn from_seed(params: &Parameters, b: Poly<Ntt>, seed: Seed) -> Self {
        debug_assert_eq!(b.limb_count(), params.q().len());
        let a = sample::uniform(params.q(), &seed, 0);
        Self { params: params.clone(), b, a, seed }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// `b = -a·s + e`
    pub fn b(&self) -> &Poly<Ntt> {
        &self.b
    }

    /// `a`
    pub fn a(&self) -> &Poly<Ntt> {
        &self.a
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.params.fingerprint())
    }
}
