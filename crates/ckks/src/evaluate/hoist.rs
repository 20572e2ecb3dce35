//! Rotations of one ciphertext that are weighed with plaintexts before they are divided by the special primes.
//!
//! The digits are made once, both halves of every rotation stay over the raised basis, times `P`, and so do their products: a
//! sum of any number of them is divided once. What a rotation adds to the message is then not divided by a rounding's worth of
//! precision before it is weighed, and a rotation takes no transform but those of the digits.
//!
//! Reference: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, "Efficient bootstrapping for approximate homomorphic encryption
//! with non-sparse keys", 2021, §4 (double hoisting).

use super::{Evaluator, LazyCiphertext};
use crate::{Ciphertext, Error, GaloisKeys, Level, Parameters, RaisedPlaintext, Result, Scale};
use blindscope_ring::{Ntt, Poly};

/// A two-component ciphertext times `P`, over the primes of its level and the special ones.
#[derive(Clone)]
pub struct RaisedCiphertext {
    params: Parameters,
    halves: [Poly<Ntt>; 2],
    level: Level,
    scale: Scale,
}

impl std::fmt::Debug for RaisedCiphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RaisedCiphertext(level {})", self.level)
    }
}

impl Evaluator {
    /// `a` with its slots moved left by each of `steps`, zero included.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_raised(
        &self,
        a: &Ciphertext,
        steps: &[i64],
        keys: &GaloisKeys,
    ) -> Result<Vec<RaisedCiphertext>> {
        const OP: &str = "rotate_raised";
        self.check_one(OP, a)?;
        Self::check_components(OP, a, 2, "relinearise it first")?;
        let tables = self.params.switching(a.level(), OP)?;
        let digits =
            if steps.iter().any(|k| *k != 0) { self.raise(tables, &a.components[1]) } else { Vec::new() };
        let times_p = |x: &Poly<Ntt>| {
            let mut raised = tables.raised.zero();
            for (i, p) in tables.p_times.iter().enumerate() {
                raised.limb_mut(i).copy_from_slice(x.limb(i));
                tables.raised.prime(i).mul_constant_assign(raised.limb_mut(i), *p);
            }
            raised
        };
        let first = times_p(&a.components[0]);
        let rotated = |&k: &i64| {
            let halves = if k == 0 {
                [first.clone(), times_p(&a.components[1])]
            } else {
                let key = keys.rotation(&self.params, OP, k)?;
                self.params.check_same(OP, &key.key.params)?;
                Self::check_key_level(OP, a, &key.key)?;
                let mut halves = self.weigh_all(tables, &digits, &key.key);
                tables.raised.add_assign(&mut halves[0], &first);
                halves.map(|x| key.automorphism.apply(&x))
            };
            Ok(RaisedCiphertext { params: self.params.clone(), halves, level: a.level(), scale: a.scale })
        };
        steps.iter().map(rotated).collect()
    }

    /// `Σ a_i·b_i`, its second half divided by `P`: the start of a chain, or a link of one.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters; [`Error::LevelMismatch`] and [`Error::ScaleMismatch`] for pairs that
    /// do not add up; [`Error::ScaleOverflow`] where the products' scale does not fit the level's modulus.
    pub fn mul_raised_sum(&self, pairs: &[(&RaisedCiphertext, &RaisedPlaintext)]) -> Result<LazyCiphertext> {
        const OP: &str = "mul_raised_sum";
        let Some((first, plain)) = pairs.first() else { return self.defer(&Ciphertext::empty(&self.params)) };
        let (level, scale) = (first.level, self.product_scale(OP, first.level, first.scale, plain.scale)?);
        for (a, b) in pairs {
            self.params.check_same(OP, &a.params)?;
            self.params.check_same(OP, &b.params)?;
            for right in [a.level, b.level] {
                if right != level {
                    return Err(Error::LevelMismatch { op: OP, left: level, right });
                }
            }
            self.check_scales(OP, scale, a.scale.times(b.scale))?;
        }
        let tables = self.params.switching(level, OP)?;
        let [raised, c1] = [0, 1].map(|half| {
            let mut sum: Poly<Ntt> = Poly::unspecified(self.params.n(), tables.raised.len());
            for (i, prime) in tables.raised.primes().iter().enumerate() {
                let terms: Vec<_> =
                    pairs.iter().map(|(a, b)| (a.halves[half].limb(i), b.poly.limb(i))).collect();
                prime.mul_sum(sum.limb_mut(i), &terms);
            }
            sum
        });
        let c1 = self.divide_by_special(tables, c1);
        Ok(LazyCiphertext { params: self.params.clone(), raised, c1, scale })
    }
}
