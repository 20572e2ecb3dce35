//! Rotation and conjugation: an automorphism and one key switch, the decomposition shared where it is hoisted.

use super::{Decomposed, Evaluator, Shape};
use crate::{Ciphertext, Error, GaloisKey, GaloisKeys, Result};

impl Evaluator {
    /// Slots moved left by `steps` (right if negative), cyclically.
    ///
    /// # Errors
    /// [`Error::MissingGaloisKey`] where the key of this automorphism is not among the keys; [`Error::Parameters`]
    /// for operands of other parameters; [`Error::Components`] for a ciphertext of another number of polynomials
    /// than is taken; [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
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
        self.apply_into(a, None, keys.rotation(&self.params, "rotate", steps)?, out)
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
        self.apply_into(a, Some(digits), keys.rotation(&self.params, "rotate", steps)?, &mut out)?;
        Ok(out)
    }

    /// Slots conjugated.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn conjugate(&self, a: &Ciphertext, keys: &GaloisKeys) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.apply_into(a, None, keys.conjugation(&self.params, "conjugate")?, &mut out)?;
        Ok(out)
    }

    /// `X -> X^g` for the key's element `g`, with the ciphertext's digits.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn apply_galois(&self, a: &Ciphertext, digits: &Decomposed, key: &GaloisKey) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.apply_into(a, Some(digits), key, &mut out)?;
        Ok(out)
    }

    /// Sums over runs of `span` slots at distance `stride`: slot `t` becomes `Σ_{k<span} slot(t + k·stride)`. Needs the
    /// rotations by `stride·1, stride·2, …, stride·span/2`.
    ///
    /// # Errors
    /// As [`Self::rotate`], and [`Error::Span`] unless `span` is a power of two within the slots.
    pub fn inner_sum(
        &self,
        a: &Ciphertext,
        span: usize,
        stride: i64,
        keys: &GaloisKeys,
    ) -> Result<Ciphertext> {
        let slots = self.params.slots();
        if !span.is_power_of_two() || span > slots {
            return Err(Error::Span { op: "inner_sum", span, slots });
        }
        let mut sum = a.clone();
        for k in 0..span.trailing_zeros() {
            let rotated = self.rotate(&sum, stride << k, keys)?;
            self.add_assign(&mut sum, &rotated)?;
        }
        Ok(sum)
    }

    /// `σ(c_0 + k_0, k_1)` with `(k_0, k_1)` the digits, made now if they were not before, switched from `s` to `σ^-1(s)`.
    fn apply_into(
        &self,
        a: &Ciphertext,
        digits: Option<&Decomposed>,
        key: &GaloisKey,
        out: &mut Ciphertext,
    ) -> Result<()> {
        const OP: &str = "rotate";
        self.check_one(OP, a)?;
        self.params.check_same(OP, &key.key.params)?;
        Self::check_components(OP, a, 2, "relinearise it first")?;
        Self::check_key_level(OP, a, &key.key)?;
        let tables = self.params.switching(a.level(), OP)?;
        let mut switched = match digits {
            Some(d) if d.level != a.level() => {
                return Err(Error::LevelMismatch { op: OP, left: a.level(), right: d.level });
            }
            Some(d) => self.switch(tables, &d.digits, &key.key),
            None => self
                .switch_raised(tables, &a.components[1], &key.key)
                .map(|raised| self.divide_by_special(tables, raised)),
        };
        self.out(out, Shape { components: 2, level: a.level(), scale: a.scale });
        self.params.q().add_assign(&mut switched[0], &a.components[0]);
        for (o, x) in out.components.iter_mut().zip(&switched) {
            key.automorphism.apply_into(o, x);
        }
        Ok(())
    }
}
