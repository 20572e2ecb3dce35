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

/// `(Σ_j d_j·key_j) / P` rounded, at these places: the switch of `x` with as many primes a digit as there are special ones.
pub(crate) fn switch_at(
    x: &Poly<Ntt>,
    key: &[Poly<Ntt>],
    q: &Basis,
    qp: &Basis,
    places: &[usize],
) -> Vec<BigInt> {
    let limbs = x.limb_count();
    let special = qp.len() - q.len();
    let p: BigInt = qp.primes()[q.len()..].iter().map(|p| BigInt::from(p.value())).product();
    // Keys are reduced to the primes of this level.
    let kept: Vec<usize> = (0..limbs).chain(q.len()..qp.len()).collect();
    let raised = basis_of(qp, &kept);
    let total = modulus(&raised, kept.len());
    let mut sums = vec![BigInt::from(0); places.len()];
    for (row, from) in key.iter().zip((0..limbs).step_by(special)) {
        let own: Vec<usize> = (from..(from + special).min(limbs)).collect();
        let digit = Big::from_poly(&basis_of(q, &own), &limbs_of(x, &own));
        let row = Big::from_poly(&raised, &limbs_of(row, &kept));
        for (s, t) in sums.iter_mut().zip(digit.product_at(&row, places)) {
            *s += t;
        }
    }
    let level = modulus(q, limbs);
    sums.iter().map(|s| centred(&divide_rounded(&centred(s, &total), &p), &level)).collect()
}

/// The primes at these places, on the path that needs no trust.
fn basis_of(basis: &Basis, places: &[usize]) -> Basis {
    let values: Vec<u64> = places.iter().map(|&i| basis.prime(i).value()).collect();
    Basis::on(Arithmetic::Portable, &values, basis.log_n()).unwrap()
}

fn limbs_of(poly: &Poly<Ntt>, places: &[usize]) -> Poly<Ntt> {
    let mut out = Poly::zero(poly.n(), places.len());
    for (limb, &i) in out.limbs_mut().zip(places) {
        limb.copy_from_slice(poly.limb(i));
    }
    out
}
