//! Coefficients as the integers they stand for: `[0, Q)` in 64-bit words, for protocols that round and pack them.
//!
//! A residue vector of `v` becomes the balanced digits of `v − H`, `H = (Q−1)/2`, whose residues are `(q_i − 1)/2`. Adding
//! `(q_i − 1)/2` to each digit makes the plain mixed-radix digits of `v`. No branch depends on the values.

use zeroize::Zeroize;

use crate::lift::Lift;
use crate::{Basis, Coeff, Poly};

/// `N` integers below `Q`, each in the same number of words, least significant first.
#[derive(Clone, PartialEq, Eq)]
pub struct Integers {
    width: usize,
    words: Vec<u64>,
    modulus: Vec<u64>,
}

/// The product of a basis, least significant word first.
pub fn product_words(basis: &Basis) -> Vec<u64> {
    let mut q = vec![0; words_for(basis)];
    if let Some(first) = q.first_mut() {
        *first = 1;
    }
    for prime in basis.primes() {
        mul_add(&mut q, prime.value(), 0);
    }
    q
}

/// Words that hold one integer below `2·Q`.
fn words_for(basis: &Basis) -> usize {
    let bits: u32 = basis.primes().iter().map(|p| p.modulus().bits()).sum();
    (bits as usize + 1).div_ceil(64)
}

/// `v = v·factor + add`. Range: the result fits.
#[inline(always)]
fn mul_add(v: &mut [u64], factor: u64, add: u64) {
    let mut carry = u128::from(add);
    for w in v {
        carry += u128::from(*w) * u128::from(factor);
        *w = carry as u64;
        carry >>= 64;
    }
}

impl Lift {
    /// The coefficients as integers in `[0, Q)`, `Q` the product of all primes of the lift's basis. Range: a limb for
    /// each prime.
    pub fn to_integers(&self, mut a: Poly<Coeff>) -> Integers {
        let basis = self.basis();
        debug_assert_eq!(a.limb_count(), basis.len());
        for (limb, prime) in a.limbs_mut().zip(basis.primes()) {
            let (m, half) = (prime.modulus(), prime.value() / 2);
            for x in limb {
                *x = m.sub(*x, half);
            }
        }
        let mut digits = self.digit_residues(&a);
        a.zeroize();
        for (digit, prime) in digits.iter_mut().zip(basis.primes()) {
            let (m, half) = (prime.modulus(), prime.value() / 2);
            for x in digit {
                *x = m.add(*x, half);
            }
        }
        let out = Integers::compose(basis, &digits);
        digits.iter_mut().for_each(Zeroize::zeroize);
        out
    }
}

impl Integers {
    /// `d_0 + q_0·(d_1 + q_1·(…))`
    fn compose(basis: &Basis, digits: &[Vec<u64>]) -> Self {
        let width = words_for(basis);
        let mut words = vec![0; basis.n() * width];
        let primes: Vec<u64> = basis.primes().iter().map(|p| p.value()).collect();
        for (c, v) in words.chunks_exact_mut(width).enumerate() {
            // Only the low words can be non-zero while few digits are in.
            let mut bits = 0;
            for (digit, &q) in digits.iter().zip(&primes).rev() {
                bits += 64 - q.leading_zeros() as usize;
                mul_add(&mut v[..bits.div_ceil(64).min(width)], q, digit[c]);
            }
        }
        Self { width, words, modulus: product_words(basis) }
    }

    /// Words of one integer.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All integers, one after the other.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Adds a number below `Q` to integer `index` modulo `Q`, in constant time; the result in place. Range: as many words as an
    /// integer has.
    #[inline]
    pub fn add_at(&mut self, index: usize, other: &[u64]) -> &mut [u64] {
        debug_assert_eq!(other.len(), self.width);
        let v = &mut self.words[index * self.width..(index + 1) * self.width];
        add_masked(v, other, u64::MAX);
        reduce_once(v, &self.modulus);
        v
    }

    /// Integer `index` in place, for a caller that rounds it on its way out.
    #[inline]
    pub fn at_mut(&mut self, index: usize) -> &mut [u64] {
        &mut self.words[index * self.width..(index + 1) * self.width]
    }

    /// `Q`
    pub fn modulus(&self) -> &[u64] {
        &self.modulus
    }

    /// Adds a small signed number to each integer modulo `Q`, in constant time. Range: `|small| < Q`.
    pub fn add_signed(&mut self, small: &[i64]) {
        for (v, &s) in self.words.chunks_exact_mut(self.width).zip(small) {
            let (sign, mut carry) = ((s >> 63) as u64, false);
            for (i, w) in v.iter_mut().enumerate() {
                (*w, carry) = w.add_carry(if i == 0 { s as u64 } else { sign }, carry);
            }
            // Below zero: the top bit is set, since 2Q fits.
            let negative = v.last().map_or(0, |&top| (top as i64 >> 63) as u64);
            add_masked(v, &self.modulus, negative);
            reduce_once(v, &self.modulus);
        }
    }
}

impl Zeroize for Integers {
    fn zeroize(&mut self) {
        self.words.zeroize();
    }
}

impl std::fmt::Debug for Integers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Integers({} of {} words)", self.words.len() / self.width, self.width)
    }
}

/// `v += q` where `mask` is all ones.
#[inline(always)]
fn add_masked(v: &mut [u64], q: &[u64], mask: u64) {
    let mut carry = false;
    for (w, &q) in v.iter_mut().zip(q) {
        (*w, carry) = w.add_carry(q & mask, carry);
    }
}

/// `v -= q` where `v >= q`, in constant time. Range: below `2q` in, below `q` out; equal lengths, `2q` fits.
#[inline(always)]
fn reduce_once(v: &mut [u64], q: &[u64]) {
    let mut borrow = false;
    for (w, &q) in v.iter_mut().zip(q) {
        (*w, borrow) = w.sub_borrow(q, borrow);
    }
    add_masked(v, q, u64::from(borrow).wrapping_neg());
}

/// Full adders on words; the compiler makes add-with-carry of them.
trait Carry: Sized {
    fn add_carry(self, other: Self, carry: bool) -> (Self, bool);
    fn sub_borrow(self, other: Self, borrow: bool) -> (Self, bool);
}

impl Carry for u64 {
    #[inline(always)]
    fn add_carry(self, other: Self, carry: bool) -> (Self, bool) {
        let (a, b) = self.overflowing_add(other);
        let (a, c) = a.overflowing_add(Self::from(carry));
        (a, b | c)
    }

    #[inline(always)]
    fn sub_borrow(self, other: Self, borrow: bool) -> (Self, bool) {
        let (a, b) = self.overflowing_sub(other);
        let (a, c) = a.overflowing_sub(Self::from(borrow));
        (a, b | c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntt_primes;

    /// By definition: the integer's residues are what it was lifted from, and sums stay below `Q`.
    #[test]
    fn integers_have_the_residues_they_come_from() {
        for widths in [&[50u32][..], &[27, 26], &[43, 43, 43, 43, 42]] {
            let mut values = Vec::new();
            for &bits in widths {
                let count = values.iter().filter(|v: &&u64| 64 - v.leading_zeros() == bits).count();
                values.push(ntt_primes(bits, 5, count + 1).unwrap()[count]);
            }
            let basis = Basis::new(&values, 5).unwrap();
            let mut a: Poly<Coeff> = basis.zero();
            let mut state = 1u64;
            for (limb, q) in a.limbs_mut().zip(&values) {
                for (i, x) in limb.iter_mut().enumerate() {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                    *x = [0, 1, q - 1, q / 2, q / 2 + 1].get(i).copied().unwrap_or((state >> 1) % q);
                }
            }
            let small: Vec<i64> = (0..32).map(|i| [-21, 0, 21, -1][i % 4]).collect();
            let mut got = Lift::new(&basis).to_integers(a.clone());
            for offset in [false, true] {
                for (c, v) in got.words().chunks_exact(got.width()).enumerate() {
                    for (i, &q) in values.iter().enumerate() {
                        let r =
                            v.iter().rev().fold(0u128, |r, &w| ((r << 64) | u128::from(w)) % u128::from(q));
                        let want = i128::from(a.limb(i)[c]) + if offset { i128::from(small[c]) } else { 0 };
                        assert_eq!(r as i128, want.rem_euclid(i128::from(q)));
                    }
                    assert!(v.iter().rev().lt(got.modulus().iter().rev()), "below Q");
                }
                got.add_signed(&small);
            }
        }
    }
}
