//! Numbers added to and multiplied into every slot; no encoding is needed.

use super::Evaluator;
use crate::{Ciphertext, Error, Result, Scale};

impl Evaluator {
    /// `c·a` for an integer: slots and noise grow by `|c|`, the scale stays.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn mul_integer(&self, a: &Ciphertext, c: i64) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.mul_integer_assign(&mut out, c)?;
        Ok(out)
    }

    /// `a *= c` for an integer.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn mul_integer_assign(&self, a: &mut Ciphertext, c: i64) -> Result<()> {
        self.check_one("mul_integer", a)?;
        a.components.iter_mut().for_each(|p| self.params.q().mul_integer_assign(p, c));
        Ok(())
    }

    /// `c·a` for a real number encoded at `scale`: slots grow by `c`, the scale by `scale`.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a ciphertext of other parameters, [`Error::ScaleOverflow`] where the product's scale does not fit
    /// the level's modulus, [`Error::ValueOutOfRange`] above 62 bits.
    pub fn mul_scalar(&self, a: &Ciphertext, c: f64, scale: Scale) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.mul_scalar_assign(&mut out, c, scale)?;
        Ok(out)
    }

    /// `a *= c` for a real number encoded at `scale`.
    ///
    /// # Errors
    /// As [`Self::mul_scalar`].
    pub fn mul_scalar_assign(&self, a: &mut Ciphertext, c: f64, scale: Scale) -> Result<()> {
        const OP: &str = "mul_scalar";
        self.check_one(OP, a)?;
        let integer = (c * self.params.scale_value(&scale)).round();
        check_size(OP, integer, 62.0)?;
        a.scale = self.product_scale(OP, a.level(), a.scale, scale)?;
        a.components.iter_mut().for_each(|p| self.params.q().mul_integer_assign(p, integer as i64));
        Ok(())
    }

    /// `a + c` in every slot, `c` rounded at `a`'s scale.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a ciphertext of other parameters, [`Error::ValueOutOfRange`] for what does not fit the modulus.
    pub fn add_scalar(&self, a: &Ciphertext, c: f64) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.add_scalar_assign(&mut out, c)?;
        Ok(out)
    }

    /// `a += c` in every slot.
    ///
    /// # Errors
    /// As [`Self::add_scalar`].
    pub fn add_scalar_assign(&self, a: &mut Ciphertext, c: f64) -> Result<()> {
        const OP: &str = "add_scalar";
        self.check_one(OP, a)?;
        let integer = (c * self.params.scale_value(&a.scale)).round();
        check_size(OP, integer, (self.params.log_q(a.level()) - 1.0).min(100.0))?;
        // A constant polynomial has the same value everywhere.
        for (limb, prime) in a.components[0].limbs_mut().zip(self.params.q().primes()) {
            let m = prime.modulus();
            let residue = (integer as i128).rem_euclid(i128::from(m.value())) as u64;
            for x in limb {
                *x = m.add(*x, residue);
            }
        }
        Ok(())
    }
}

fn check_size(op: &'static str, value: f64, log2_room: f64) -> Result<()> {
    if value.is_nan() || value.abs() >= log2_room.exp2() {
        return Err(Error::ValueOutOfRange { op, index: 0, value, log2_room });
    }
    Ok(())
}
