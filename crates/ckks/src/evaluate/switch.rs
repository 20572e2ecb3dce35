//! Hybrid key switching: digits, inner product with a key, division by the special primes.
//!
//! With `L` primes and one special prime a switch is `L^2 + 3L + 2` transforms: `L` back to coefficients, `L^2` for the
//! digits modulo the other primes, `2(L + 1)` for the division.

use super::Evaluator;
use crate::params::SwitchTables;
use crate::{Ciphertext, Level, Result, SwitchingKey};
use blindscope_ring::{Ntt, Poly};

/// The digits of a ciphertext's `c_1`, raised to the modulus with the special primes. Made once, it serves any number of
/// rotations of that ciphertext.
///
/// Reference: Halevi and Shoup, "Faster homomorphic linear transformations in `HElib`", 2018 (hoisting).
#[derive(Debug, Clone)]
pub struct Decomposed {
    pub(super) digits: Vec<Poly<Ntt>>,
    pub(super) level: Level,
}

impl Evaluator {
    /// The digits of a two-component ciphertext, for [`Self::rotate_decomposed`].
    ///
    /// # Errors
    /// [`crate::Error::Parameters`], [`crate::Error::Components`], [`crate::Error::NoSpecialPrime`].
    pub fn decompose(&self, a: &Ciphertext) -> Result<Decomposed> {
        const OP: &str = "decompose";
        self.check_one(OP, a)?;
        Self::check_components(OP, a, 2, "relinearise it first")?;
        let tables = self.params.switching(a.level(), OP)?;
        Ok(Decomposed { digits: self.raise(tables, &a.components[1]), level: a.level() })
    }

    /// The digits of `x` over the raised basis.
    pub(super) fn raise(&self, tables: &SwitchTables, x: &Poly<Ntt>) -> Vec<Poly<Ntt>> {
        let coefficients = self.params.q().to_coeff(x.clone());
        let digit = |(range, extension): &(std::ops::Range<usize>, blindscope_ring::extend::Extension)| {
            let limbs: Vec<&[u64]> = range.clone().map(|i| coefficients.limb(i)).collect();
            let scaled = extension.scale(&limbs);
            let mut out = Poly::unspecified(x.n(), tables.raised.len());
            for (i, (limb, prime)) in out.limbs_mut().zip(tables.raised.primes()).enumerate() {
                if range.contains(&i) {
                    limb.copy_from_slice(x.limb(i));
                } else {
                    extension.target_lazy(i, &scaled, limb);
                    prime.forward(limb);
                }
            }
            out
        };
        tables.digits.iter().map(digit).collect()
    }

    /// `out = (Σ d_j·b_j, Σ d_j·a_j) / P`, rounded. Range: `out` holds two polynomials of this level.
    pub(super) fn switch(
        &self,
        tables: &SwitchTables,
        digits: &[Poly<Ntt>],
        key: &SwitchingKey,
        out: &mut [Poly<Ntt>],
    ) {
        let top = key.level().limbs();
        let n = self.params.n();
        let mut special: Poly<Ntt> = Poly::unspecified(n, tables.raised.len() - tables.limbs);
        let mut remainder: Poly<Ntt> = Poly::unspecified(n, 1);
        for (half, out) in [&key.b, &key.a].into_iter().zip(out) {
            let (q_limbs, p_limbs) = (out.limbs_mut(), special.limbs_mut());
            for (i, (limb, prime)) in q_limbs.chain(p_limbs).zip(tables.raised.primes()).enumerate() {
                let at = tables.key_limb(i, top);
                let terms: Vec<_> = digits.iter().zip(half).map(|(d, k)| (d.limb(i), k.limb(at))).collect();
                prime.mul_sum(limb, &terms);
            }
            let p_primes = &tables.raised.primes()[tables.limbs..];
            for (limb, prime) in special.limbs_mut().zip(p_primes) {
                prime.inverse(limb);
            }
            let limbs: Vec<&[u64]> = special.limbs().collect();
            let scaled = tables.down.scale(&limbs);
            for (i, (limb, prime)) in out.limbs_mut().zip(tables.raised.primes()).enumerate() {
                let remainder = remainder.limb_mut(0);
                tables.down.target_lazy(i, &scaled, remainder);
                prime.forward(remainder);
                prime.sub_mul_constant_assign(limb, remainder, tables.p_inverse[i]);
            }
        }
    }
}
