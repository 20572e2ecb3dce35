//! Arithmetic modulo one prime of at most 61 bits, in constant time.
//!
//! Reduction is Barrett's with one high product. For `p` of `b` bits (`2^(b-1) < p < 2^b`) and
//! `x < 2^(62+b)`, let `c = floor(x / 2^(b-2)) < 2^64` and `mu = floor(2^(62+b) / p) < 2^63`. Then
//! `q = floor(c·mu / 2^64)` satisfies `x/p - 5/2 < q <= x/p`: dropping the low bits of `x` loses less than
//! `2^(b-2)/p < 1/2`, rounding `mu` less than `c/2^64 < 1`, the last floor less than 1. So `x - q·p < 3p`,
//! and two conditional subtractions finish.

use crate::Error;

/// One prime modulus with its Barrett constants.
///
/// Invariants: odd, `2 <= bits <= 61`. Primality is checked by [`crate::Prime`], not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Modulus {
    value: u64,
    bits: u32,
    /// `floor(2^(62+bits) / value)`
    wide_ratio: u64,
    /// `floor(2^64 / value)`
    narrow_ratio: u64,
}

/// A constant multiplicand `w < p` with `floor(w·2^64 / p)`, for Shoup's product.
///
/// Reference: Harvey, "Faster arithmetic for number-theoretic transforms", 2014, §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shoup {
    /// The multiplicand, below `p`.
    pub value: u64,
    /// `floor(value · 2^64 / p)`.
    pub quotient: u64,
}

/// `x` if it is below `p`, else `x - p`, without a branch. Range: `x < 2p`, output `< p`.
#[inline(always)]
pub(crate) fn correct(x: u64, p: u64) -> u64 {
    // If x < p the difference wraps to a huge value and the minimum keeps x.
    x.min(x.wrapping_sub(p))
}

#[inline(always)]
pub(crate) fn high(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

impl Modulus {
    /// The modulus `value`.
    ///
    /// # Errors
    /// [`Error::ModulusSize`] if it is even or has fewer than 2 or more than 61 bits.
    pub fn new(value: u64) -> Result<Self, Error> {
        let bits = 64 - value.leading_zeros();
        if value.is_multiple_of(2) || !(2..=61).contains(&bits) {
            return Err(Error::ModulusSize { value, bits });
        }
        // 2^(62+bits) needs up to 124 bits.
        let wide_ratio = ((1u128 << (62 + bits)) / u128::from(value)) as u64;
        let narrow_ratio = ((1u128 << 64) / u128::from(value)) as u64;
        Ok(Self { value, bits, wide_ratio, narrow_ratio })
    }

    /// The modulus itself.
    #[inline]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Its width in bits.
    #[inline]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// `x mod p` for any `x`.
    #[inline(always)]
    pub fn reduce(&self, x: u64) -> u64 {
        // floor(2^64/p) loses less than one, so the difference is below 2p.
        correct(x.wrapping_sub(high(x, self.narrow_ratio).wrapping_mul(self.value)), self.value)
    }

    /// `x mod p`. Range: `x < 2^(62+bits)`; see the module text for the derivation.
    #[inline(always)]
    pub fn reduce_wide(&self, x: u128) -> u64 {
        debug_assert!(x >> (62 + self.bits) == 0, "reduce_wide: input above 2^(62+bits)");
        let c = (x >> (self.bits - 2)) as u64;
        let q = high(c, self.wide_ratio);
        let r = (x as u64).wrapping_sub(q.wrapping_mul(self.value));
        let r = correct(r, 2 * self.value);
        correct(r, self.value)
    }

    /// `a + b mod p`. Range: both below `p`.
    #[inline(always)]
    pub fn add(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        correct(a + b, self.value)
    }

    /// `a - b mod p`. Range: both below `p`.
    #[inline(always)]
    pub fn sub(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        correct(a + self.value - b, self.value)
    }

    /// `-a mod p`. Range: `a < p`.
    #[inline(always)]
    pub fn neg(&self, a: u64) -> u64 {
        debug_assert!(a < self.value);
        correct(self.value - a, self.value)
    }

    /// `a · b mod p`. Range: both below `p`.
    #[inline(always)]
    pub fn mul(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        self.reduce_wide(u128::from(a) * u128::from(b))
    }

    /// Prepares `w` for [`Self::mul_shoup`]. Range: `w < p`.
    pub fn shoup(&self, w: u64) -> Shoup {
        debug_assert!(w < self.value);
        Shoup { value: w, quotient: ((u128::from(w) << 64) / u128::from(self.value)) as u64 }
    }

    /// `x · w mod p`, lazily: output below `2p` for any `x`.
    #[inline(always)]
    pub fn mul_shoup_lazy(&self, x: u64, w: Shoup) -> u64 {
        x.wrapping_mul(w.value).wrapping_sub(high(x, w.quotient).wrapping_mul(self.value))
    }

    /// `x · w mod p` for any `x`.
    #[inline(always)]
    pub fn mul_shoup(&self, x: u64, w: Shoup) -> u64 {
        correct(self.mul_shoup_lazy(x, w), self.value)
    }

    /// `base^exponent mod p`; time depends on the exponent, which must be public.
    pub fn pow_vartime(&self, base: u64, mut exponent: u64) -> u64 {
        let mut base = self.reduce(base);
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// `a^-1 mod p` by Fermat, for prime `p` and `a` not a multiple of it. Constant time in `a`.
    pub fn inv(&self, a: u64) -> u64 {
        self.pow_vartime(a, self.value - 2)
    }

    /// The residue of a signed value, in constant time.
    #[inline(always)]
    pub fn from_i64(&self, v: i64) -> u64 {
        let sign = (v >> 63) as u64; // all ones if negative
        let r = self.reduce(v.unsigned_abs());
        let negated = correct(self.value - r, self.value);
        (r & !sign) | (negated & sign)
    }

    /// The residue of a signed value, in constant time. Range: `|v| < 2^(62+bits)`.
    #[inline(always)]
    pub fn from_i128(&self, v: i128) -> u64 {
        let sign = (v >> 127) as u64;
        let r = self.reduce_wide(v.unsigned_abs());
        let negated = correct(self.value - r, self.value);
        (r & !sign) | (negated & sign)
    }

    /// The representative of `r` in `[-(p-1)/2, (p-1)/2]`. Range: `r < p`.
    #[inline(always)]
    pub fn centre(&self, r: u64) -> i64 {
        debug_assert!(r < self.value);
        let above = ((self.value / 2).wrapping_sub(r) as i64) >> 63; // all ones if r > p/2
        r as i64 - (self.value as i64 & above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODULI: [u64; 5] = [3, 65_537, 1_099_511_480_321, 70_368_743_587_841, (1 << 61) - 1];

    fn boundary(p: u64) -> [u64; 6] {
        [0, 1, 2 % p, p / 2, p - 2, p - 1]
    }

    #[test]
    fn boundary_residues_agree_with_u128_arithmetic() {
        for p in MODULI {
            let m = Modulus::new(p).unwrap();
            for a in boundary(p) {
                for b in boundary(p) {
                    let wide = u128::from(a) * u128::from(b) % u128::from(p);
                    assert_eq!(u128::from(m.mul(a, b)), wide, "{a}*{b} mod {p}");
                    assert_eq!(u128::from(m.mul_shoup(a, m.shoup(b))), wide);
                    assert_eq!(m.add(a, b), ((u128::from(a) + u128::from(b)) % u128::from(p)) as u64);
                    assert_eq!(m.add(m.sub(a, b), b), a);
                }
                assert_eq!(m.from_i64(m.centre(a)), a);
            }
        }
    }

    #[test]
    fn refuses_even_and_wide_moduli() {
        assert!(matches!(Modulus::new(10), Err(Error::ModulusSize { value: 10, bits: 4 })));
        assert!(Modulus::new(u64::MAX).is_err());
        assert!(Modulus::new(1).is_err());
    }

    proptest! {
        #[test]
        fn reductions_agree_with_division(i in 0..MODULI.len(), x: u64, hi: u64) {
            let m = Modulus::new(MODULI[i]).unwrap();
            prop_assert_eq!(m.reduce(x), x % m.value());
            prop_assert_eq!(m.mul_shoup(x, m.shoup(m.value() - 1)), m.neg(x % m.value()));
            let wide = ((u128::from(hi) << 64) | u128::from(x)) & ((1u128 << (62 + m.bits())) - 1);
            prop_assert_eq!(u128::from(m.reduce_wide(wide)), wide % u128::from(m.value()));
        }

        #[test]
        fn signed_values_agree_with_rem_euclid(i in 0..MODULI.len(), v: i64) {
            let m = Modulus::new(MODULI[i]).unwrap();
            let want = i128::from(v).rem_euclid(i128::from(m.value())) as u64;
            prop_assert_eq!(m.from_i64(v), want);
            prop_assert_eq!(m.from_i128(i128::from(v)), want);
        }

        #[test]
        fn inverse_times_value_is_one(i in 0..MODULI.len(), a in 1u64..) {
            let m = Modulus::new(MODULI[i]).unwrap();
            let a = m.reduce(a);
            prop_assume!(a != 0);
            prop_assert_eq!(m.mul(a, m.inv(a)), 1);
        }
    }
}
