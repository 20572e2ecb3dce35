//! Where things stand in the slots of the feature-major packing.

use crate::{Error, Result};
use blindscope_ckks::Complex64;

/// Most bytes of the sums that the server keeps while it reads a question: a ciphertext a unit.
const MOST_BYTES: usize = 192 << 20;

/// Where features stand in the feature-major packing: slot `t` of ciphertext `j` holds features `j` and `j + columns` of
/// token `t` as real and imaginary part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureLayout {
    /// Slots of a ciphertext: tokens of a group.
    pub slots: usize,
    /// Features a token has.
    pub width: usize,
    /// Ciphertexts of a group: half the width.
    pub columns: usize,
    /// Units of the first layer.
    pub units: usize,
    /// Logits, two to an answer.
    pub classes: usize,
}

impl FeatureLayout {
    /// `limbs` are the ciphertext primes of a question.
    pub(crate) fn new(
        slots: usize,
        limbs: usize,
        width: usize,
        units: usize,
        classes: usize,
    ) -> Result<Self> {
        // Two polynomials of 2·slots words a limb.
        let needed = units.saturating_mul(2 * limbs * 2 * slots * 8);
        if needed > MOST_BYTES {
            let hint = "the server holds a ciphertext a unit; use the token packing";
            return Err(Error::NoPlan { what: "bytes of units", needed, most: MOST_BYTES, hint });
        }
        Ok(Self { slots, width, columns: width.div_ceil(2), units, classes })
    }

    /// Polynomials of one group's answer.
    pub(crate) fn pairs(&self) -> usize {
        self.classes.div_ceil(2)
    }

    /// Slots of column `j` for up to `slots` normalised tokens.
    pub(crate) fn pack(&self, tokens: &[Vec<f64>], j: usize) -> Vec<Complex64> {
        let at = |token: &Vec<f64>, j: usize| token.get(j).copied().unwrap_or(0.0);
        tokens.iter().map(|t| Complex64 { re: at(t, j), im: at(t, j + self.columns) }).collect()
    }
}
