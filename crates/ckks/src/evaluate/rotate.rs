//! Rotation and conjugation: an automorphism and one key switch, the decomposition shared where it is hoisted.

use super::{Decomposed, Evaluator, Shape};
use crate::{Ciphertext, CkksError, GaloisKey, GaloisKeys, Result};
use blindscope_ring::Poly;

impl Evaluator {
    /// Slots moved left by `steps` (right if negative), cyclically.
    ///
    /// # Errors
    /// [`CkksError::MissingGaloisKey`], [`CkksError::Parameters`], [`CkksError::Components`],
    /// [`CkksError::NoSpecialPrime`].
    pub fn rotate(&self, a: &Ciphertext, steps: i64, keys: &GaloisKeys) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.rotate_into(a, steps, keys, &mut out)?;
        Ok(out)
    }

    /// `a` with its slots moved left by `steps`.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_assign(&self, a: &mut Ciphertext, steps: i64, keys: &GaloisKeys) -> Result<()> {
        *a = self.rotate(a, steps, keys)?;
        Ok(())
    }

    /// `out = a` with its slots moved left by `steps`.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_into(
        &self,
        a: &Ciphertext,
        steps: i64,
        keys: &GaloisKeys,
        out: &mut Ciphertext,
    ) -> Result<()> {
        self.apply_into(a, &self.decompose(a)?, keys.rotation(&self.params, "rotate", steps)?, out)
    }

    /// `a` moved left by each of `steps`, its digits made once.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_many(&self, a: &Ciphertext, steps: &[i64], keys: &GaloisKeys) -> Result<Vec<Ciphertext>> {
        let digits = self.decompose(a)?;
        steps.iter().map(|&k| self.rotate_decomposed(a, &digits, k, keys)).collect()
    }

    /// As [`Self::rotate`], from digits made earlier by [`Self::decompose`] of the same ciphertext.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_decomposed(
        &self,
        a: &Ciphertext,
        digits: &Decomposed,
        steps: i64,
        keys: &GaloisKeys,
    ) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.apply_into(a, digits, keys.rotation(&self.params, "rotate", steps)?, &mut out)?;
        Ok(out)
    }

    /// Slots conjugated.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn conjugate(&self, a: &Ciphertext, keys: &GaloisKeys) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.apply_into(a, &self.decompose(a)?, keys.conjugation(&self.params, "conjugate")?, &mut out)?;
        Ok(out)
    }

    /// `X -> X^g` for the key's element `g`, with the ciphertext's digits.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn apply_galois(&self, a: &Ciphertext, digits: &Decomposed, key: &GaloisKey) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.apply_into(a, digits, key, &mut out)?;
        Ok(out)
    }

    /// Sums over runs of `span` slots at distance `stride`: slot `t` becomes `Σ_{k<span} slot(t + k·stride)`. Needs the
    /// rotations by `stride·1, stride·2, …, stride·span/2`.
    ///
    /// # Errors
    /// As [`Self::rotate`], and [`CkksError::Span`] unless `span` is a power of two within the slots.
    pub fn inner_sum(
        &self,
        a: &Ciphertext,
        span: usize,
        stride: i64,
        keys: &GaloisKeys,
    ) -> Result<Ciphertext> {
        let slots = self.params.slots();
        if !span.is_power_of_two() || span > slots {
            return Err(CkksError::Span { op: "inner_sum", span, slots });
        }
        let mut sum = a.clone();
        for k in 0..span.trailing_zeros() {
            let rotated = self.rotate(&sum, stride << k, keys)?;
            self.add_assign(&mut sum, &rotated)?;
        }
        Ok(sum)
    }

    /// `σ(c_0 + k_0, k_1)` with `(k_0, k_1)` the digits switched from `s` to `σ^-1(s)`.
    fn apply_into(
        &self,
        a: &Ciphertext,
        digits: &Decomposed,
        key: &GaloisKey,
        out: &mut Ciphertext,
    ) -> Result<()> {
        const OP: &str = "rotate";
        self.check_one(OP, a)?;
        self.params.check_same(OP, &key.key.params)?;
        Self::check_key_level(OP, a, &key.key)?;
        if digits.level != a.level() {
            return Err(CkksError::LevelMismatch { op: OP, left: a.level(), right: digits.level });
        }
        let tables = self.params.switching(a.level(), OP)?;
        self.out(out, Shape { components: 2, level: a.level(), scale: a.scale });
        let limbs = a.level().limbs();
        let mut switched = [Poly::unspecified(a.params.n(), limbs), Poly::unspecified(a.params.n(), limbs)];
        self.switch(tables, &digits.digits, &key.key, &mut switched);
        self.params.q().add_assign(&mut switched[0], &a.components[0]);
        for (o, x) in out.components.iter_mut().zip(&switched) {
            key.automorphism.apply_into(o, x);
        }
        Ok(())
    }
}
