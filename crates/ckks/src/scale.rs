//! Scales as exact data.

use crate::params::MAX_PRIMES;

/// The factor between a message and its integer encoding: `2^k · Π q_i^(e_i)` over the ciphertext primes.
///
/// Every operation multiplies scales or divides one by a prime, so this form is closed and exact, and equality
/// means equality. `f64` appears only where a number meets a message ([`crate::Parameters::scale_value`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scale {
    log2: i16,
    /// Exponent of ciphertext prime `i`.
    exponents: [i8; MAX_PRIMES],
}

/// Exactly: `2^40`, `2^40·q1·q3^-2`, where `q1` is ciphertext prime 1.
impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "2^{}", self.log2)?;
        for (i, e) in self.exponents.iter().enumerate().filter(|(_, e)| **e != 0) {
            write!(f, "·q{i}")?;
            if *e != 1 {
                write!(f, "^{e}")?;
            }
        }
        Ok(())
    }
}

impl Scale {
    /// The scale 1.
    pub const ONE: Self = Self::pow2(0);

    /// `2^log2`
    pub const fn pow2(log2: i16) -> Self {
        Self { log2, exponents: [0; MAX_PRIMES] }
    }

    /// The ciphertext prime `q_index`: a plaintext at this scale leaves a ciphertext's scale as it was once the
    /// product is rescaled by that prime. Range: `index < 40`.
    pub const fn prime(index: usize) -> Self {
        let mut s = Self::ONE;
        s.exponents[index] = 1;
        s
    }

    /// The product of two scales. Exponents saturate; [`Self::checked_times`] says when.
    #[must_use]
    pub fn times(mut self, other: Self) -> Self {
        self.log2 = self.log2.saturating_add(other.log2);
        for (a, b) in self.exponents.iter_mut().zip(other.exponents) {
            *a = a.saturating_add(b);
        }
        self
    }

    /// The quotient of two scales. Exponents saturate; [`Self::checked_over`] says when.
    #[must_use]
    pub fn over(mut self, other: Self) -> Self {
        self.log2 = self.log2.saturating_sub(other.log2);
        for (a, b) in self.exponents.iter_mut().zip(other.exponents) {
            *a = a.saturating_sub(b);
        }
        self
    }

    /// The product, or `None` where an exponent leaves its range: a circuit of eight and more squarings.
    pub fn checked_times(self, other: Self) -> Option<Self> {
        let product = self.times(other);
        (product.over(other) == self && product.over(self) == other).then_some(product)
    }

    /// The quotient, or `None` where an exponent leaves its range.
    pub fn checked_over(self, other: Self) -> Option<Self> {
        let quotient = self.over(other);
        (quotient.times(other) == self).then_some(quotient)
    }

    /// `k` of the factor `2^k`.
    pub fn log2_part(&self) -> i16 {
        self.log2
    }

    /// The exponents of the ciphertext primes.
    pub fn exponents(&self) -> &[i8; MAX_PRIMES] {
        &self.exponents
    }

    /// The scale with these parts; exponents beyond the given ones are zero. Range: at most 40.
    pub fn from_parts(log2: i16, exponents: &[i8]) -> Self {
        let mut s = Self::pow2(log2);
        for (a, b) in s.exponents.iter_mut().zip(exponents) {
            *a = *b;
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_quotients_are_exact() {
        let s = Scale::pow2(40).times(Scale::pow2(40)).over(Scale::prime(2));
        assert_eq!(s.times(Scale::prime(2)), Scale::pow2(80));
        assert_ne!(s, Scale::pow2(40));
        assert_eq!(Scale::from_parts(80, &[0, 0, -1]), s);
        let deep = Scale::from_parts(0, &[100]);
        assert_eq!(deep.checked_times(deep), None);
        assert_eq!(Scale::from_parts(0, &[-100]).checked_over(deep), None);
        assert_eq!(deep.checked_over(deep), Some(Scale::ONE));
    }

    /// Two scales that differ are written differently, however near they are.
    #[test]
    fn a_scale_is_written_exactly() {
        assert_eq!(Scale::pow2(40).to_string(), "2^40");
        assert_eq!(Scale::from_parts(80, &[0, 1, -2]).to_string(), "2^80·q1·q2^-2");
        assert_ne!(Scale::from_parts(1, &[1, -1]).to_string(), Scale::pow2(1).to_string());
    }
}
