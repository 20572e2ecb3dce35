//! Exact signed values from residues, by balanced mixed radix.
//!
//! Every `v` with `|v| <= (Q-1)/2` is `v_0 + q_0·(v_1 + q_1·(v_2 + …))` with each `|v_i| <= (q_i-1)/2`, in one
//! way. Because every tail is at most half of the next weight, summing the digits in floating point from the
//! top never cancels: the relative error is a few times `2^-53`, whatever the size of `v` beside `Q`.
//! No branch depends on the residues.
//!
//! Reference: Garner, "The residue number system", 1959, with balanced digits.

use zeroize::Zeroize;

use crate::{Basis, Coeff, Poly, Shoup};

/// The precomputation for one basis.
#[derive(Debug)]
pub struct Lift {
    basis: Basis,
    /// `[i][j]`, `j < i`: `q_j^-1 mod q_i`
    inverse: Vec<Vec<Shoup>>,
}

impl Lift {
    /// For polynomials over prefixes of `basis`.
    pub fn new(basis: &Basis) -> Self {
        let inverse = (0..basis.len())
            .map(|i| {
                let prime = basis.prime(i);
                let m = prime.modulus();
                (0..i).map(|j| prime.constant(m.inv(m.reduce(basis.prime(j).value())))).collect()
            })
            .collect();
        Self { basis: basis.clone(), inverse }
    }

    pub(crate) fn basis(&self) -> &Basis {
        &self.basis
    }

    /// The balanced digits of each coefficient: `out[i][k]` is digit `i` of coefficient `k`.
    pub fn digits(&self, a: &Poly<Coeff>) -> Vec<Vec<i64>> {
        let residues = self.digit_residues(a);
        let centred = |(i, r): (usize, &Vec<u64>)| {
            let m = self.basis.prime(i).modulus();
            r.iter().map(|&r| m.centre(r)).collect()
        };
        residues.iter().enumerate().map(centred).collect()
    }

    /// The digits as residues: digit `i` below `q_i`, standing for its centred representative.
    pub(crate) fn digit_residues(&self, a: &Poly<Coeff>) -> Vec<Vec<u64>> {
        let mut digits: Vec<Vec<u64>> = Vec::with_capacity(a.limb_count());
        let mut term = vec![0; a.n()];
        for i in 0..a.limb_count() {
            let prime = self.basis.prime(i);
            let mut x = a.limb(i).to_vec();
            for (j, (digit, w)) in digits.iter().zip(&self.inverse[i]).enumerate() {
                // x = (x - digit) / q_j
                prime.lift_centred_lazy(&mut term, digit, self.basis.prime(j).modulus());
                prime.mul_constant_assign(&mut term, *w);
                prime.mul_constant_assign(&mut x, *w);
                prime.sub_assign(&mut x, &term);
            }
            digits.push(x);
        }
        term.zeroize();
        digits
    }

    /// Each coefficient's centred value as the nearest `f64` (up to a few units in the last place).
    pub fn to_f64(&self, a: &Poly<Coeff>) -> Vec<f64> {
        let digits = self.digit_residues(a);
        let mut out = vec![0.0; a.n()];
        for (i, digit) in digits.iter().enumerate().rev() {
            let m = self.basis.prime(i).modulus();
            let q = m.value() as f64;
            if m.bits() <= 51 {
                for (o, &d) in out.iter_mut().zip(digit) {
                    *o = *o * q + small_to_f64(m.centre(d));
                }
            } else {
                for (o, &d) in out.iter_mut().zip(digit) {
                    *o = *o * q + m.centre(d) as f64;
                }
            }
        }
        out
    }

    /// Each coefficient's centred value. Range: `|v| < 2^127`; larger values wrap.
    pub fn to_i128(&self, a: &Poly<Coeff>) -> Vec<i128> {
        let digits = self.digits(a);
        let Some((top, rest)) = digits.split_last() else { return Vec::new() };
        let mut out: Vec<i128> = top.iter().map(|&d| i128::from(d)).collect();
        for (i, digit) in rest.iter().enumerate().rev() {
            let q = i128::from(self.basis.prime(i).value());
            for (o, &d) in out.iter_mut().zip(digit) {
                *o = o.wrapping_mul(q).wrapping_add(i128::from(d));
            }
        }
        out
    }
}

/// `v as f64` as an addition, which vectorises on every processor. Range: `|v| < 2^51`.
#[inline(always)]
fn small_to_f64(v: i64) -> f64 {
    const MAGIC: f64 = 1.5 * (1u64 << 52) as f64;
    f64::from_bits((v as u64).wrapping_add(MAGIC.to_bits())) - MAGIC
}
