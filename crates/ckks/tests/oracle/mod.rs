//! CKKS by its definitions: big integers, schoolbook products, exact divisions. Slow and obvious.

use num_bigint::BigInt;

use blindscope_ring::{Arithmetic, Basis, Ntt, Poly};

/// A polynomial with centred integer coefficients modulo some `Q`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Big {
    pub(crate) coefficients: Vec<BigInt>,
}

pub(crate) fn modulus(basis: &Basis, limbs: usize) -> BigInt {
    basis.primes()[..limbs].iter().map(|p| BigInt::from(p.value())).product()
}

pub(crate) fn centred(v: &BigInt, q: &BigInt) -> BigInt {
    let r = ((v % q) + q) % q;
    if &r * 2 > *q { r - q } else { r }
}

/// `v / d` rounded to nearest, exactly: odd `d`, so there are no ties.
pub(crate) fn divide_rounded(v: &BigInt, d: &BigInt) -> BigInt {
    (v - centred(v, d)) / d
}

fn inverse(a: &BigInt, p: &BigInt) -> BigInt {
    a.modpow(&(p - 2), p)
}

impl Big {
    /// By the Chinese remainder theorem over the first limbs of `basis`.
    pub(crate) fn from_poly(basis: &Basis, poly: &Poly<Ntt>) -> Self {
        let limbs = poly.limb_count();
        let q = modulus(basis, limbs);
        let coefficients = basis.to_coeff(poly.clone());
        let weights: Vec<BigInt> = basis.primes()[..limbs]
            .iter()
            .map(|p| {
                let p = BigInt::from(p.value());
                let rest = &q / &p;
                &rest * inverse(&(&rest % &p), &p)
            })
            .collect();
        let value = |k: usize| {
            let sum: BigInt = weights.iter().enumerate().map(|(i, w)| w * coefficients.limb(i)[k]).sum();
            centred(&sum, &q)
        };
        Self { coefficients: (0..poly.n()).map(value).collect() }
    }

    /// The coefficients at these places.
    pub(crate) fn at(&self, places: &[usize]) -> Vec<BigInt> {
        places.iter().map(|&k| self.coefficients[k].clone()).collect()
    }

    /// Coefficients of the negacyclic product at these places, as integers.
    pub(crate) fn product_at(&self, other: &Self, places: &[usize]) -> Vec<BigInt> {
        let n = self.coefficients.len();
        let coefficient = |&k: &usize| -> BigInt {
            (0..n)
                .map(|i| {
                    let term = &self.coefficients[i] * &other.coefficients[(n + k - i) % n];
                    if i <= k { term } else { -term }
                })
                .sum()
        };
        places.iter().map(coefficient).collect()
    }

    /// `f(X^g)`
    pub(crate) fn substitute(&self, g: usize) -> Self {
        let n = self.coefficients.len();
        let mut coefficients = vec![BigInt::from(0); n];
        for (i, c) in self.coefficients.iter().enumerate() {
            let k = i * g % (2 * n);
            coefficients[k % n] = if k < n { c.clone() } else { -c };
        }
        Self { coefficients }
    }
}

/// `(Σ_j d_j·key_j) / P` rounded, at these places: the switch of `x` with one digit a prime.
pub(crate) fn switch_at(
    x: &Poly<Ntt>,
    key: &[Poly<Ntt>],
    q: &Basis,
    qp: &Basis,
    places: &[usize],
) -> Vec<BigInt> {
    let limbs = x.limb_count();
    let coefficients = q.to_coeff(x.clone());
    let special = qp.primes().len() - q.primes().len();
    let p: BigInt = qp.primes()[q.len()..].iter().map(|p| BigInt::from(p.value())).product();
    assert_eq!(special, 1, "the oracle switches with one prime a digit");
    // Keys are reduced to the primes of this level.
    let mut values: Vec<u64> = q.primes()[..limbs].iter().map(|p| p.value()).collect();
    values.push(qp.prime(q.len()).value());
    let raised = Basis::on(Arithmetic::Portable, &values, q.log_n()).unwrap();
    let total = modulus(&raised, limbs + 1);
    let mut sums = vec![BigInt::from(0); places.len()];
    for (j, row) in key.iter().take(limbs).enumerate() {
        let mut row_here = Poly::zero(x.n(), limbs + 1);
        for i in 0..=limbs {
            row_here.limb_mut(i).copy_from_slice(row.limb(if i < limbs { i } else { q.len() }));
        }
        let m = q.prime(j).modulus();
        let digit =
            Big { coefficients: coefficients.limb(j).iter().map(|&r| BigInt::from(m.centre(r))).collect() };
        for (s, t) in sums.iter_mut().zip(digit.product_at(&Big::from_poly(&raised, &row_here), places)) {
            *s += t;
        }
    }
    let level = modulus(q, limbs);
    sums.iter().map(|s| centred(&divide_rounded(&centred(s, &total), &p), &level)).collect()
}
