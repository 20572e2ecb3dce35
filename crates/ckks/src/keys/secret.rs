//! The secret: ternary, wiped on drop, never printed.

use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::Parameters;
use blindscope_ring::{Ntt, Poly, sample};

/// A uniform ternary secret `s`, in evaluations over all primes. Wiped on drop; never cloned, printed or serialized.
pub struct SecretKey {
    pub(crate) params: Parameters,
    pub(crate) s: Poly<Ntt>,
}

impl SecretKey {
    /// A fresh secret.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    pub fn generate(params: &Parameters, rng: &mut impl CryptoRng) -> Self {
        let s = sample::ternary_poly(params.qp(), rng);
        Self { params: params.clone(), s }
    }

    /// The secret with these evaluations over all primes, consumed: for protocols that add or share secrets.
    ///
    /// # Timing
    /// The same for any secret.
    pub fn from_evaluations(params: &Parameters, s: Poly<Ntt>) -> Self {
        debug_assert_eq!(s.limb_count(), params.qp().len());
        Self { params: params.clone(), s }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The secret's evaluations over all primes: for protocols. Whatever is computed from it is secret too.
    pub fn evaluations(&self) -> &Poly<Ntt> {
        &self.s
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.s.zeroize();
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}
