//! Hybrid key switching: digits, inner product with a key, division by the special primes.
//!
//! With `L` primes and one special prime a switch is `L^2 + 3L + 2` transforms: `L` back to coefficients, `L^2` for the
//! digits modulo the other primes, `2(L + 1)` for the division.

use std::ops::Range;

use super::Evaluator;
use crate::params::SwitchTables;
use crate::{Ciphertext, Level, Result, SwitchingKey};
use blindscope_ring::extend::{Extension, Scaled};
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

/// A digit's ciphertext primes, and its extension to every prime of the raised basis.
type Digit = (Range<usize>, Extension);

impl Evaluator {
    /// The digits of a two-component ciphertext, for [`Self::rotate_decomposed`].
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters; [`crate::Error::Components`] for a ciphertext
    /// of another number of polynomials than is taken; [`crate::Error::NoSpecialPrime`] where the parameters have
    /// no special prime to switch keys with.
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
        let digit = |(range, extension): &Digit| {
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

    /// `(Σ d_j·b_j, Σ d_j·a_j) / P`, rounded, for digits made earlier.
    pub(super) fn switch(
        &self,
        tables: &SwitchTables,
        digits: &[Poly<Ntt>],
        key: &SwitchingKey,
    ) -> [Poly<Ntt>; 2] {
        self.weigh_all(tables, digits, key).map(|sum| self.divide_by_special(tables, sum))
    }

    /// `(Σ d_j·b_j, Σ d_j·a_j)` over the raised basis, for digits made earlier.
    pub(super) fn weigh_all(
        &self,
        tables: &SwitchTables,
        digits: &[Poly<Ntt>],
        key: &SwitchingKey,
    ) -> [Poly<Ntt>; 2] {
        let mut sums = self.raised_pair(tables);
        for i in 0..tables.raised.len() {
            let digits: Vec<&[u64]> = digits.iter().map(|d| d.limb(i)).collect();
            weigh(tables, i, &digits, key, &mut sums);
        }
        sums
    }

    /// `(Σ d_j·b_j, Σ d_j·a_j)` over the raised basis, for the digits of `x`: each limb of them is used as soon as it is made,
    /// while it is near.
    pub(super) fn switch_raised(
        &self,
        tables: &SwitchTables,
        x: &Poly<Ntt>,
        key: &SwitchingKey,
    ) -> [Poly<Ntt>; 2] {
        let coefficients = self.params.q().to_coeff(x.clone());
        let scale = |(range, extension): &Digit| {
            extension.scale(&range.clone().map(|i| coefficients.limb(i)).collect::<Vec<_>>())
        };
        let scaled: Vec<Scaled<'_>> = tables.digits.iter().map(scale).collect();
        let mut made: Poly<Ntt> = Poly::unspecified(x.n(), tables.digits.len());
        let mut sums = self.raised_pair(tables);
        for (i, prime) in tables.raised.primes().iter().enumerate() {
            let make = |((limb, digit), scaled): ((&'_ mut [u64], &Digit), &Scaled<'_>)| {
                let (range, extension) = digit;
                if !range.contains(&i) {
                    extension.target_lazy(i, scaled, limb);
                    prime.forward(limb);
                }
            };
            made.limbs_mut().zip(&tables.digits).zip(&scaled).for_each(make);
            let own =
                |(j, (range, _)): (usize, &Digit)| if range.contains(&i) { x.limb(i) } else { made.limb(j) };
            let digits: Vec<&[u64]> = tables.digits.iter().enumerate().map(own).collect();
            weigh(tables, i, &digits, key, &mut sums);
        }
        sums
    }

    fn raised_pair(&self, tables: &SwitchTables) -> [Poly<Ntt>; 2] {
        [(); 2].map(|()| Poly::unspecified(self.params.n(), tables.raised.len()))
    }

    /// `x / P`, rounded, over the ciphertext primes of the level.
    pub(super) fn divide_by_special(&self, tables: &SwitchTables, mut x: Poly<Ntt>) -> Poly<Ntt> {
        let n = self.params.n();
        let (q, special) = x.words_mut().split_at_mut(tables.limbs * n);
        let p_primes = &tables.raised.primes()[tables.limbs..];
        for (limb, prime) in special.chunks_exact_mut(n).zip(p_primes) {
            prime.inverse(limb);
        }
        let limbs: Vec<&[u64]> = special.chunks_exact(n).collect();
        let scaled = tables.down.scale(&limbs);
        let mut remainder: Poly<Ntt> = Poly::unspecified(n, 1);
        let remainder = remainder.limb_mut(0);
        for (i, (limb, prime)) in q.chunks_exact_mut(n).zip(tables.raised.primes()).enumerate() {
            tables.down.target_lazy(i, &scaled, remainder);
            prime.forward(remainder);
            prime.sub_mul_constant_assign(limb, remainder, tables.p_inverse[i]);
        }
        x.truncate(tables.limbs);
        x
    }
}

/// Limb `i` of both sums `Σ d_j·k_j` from the digits' limbs.
fn weigh(tables: &SwitchTables, i: usize, digits: &[&[u64]], key: &SwitchingKey, sums: &mut [Poly<Ntt>; 2]) {
    let at = tables.key_limb(i, key.level().limbs());
    let b: Vec<&[u64]> = key.b.iter().take(digits.len()).map(|k| k.limb(at)).collect();
    let a: Vec<&[u64]> = key.a.iter().take(digits.len()).map(|k| k.limb(at)).collect();
    let [first, second] = sums;
    tables.raised.prime(i).mul_sums([first.limb_mut(i), second.limb_mut(i)], digits, [&b, &a]);
}
