//! Products: by plaintexts, and by ciphertexts with relinearisation. Scales multiply; the level falls only on rescaling.

use super::{Evaluator, Shape};
use crate::{Ciphertext, Plaintext, RelinKey, Result};

const HINT: &str = "relinearise the operand first";

impl Evaluator {
    /// `a·b`: slots multiply. Three components; relinearise the result, or a sum of such results.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters; [`crate::Error::LevelMismatch`] for operands
    /// at different levels; [`crate::Error::Components`] for a ciphertext of another number of polynomials than is
    /// taken; [`crate::Error::ScaleOverflow`] where the product's scale does not fit the level's modulus.
    pub fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.mul_into(a, b, &mut out)?;
        Ok(out)
    }

    /// `a *= b`
    ///
    /// # Errors
    /// As [`Self::mul`].
    pub fn mul_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<()> {
        *a = self.mul(a, b)?;
        Ok(())
    }

    /// `out = a·b`
    ///
    /// # Errors
    /// As [`Self::mul`].
    pub fn mul_into(&self, a: &Ciphertext, b: &Ciphertext, out: &mut Ciphertext) -> Result<()> {
        let shape = self.product_shape("mul", a, b)?;
        self.out(out, shape);
        let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
        for (i, prime) in self.params.q().primes()[..shape.level.limbs()].iter().enumerate() {
            prime.mul_into(out.components[0].limb_mut(i), a0.limb(i), b0.limb(i));
            let cross = [(a0.limb(i), b1.limb(i)), (a1.limb(i), b0.limb(i))];
            prime.mul_sum(out.components[1].limb_mut(i), &cross);
            prime.mul_into(out.components[2].limb_mut(i), a1.limb(i), b1.limb(i));
        }
        Ok(())
    }

    /// `a·a`
    ///
    /// # Errors
    /// As [`Self::mul`].
    pub fn square(&self, a: &Ciphertext) -> Result<Ciphertext> {
        let shape = self.product_shape("square", a, a)?;
        let mut out = Ciphertext::empty(&self.params);
        self.out(&mut out, shape);
        let [a0, a1] = halves(a);
        for (i, prime) in self.params.q().primes()[..shape.level.limbs()].iter().enumerate() {
            prime.mul_into(out.components[0].limb_mut(i), a0.limb(i), a0.limb(i));
            prime.mul_sum(out.components[1].limb_mut(i), &[(a0.limb(i), a1.limb(i)); 2]);
            prime.mul_into(out.components[2].limb_mut(i), a1.limb(i), a1.limb(i));
        }
        Ok(out)
    }

    /// `a·b` for a plaintext at `a`'s level or above: slots multiply, scales too.
    ///
    /// # Errors
    /// As [`Self::mul`].
    pub fn mul_plain(&self, a: &Ciphertext, b: &Plaintext) -> Result<Ciphertext> {
        const OP: &str = "mul_plain";
        self.check_plain(OP, a, b)?;
        let scale = self.product_scale(OP, a.level(), a.scale, b.scale)?;
        let mut out = Ciphertext::empty(&self.params);
        self.out(&mut out, Shape { components: a.components.len(), level: a.level(), scale });
        for (o, c) in out.components.iter_mut().zip(&a.components) {
            for (i, (limb, prime)) in o.limbs_mut().zip(self.params.q().primes()).enumerate() {
                prime.mul_into(limb, c.limb(i), b.poly.limb(i));
            }
        }
        Ok(out)
    }

    /// `Σ a_i·b_i` for plaintexts, reducing once for every sixteen products. The first pair sets level and scale; no pairs
    /// give zero at scale 1 on level 0.
    ///
    /// # Errors
    /// As [`Self::mul`], and [`crate::Error::ScaleMismatch`] where products differ in scale.
    pub fn mul_plain_sum(&self, pairs: &[(&Ciphertext, &Plaintext)]) -> Result<Ciphertext> {
        const OP: &str = "mul_plain_sum";
        let mut out = Ciphertext::empty(&self.params);
        let Some((first, plain)) = pairs.first() else { return Ok(out) };
        let scale = self.product_scale(OP, first.level(), first.scale, plain.scale)?;
        for (a, b) in pairs {
            self.check_levels(OP, first, a)?;
            self.check_plain(OP, a, b)?;
            Self::check_components(OP, a, 2, HINT)?;
            self.check_scales(OP, scale, a.scale.times(b.scale))?;
        }
        self.out(&mut out, Shape { components: 2, level: first.level(), scale });
        for (c, component) in out.components.iter_mut().enumerate() {
            for (i, prime) in self.params.q().primes()[..first.level().limbs()].iter().enumerate() {
                let terms: Vec<_> =
                    pairs.iter().map(|(a, b)| (a.components[c].limb(i), b.poly.limb(i))).collect();
                prime.mul_sum(component.limb_mut(i), &terms);
            }
        }
        Ok(out)
    }

    /// Back to two components: `c_2·s^2` is switched to a pair under `s`.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters; [`crate::Error::Components`] for a ciphertext
    /// of another number of polynomials than is taken; [`crate::Error::NoSpecialPrime`] where the parameters have
    /// no special prime to switch keys with.
    pub fn relinearise(&self, a: &Ciphertext, key: &RelinKey) -> Result<Ciphertext> {
        let mut out = Ciphertext::empty(&self.params);
        self.relinearise_into(a, key, &mut out)?;
        Ok(out)
    }

    /// `a` back to two components, in place.
    ///
    /// # Errors
    /// As [`Self::relinearise`].
    pub fn relinearise_assign(&self, a: &mut Ciphertext, key: &RelinKey) -> Result<()> {
        *a = self.relinearise(a, key)?;
        Ok(())
    }

    /// `out = a`, back to two components.
    ///
    /// # Errors
    /// As [`Self::relinearise`].
    pub fn relinearise_into(&self, a: &Ciphertext, key: &RelinKey, out: &mut Ciphertext) -> Result<()> {
        const OP: &str = "relinearise";
        self.check_one(OP, a)?;
        self.params.check_same(OP, &key.0.params)?;
        Self::check_components(OP, a, 3, "only products need relinearising")?;
        Self::check_key_level(OP, a, &key.0)?;
        let tables = self.params.switching(a.level(), OP)?;
        self.out(out, Shape { components: 2, level: a.level(), scale: a.scale });
        let raised = self.switch_raised(tables, &a.components[2], &key.0);
        for ((o, c), k) in out.components.iter_mut().zip(&a.components).zip(raised) {
            *o = self.divide_by_special(tables, k);
            self.params.q().add_assign(o, c);
        }
        Ok(())
    }

    /// `a·b`, relinearised.
    ///
    /// # Errors
    /// As [`Self::mul`] and [`Self::relinearise`].
    pub fn mul_relin(&self, a: &Ciphertext, b: &Ciphertext, key: &RelinKey) -> Result<Ciphertext> {
        self.relinearise(&self.mul(a, b)?, key)
    }

    fn product_shape(&self, op: &'static str, a: &Ciphertext, b: &Ciphertext) -> Result<Shape> {
        self.check_levels(op, a, b)?;
        Self::check_components(op, a, 2, HINT)?;
        Self::check_components(op, b, 2, HINT)?;
        let scale = self.product_scale(op, a.level(), a.scale, b.scale)?;
        Ok(Shape { components: 3, level: a.level(), scale })
    }
}

/// The two components of a checked ciphertext.
fn halves(a: &Ciphertext) -> [&blindscope_ring::Poly<blindscope_ring::Ntt>; 2] {
    [&a.components[0], &a.components[1]]
}
