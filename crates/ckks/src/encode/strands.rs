//! Several messages side by side in one plaintext, each in coefficients of its own.

use super::Encoder;
use crate::{Complex64, Level, Plaintext, RaisedPlaintext, Result, Scale};
use blindscope_ring::{Basis, Modulus, Ntt, Poly};

/// One of the messages.
#[derive(Debug, Clone, Copy)]
pub struct Strand<'a> {
    /// Its slots. Where they repeat `r` times the message is a polynomial in `X^r`.
    pub slots: &'a [Complex64],
    /// The power of `X` that it is multiplied by, more than `-N` and less than `N`.
    pub shift: i64,
    /// What it is divided by modulo the primes: it is whole again after as many are added, as in a trace. Odd primes divide
    /// by powers of two.
    pub divisor: u64,
}

impl Encoder {
    /// `Σ X^shift · m / divisor`
    ///
    /// # Errors
    /// As [`Self::encode_slots`].
    pub fn encode_strands(&self, strands: &[Strand<'_>], level: Level, scale: Scale) -> Result<Plaintext> {
        self.params.check_level("encode_strands", level)?;
        let poly = self.strands(strands, &self.params.q().prefix(level.limbs()), level, scale)?;
        Ok(Plaintext::from_polynomial(&self.params, poly, scale))
    }

    /// As [`Self::encode_strands`], over the special primes too.
    ///
    /// # Errors
    /// As [`Self::encode_slots`], and [`crate::Error::NoSpecialPrime`].
    pub fn encode_strands_raised(
        &self,
        strands: &[Strand<'_>],
        level: Level,
        scale: Scale,
    ) -> Result<RaisedPlaintext> {
        const OP: &str = "encode_strands_raised";
        self.params.check_level(OP, level)?;
        let poly = self.strands(strands, &self.params.switching(level, OP)?.raised, level, scale)?;
        Ok(RaisedPlaintext { params: self.params.clone(), poly, level, scale })
    }

    fn strands(
        &self,
        strands: &[Strand<'_>],
        basis: &Basis,
        level: Level,
        scale: Scale,
    ) -> Result<Poly<Ntt>> {
        let mut sum = basis.zero();
        for strand in strands {
            let mut m = self.slots_over("encode_strands", strand.slots, basis, level, scale)?;
            let over = |p: &Modulus| p.inv(p.reduce(strand.divisor));
            let inverse: Vec<u64> = basis.primes().iter().map(|p| over(p.modulus())).collect();
            basis.mul_residues_assign(&mut m, &inverse);
            basis.mul_add_assign(&mut sum, &m, &monomial(basis, strand.shift));
        }
        Ok(sum)
    }
}

/// `X^shift`
fn monomial(basis: &Basis, shift: i64) -> Poly<Ntt> {
    let mut coefficients = vec![0; basis.n()];
    // X^N is -1.
    coefficients[shift.rem_euclid(basis.n() as i64) as usize] = if shift < 0 { -1 } else { 1 };
    basis.signed_to_ntt(&coefficients)
}
