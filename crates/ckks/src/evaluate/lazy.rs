//! Chains of rotations and sums that divide by the special primes only where the next rotation needs it.
//!
//! A rotation cuts `c_1` into digits and nothing of `c_0`. So along a chain `c_0` stays over the raised basis, times `P`,
//! and is divided once at its end: with `L` primes and one special one a link takes `L^2 + 2L + 1` transforms, `L + 1` fewer
//! than a rotation by itself, and the roundings of its first half do not arise.
//!
//! Reference: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, "Efficient bootstrapping for approximate homomorphic encryption
//! with non-sparse keys", 2021, §4 (double hoisting).

use super::Evaluator;
use crate::{Ciphertext, GaloisKey, GaloisKeys, Level, Parameters, Result, Scale};
use blindscope_ring::{Ntt, Poly};

/// A two-component ciphertext along a chain of rotations, `c_0` not yet divided by the special primes.
#[derive(Clone)]
pub struct LazyCiphertext {
    pub(super) params: Parameters,
    /// `P·c_0` over the primes of the level and the special ones.
    pub(super) raised: Poly<Ntt>,
    pub(super) c1: Poly<Ntt>,
    pub(super) scale: Scale,
}

impl LazyCiphertext {
    /// Its level.
    pub fn level(&self) -> Level {
        Level(self.c1.limb_count() - 1)
    }
}

impl std::fmt::Debug for LazyCiphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LazyCiphertext(level {})", self.level())
    }
}

impl Evaluator {
    /// The start of a chain.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters; [`crate::Error::Components`] for a ciphertext
    /// of another number of polynomials than is taken; [`crate::Error::NoSpecialPrime`] where the parameters have
    /// no special prime to switch keys with.
    pub fn defer(&self, a: &Ciphertext) -> Result<LazyCiphertext> {
        const OP: &str = "defer";
        self.check_one(OP, a)?;
        Self::check_components(OP, a, 2, "relinearise it first")?;
        let tables = self.params.switching(a.level(), OP)?;
        let mut raised = Poly::unspecified(a.params.n(), tables.raised.len());
        for (i, (limb, prime)) in raised.limbs_mut().zip(tables.raised.primes()).enumerate() {
            match tables.p_times.get(i) {
                Some(p) => {
                    limb.copy_from_slice(a.components[0].limb(i));
                    prime.mul_constant_assign(limb, *p);
                }
                None => limb.fill(0),
            }
        }
        Ok(LazyCiphertext {
            params: self.params.clone(),
            raised,
            c1: a.components[1].clone(),
            scale: a.scale,
        })
    }

    /// `sum` with its slots moved left by `steps`, plus `a`: a step of Horner's rule.
    ///
    /// # Errors
    /// As [`Self::rotate`], and [`crate::Error::LevelMismatch`] or [`crate::Error::ScaleMismatch`] where the two do not add up.
    pub fn rotate_then_add(
        &self,
        sum: &mut LazyCiphertext,
        steps: i64,
        keys: &GaloisKeys,
        a: &Ciphertext,
    ) -> Result<()> {
        const OP: &str = "rotate_then_add";
        self.check_one(OP, a)?;
        Self::check_components(OP, a, 2, "relinearise it first")?;
        self.check_scales(OP, sum.scale, a.scale)?;
        if sum.level() != a.level() {
            return Err(crate::Error::LevelMismatch { op: OP, left: sum.level(), right: a.level() });
        }
        let key = keys.rotation(&self.params, OP, steps)?;
        let (raised, c1) = self.link(OP, sum, key)?;
        key.automorphism.apply_into(&mut sum.raised, &raised);
        key.automorphism.apply_into(&mut sum.c1, &c1);
        let tables = self.params.switching(a.level(), OP)?;
        let limbs = sum.raised.limbs_mut().zip(tables.raised.primes());
        for (i, ((limb, prime), p)) in limbs.zip(&tables.p_times).enumerate() {
            prime.mul_constant_add_assign(limb, a.components[0].limb(i), *p);
        }
        self.params.q().add_assign(&mut sum.c1, &a.components[1]);
        Ok(())
    }

    /// As [`Self::rotate_then_add`], plus the start of another chain.
    ///
    /// # Errors
    /// As [`Self::rotate_then_add`].
    pub fn rotate_then_add_lazy(
        &self,
        sum: &mut LazyCiphertext,
        steps: i64,
        keys: &GaloisKeys,
        a: &LazyCiphertext,
    ) -> Result<()> {
        const OP: &str = "rotate_then_add_lazy";
        self.params.check_same(OP, &a.params)?;
        self.check_scales(OP, sum.scale, a.scale)?;
        if sum.level() != a.level() {
            return Err(crate::Error::LevelMismatch { op: OP, left: sum.level(), right: a.level() });
        }
        let key = keys.rotation(&self.params, OP, steps)?;
        let (raised, c1) = self.link(OP, sum, key)?;
        key.automorphism.apply_into(&mut sum.raised, &raised);
        key.automorphism.apply_into(&mut sum.c1, &c1);
        self.params.switching(a.level(), OP)?.raised.add_assign(&mut sum.raised, &a.raised);
        self.params.q().add_assign(&mut sum.c1, &a.c1);
        Ok(())
    }

    /// `sum` plus itself with its slots moved left by `steps`: a fold.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn add_rotated(&self, sum: &mut LazyCiphertext, steps: i64, keys: &GaloisKeys) -> Result<()> {
        const OP: &str = "add_rotated";
        self.add_image(OP, sum, keys.rotation(&self.params, OP, steps)?)
    }

    /// `sum` plus its conjugate: twice the real part of every slot.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn add_conjugate(&self, sum: &mut LazyCiphertext, keys: &GaloisKeys) -> Result<()> {
        const OP: &str = "add_conjugate";
        self.add_image(OP, sum, keys.conjugation(&self.params, OP)?)
    }

    /// The end of a chain.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn settle(&self, sum: LazyCiphertext) -> Result<Ciphertext> {
        const OP: &str = "settle";
        self.params.check_same(OP, &sum.params)?;
        let tables = self.params.switching(sum.level(), OP)?;
        let c0 = self.divide_by_special(tables, sum.raised);
        Ok(Ciphertext { params: sum.params, components: vec![c0, sum.c1], scale: sum.scale })
    }

    fn add_image(&self, op: &'static str, sum: &mut LazyCiphertext, key: &GaloisKey) -> Result<()> {
        let (raised, c1) = self.link(op, sum, key)?;
        let tables = self.params.switching(sum.level(), op)?;
        for (to, from) in [(&mut sum.raised, raised), (&mut sum.c1, c1)] {
            let mut image: Poly<Ntt> = Poly::unspecified(from.n(), 1);
            for (i, (limb, prime)) in to.limbs_mut().zip(tables.raised.primes()).enumerate() {
                key.automorphism.apply_limb(image.limb_mut(0), from.limb(i));
                prime.add_assign(limb, image.limb(0));
            }
        }
        Ok(())
    }

    /// Both halves switched for a key's automorphism, before it is applied: the first one raised.
    fn link(
        &self,
        op: &'static str,
        sum: &LazyCiphertext,
        key: &GaloisKey,
    ) -> Result<(Poly<Ntt>, Poly<Ntt>)> {
        self.params.check_same(op, &sum.params)?;
        self.params.check_same(op, &key.key.params)?;
        if sum.level() > key.key.level() {
            return Err(crate::Error::KeyLevel { op, level: sum.level(), key: key.key.level() });
        }
        let tables = self.params.switching(sum.level(), op)?;
        let [mut raised, c1] = self.switch_raised(tables, &sum.c1, &key.key);
        tables.raised.add_assign(&mut raised, &sum.raised);
        Ok((raised, self.divide_by_special(tables, c1)))
    }
}
