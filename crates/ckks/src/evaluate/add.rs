//! Sums and differences: levels and scales must agree, and nothing is consumed.

use super::{Evaluator, Shape};
use crate::{Ciphertext, Plaintext, Result};
use blindscope_ring::{Basis, Ntt, Poly};

type Zip = fn(&Basis, &mut Poly<Ntt>, &Poly<Ntt>);

impl Evaluator {
    /// `a + b`: slots add.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters; [`crate::Error::LevelMismatch`] for operands
    /// at different levels; [`crate::Error::ScaleMismatch`] for operands at different scales.
    pub fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.add_assign(&mut out, b)?;
        Ok(out)
    }

    /// `a += b`
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<()> {
        self.sum_shape("add", a, b)?;
        self.zip(a, b, Basis::add_assign, false);
        Ok(())
    }

    /// `out = a + b`
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_into(&self, a: &Ciphertext, b: &Ciphertext, out: &mut Ciphertext) -> Result<()> {
        let shape = self.sum_shape("add", a, b)?;
        self.copy_into(a, shape, out);
        self.zip(out, b, Basis::add_assign, false);
        Ok(())
    }

    /// `a - b`: slots subtract.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.sub_assign(&mut out, b)?;
        Ok(out)
    }

    /// `a -= b`
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn sub_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<()> {
        self.sum_shape("sub", a, b)?;
        self.zip(a, b, Basis::sub_assign, true);
        Ok(())
    }

    /// `out = a - b`
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn sub_into(&self, a: &Ciphertext, b: &Ciphertext, out: &mut Ciphertext) -> Result<()> {
        let shape = self.sum_shape("sub", a, b)?;
        self.copy_into(a, shape, out);
        self.zip(out, b, Basis::sub_assign, true);
        Ok(())
    }

    /// `-a`
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn neg(&self, a: &Ciphertext) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.neg_assign(&mut out)?;
        Ok(out)
    }

    /// `a = -a`
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn neg_assign(&self, a: &mut Ciphertext) -> Result<()> {
        self.check_one("neg", a)?;
        a.components.iter_mut().for_each(|c| self.params.q().neg_assign(c));
        Ok(())
    }

    /// `a + b` for a plaintext at `a`'s scale, at its level or above.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_plain(&self, a: &Ciphertext, b: &Plaintext) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.add_plain_assign(&mut out, b)?;
        Ok(out)
    }

    /// `a += b` for a plaintext.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_plain_assign(&self, a: &mut Ciphertext, b: &Plaintext) -> Result<()> {
        self.plain_sum("add_plain", a, b, Basis::add_assign)
    }

    /// `a - b` for a plaintext at `a`'s scale, at its level or above.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn sub_plain(&self, a: &Ciphertext, b: &Plaintext) -> Result<Ciphertext> {
        let mut out = a.clone();
        self.sub_plain_assign(&mut out, b)?;
        Ok(out)
    }

    /// `a -= b` for a plaintext.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn sub_plain_assign(&self, a: &mut Ciphertext, b: &Plaintext) -> Result<()> {
        self.plain_sum("sub_plain", a, b, Basis::sub_assign)
    }

    fn plain_sum(&self, op: &'static str, a: &mut Ciphertext, b: &Plaintext, f: Zip) -> Result<()> {
        self.check_plain(op, a, b)?;
        self.check_scales(op, a.scale, b.scale)?;
        f(self.params.q(), &mut a.components[0], &b.poly);
        Ok(())
    }

    fn sum_shape(&self, op: &'static str, a: &Ciphertext, b: &Ciphertext) -> Result<Shape> {
        self.check_levels(op, a, b)?;
        self.check_scales(op, a.scale, b.scale)?;
        let components = a.components.len().max(b.components.len());
        Ok(Shape { components, level: a.level(), scale: a.scale })
    }

    fn copy_into(&self, a: &Ciphertext, shape: Shape, out: &mut Ciphertext) {
        self.out(out, Shape { components: a.components.len(), ..shape });
        for (o, c) in out.components.iter_mut().zip(&a.components) {
            o.copy_from(c);
        }
    }

    /// Component by component; those that only `b` has are copied, negated if `negate`.
    fn zip(&self, a: &mut Ciphertext, b: &Ciphertext, f: Zip, negate: bool) {
        for (i, c) in b.components.iter().enumerate() {
            if let Some(o) = a.components.get_mut(i) {
                f(self.params.q(), o, c);
            } else {
                let mut c = c.clone();
                if negate {
                    self.params.q().neg_assign(&mut c);
                }
                a.components.push(c);
            }
        }
    }
}
