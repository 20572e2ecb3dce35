//! From the residues modulo some primes to the residues of the same centred value modulo another prime.
//!
//! For one source prime the centred lift is exact. For several, with `D = Π d_i`, the value is
//! `Σ y_i·(D/d_i) - u·D` with `y_i = x_i·(D/d_i)^-1 mod d_i` and `u = round(Σ y_i/d_i)`. The rounding is done in
//! `f64`; values within `2^-45·D` of `±D/2` may come out shifted by `D`, which modular callers do not notice.
//!
//! Reference: Halevi, Polyakov, Shoup, "An improved RNS variant of the BFV scheme", 2019, §2.

use std::borrow::Cow;
use std::sync::Arc;

use crate::kernels::portable;
use crate::{Prime, Shoup};

/// The precomputation from one set of primes to another.
#[derive(Debug)]
pub struct Extension {
    from: Vec<Arc<Prime>>,
    to: Vec<Arc<Prime>>,
    /// `(D/d_i)^-1 mod d_i`
    inverse: Vec<Shoup>,
    /// `[target]`: `D/d_i mod p` for each `i`, then `-D mod p`
    weights: Vec<Vec<Shoup>>,
}

/// The source residues scaled for recombination, and how often `D` has to be taken off.
#[derive(Debug)]
pub struct Scaled<'a> {
    /// A single source limb is its own scaling and stays where it is.
    y: Vec<Cow<'a, [u64]>>,
    u: Vec<u64>,
}

impl Extension {
    /// From `from` to each prime of `to`. Range: `from` is not empty, all of one degree.
    pub fn new(from: &[Arc<Prime>], to: &[Arc<Prime>]) -> Self {
        let product = |p: &Prime, skip: usize| {
            let m = p.modulus();
            let others = from.iter().enumerate().filter(|(j, _)| *j != skip);
            others.fold(1, |acc, (_, d)| m.mul(acc, m.reduce(d.value())))
        };
        let inverse =
            (0..from.len()).map(|i| from[i].constant(from[i].modulus().inv(product(&from[i], i)))).collect();
        let weights = |p: &Arc<Prime>| {
            let minus_product = p.modulus().neg(product(p, usize::MAX));
            (0..from.len()).map(|i| product(p, i)).chain([minus_product]).map(|w| p.constant(w)).collect()
        };
        let weights = to.iter().map(weights).collect();
        Self { from: from.to_vec(), to: to.to_vec(), inverse, weights }
    }

    /// The part that all targets share. Range: one coefficient limb a source prime.
    pub fn scale<'a>(&self, limbs: &[&'a [u64]]) -> Scaled<'a> {
        debug_assert_eq!(limbs.len(), self.from.len());
        let mut y: Vec<Cow<'a, [u64]>> = limbs.iter().map(|&l| Cow::Borrowed(l)).collect();
        if let [_] = self.from[..] {
            return Scaled { y, u: Vec::new() };
        }
        let mut sum = vec![0.5f64; limbs[0].len()];
        for ((y, d), w) in y.iter_mut().zip(&self.from).zip(&self.inverse) {
            d.mul_constant_assign(y.to_mut(), *w);
            add_shares(&mut sum, y, d);
        }
        Scaled { y, u: sum.into_iter().map(|s| whole(s, self.from.len())).collect() }
    }

    /// The residues modulo target `t`, ready for [`Prime::forward`]: below `max(p, 2^51)`.
    pub fn target_lazy(&self, t: usize, x: &Scaled<'_>, out: &mut [u64]) {
        let prime = &self.to[t];
        if let [d] = &self.from[..] {
            return prime.lift_centred_lazy(out, &x.y[0], d.modulus());
        }
        out.copy_from_slice(&x.y[0]);
        let [first, weights @ ..] = &self.weights[t][..] else { return };
        let rest = x.y[1..].iter().map(|y| &y[..]).chain([&x.u[..]]).zip(weights);
        if self.from.iter().all(|d| d.modulus().bits() <= 52) {
            prime.mul_constant_assign(out, *first);
            rest.for_each(|(y, w)| prime.mul_constant_add_assign(out, y, *w));
        } else {
            // The fast kernels take no such words.
            portable::mul_constant_assign(prime.modulus(), out, *first);
            rest.for_each(|(y, w)| portable::mul_constant_add_assign(prime.modulus(), out, y, *w));
        }
    }
}

/// Adds `y/d` to each sum.
fn add_shares(sum: &mut [f64], y: &[u64], d: &Prime) {
    let reciprocal = 1.0 / d.value() as f64;
    if d.modulus().bits() <= 52 {
        // `y as f64` by its bits, which vectorises on every processor.
        const TWO52: f64 = (1u64 << 52) as f64;
        for (s, &y) in sum.iter_mut().zip(y) {
            *s += (f64::from_bits(TWO52.to_bits() | y) - TWO52) * reciprocal;
        }
    } else {
        for (s, &y) in sum.iter_mut().zip(y) {
            *s += y as f64 * reciprocal;
        }
    }
}

/// The whole part of `s`, which is below `most + 1`, by comparisons: they vectorise, conversions do not.
fn whole(s: f64, most: usize) -> u64 {
    (1..=most).map(|j| u64::from(s >= j as f64)).sum()
}
