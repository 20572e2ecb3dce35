//! Division by the last prime, `c -> round(c / q_L)`, and dropping primes without division.

use super::{Evaluator, Shape};
use crate::{Ciphertext, Error, Level, Result, Scale};
use blindscope_ring::{Ntt, Poly};

impl Evaluator {
    /// `a / q_l`, rounded: one level and one prime less, the scale divided by exactly that prime.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters; [`Error::NoLevelLeft`] at level 0.
    pub fn rescale(&self, a: &Ciphertext) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.rescale_into(a, &mut out)?;
        Ok(out)
    }

    /// `a /= q_l`, rounded.
    ///
    /// # Errors
    /// As [`Self::rescale`].
    pub fn rescale_assign(&self, a: &mut Ciphertext) -> Result<()> {
        let shape = self.rescaled_shape(a)?;
        for c in &mut a.components {
            let mut last = last_limb(c, shape.level);
            c.truncate(shape.level.limbs());
            self.divide_by_last(last.limb_mut(0), c);
        }
        a.scale = shape.scale;
        Ok(())
    }

    /// `out = a / q_l`, rounded.
    ///
    /// # Errors
    /// As [`Self::rescale`].
    pub fn rescale_into(&self, a: &Ciphertext, out: &mut Ciphertext) -> Result<()> {
        let shape = self.rescaled_shape(a)?;
        self.out(out, shape);
        for (o, c) in out.components.iter_mut().zip(&a.components) {
            o.copy_from(c);
            let mut last = last_limb(c, shape.level);
            self.divide_by_last(last.limb_mut(0), o);
        }
        Ok(())
    }

    /// The same message modulo fewer primes: scale and noise stay.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a ciphertext of other parameters, [`Error::LevelMismatch`] if `level` is above `a`'s,
    /// [`Error::ScaleOverflow`] if the scale does not fit there.
    pub fn drop_to_level(&self, a: &Ciphertext, level: Level) -> Result<Ciphertext> {
        let shape = self.dropped_shape(a, level)?;
        let components = a.components.iter().map(|c| c.prefix(level.limbs())).collect();
        Ok(Ciphertext { params: self.params.clone(), components, scale: shape.scale })
    }

    /// `a` modulo fewer primes, in place.
    ///
    /// # Errors
    /// As [`Self::drop_to_level`].
    pub fn drop_to_level_assign(&self, a: &mut Ciphertext, level: Level) -> Result<()> {
        self.dropped_shape(a, level)?;
        a.components.iter_mut().for_each(|c| c.truncate(level.limbs()));
        Ok(())
    }

    fn rescaled_shape(&self, a: &Ciphertext) -> Result<Shape> {
        const OP: &str = "rescale";
        self.check_one(OP, a)?;
        let Some(level) = a.level().0.checked_sub(1) else {
            return Err(Error::NoLevelLeft { op: OP });
        };
        let scale = a.scale.checked_over(Scale::prime(a.level().0)).ok_or(Error::ScaleExponent { op: OP })?;
        Ok(Shape { components: a.components.len(), level: Level(level), scale })
    }

    fn dropped_shape(&self, a: &Ciphertext, level: Level) -> Result<Shape> {
        const OP: &str = "drop_to_level";
        self.check_one(OP, a)?;
        if level > a.level() {
            return Err(Error::LevelMismatch { op: OP, left: a.level(), right: level });
        }
        let (log2_scale, log_q) = (self.params.scale_log2(&a.scale), self.params.log_q(level));
        if log2_scale >= log_q {
            return Err(Error::ScaleOverflow { op: OP, log2_scale, log_q, level });
        }
        Ok(Shape { components: a.components.len(), level, scale: a.scale })
    }

    /// `out = (out - [last]) / q_l` modulo the remaining primes, with the centred remainder `[last]`.
    fn divide_by_last(&self, last: &mut [u64], out: &mut Poly<Ntt>) {
        let q = self.params.q();
        let limbs = out.limb_count();
        let last_prime = q.prime(limbs);
        last_prime.inverse(last);
        let mut remainder: Poly<Ntt> = Poly::unspecified(last.len(), 1);
        let remainder = remainder.limb_mut(0);
        let inverses = self.params.rescaling(Level(limbs));
        for ((limb, prime), w) in out.limbs_mut().zip(q.primes()).zip(inverses) {
            prime.lift_centred_lazy(remainder, last, last_prime.modulus());
            prime.forward(remainder);
            prime.sub_mul_constant_assign(limb, remainder, *w);
        }
    }
}

/// A copy of the limb above `level`.
fn last_limb(c: &Poly<Ntt>, level: Level) -> Poly<Ntt> {
    let mut last = Poly::unspecified(c.n(), 1);
    last.limb_mut(0).copy_from_slice(c.limb(level.limbs()));
    last
}
