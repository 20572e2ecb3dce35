//! CKKS by its definitions: sums written as loops, big integers, no fast transform. Nothing of ours but the file reader.

use num_bigint::BigUint;
use num_complex::Complex64;

use super::format::{Ciphertext, Parameters};

/// SEAL's evaluation point of index `j`: ψ^(2·brv(j)+1).
pub(crate) fn exponent(j: usize, n: usize) -> usize {
    2 * (j.reverse_bits() >> (usize::BITS - n.trailing_zeros())) + 1
}

/// The message times the scale: `c_0 + c_1·s + c_2·s²` …, centred modulo the product of the ciphertext's primes.
pub(crate) fn decrypt(ciphertext: &Ciphertext, secret: &[Vec<u64>], parameters: &Parameters) -> Vec<i128> {
    let level = ciphertext.components[0].len();
    let primes = &parameters.primes[..level];
    let limbs: Vec<Vec<u64>> = primes
        .iter()
        .enumerate()
        .map(|(k, &p)| coefficients(&inner_product(&ciphertext.components, &secret[k], k, p), p))
        .collect();
    (0..parameters.n).map(|i| centred(limbs.iter().map(|limb| limb[i]), primes)).collect()
}

/// The slots of a plaintext: m(ζ^(3^i)) / scale for ζ = e^(iπ/N) and i < N/2.
pub(crate) fn decode(message: &[i128], scale: f64) -> Vec<Complex64> {
    let n = message.len();
    let powers: Vec<Complex64> =
        (0..2 * n).map(|k| Complex64::cis(std::f64::consts::PI * k as f64 / n as f64)).collect();
    let mut exponent = 1;
    (0..n / 2)
        .map(|_| {
            let slot: Complex64 =
                message.iter().enumerate().map(|(k, &m)| powers[k * exponent % (2 * n)] * m as f64).sum();
            exponent = 3 * exponent % (2 * n);
            slot / scale
        })
        .collect()
}

/// `Σ c_i·s^i` modulo prime `k`, value by value.
pub(crate) fn inner_product(components: &[Vec<Vec<u64>>], secret: &[u64], k: usize, p: u64) -> Vec<u64> {
    let value = |j: usize| {
        // Horner's rule from the last component.
        components.iter().rev().fold(0, |sum, c| (mul(sum, secret[j], p) + c[k][j]) % p)
    };
    (0..secret.len()).map(value).collect()
}

/// The polynomial with these values: `f_k = N⁻¹ · Σ_j v_j · ψ^(−k·(2·brv(j)+1))`.
pub(crate) fn coefficients(values: &[u64], p: u64) -> Vec<u64> {
    let n = values.len();
    let inverse_root = pow(smallest_root(n, p), p - 2, p);
    let mut powers = vec![1; 2 * n];
    for i in 1..2 * n {
        powers[i] = mul(powers[i - 1], inverse_root, p);
    }
    let n_inverse = pow(n as u64, p - 2, p);
    let coefficient = |k: usize| {
        let terms = values.iter().enumerate().map(|(j, &v)| (v, powers[k * exponent(j, n) % (2 * n)]));
        mul(sum_of_products(terms, p), n_inverse, p)
    };
    (0..n).map(coefficient).collect()
}

/// Products of two residues below 2^60: 128 of them and a residue fit in 128 bits.
fn sum_of_products(terms: impl Iterator<Item = (u64, u64)>, p: u64) -> u64 {
    let mut sum = 0_u128;
    for (i, (a, b)) in terms.enumerate() {
        sum += u128::from(a) * u128::from(b);
        if i % 128 == 127 {
            sum %= u128::from(p);
        }
    }
    (sum % u128::from(p)) as u64
}

/// SEAL's ψ: the smallest number whose N-th power is −1 modulo p.
pub(crate) fn smallest_root(n: usize, p: u64) -> u64 {
    let root = (2..p)
        .map(|g| pow(g, (p - 1) / (2 * n as u64), p))
        .find(|&r| pow(r, n as u64, p) == p - 1)
        .unwrap_or_else(|| unreachable!("a generator exists modulo a prime"));
    let square = mul(root, root, p);
    let odd_powers = std::iter::successors(Some(root), |&r| Some(mul(r, square, p)));
    odd_powers.take(n).fold(root, u64::min)
}

/// The integer of least size with these residues: Chinese remainder theorem. The product of the primes must stay below
/// 2^127.
pub(crate) fn centred(residues: impl Iterator<Item = u64>, primes: &[u64]) -> i128 {
    let q: BigUint = primes.iter().product();
    let sum: BigUint = residues
        .zip(primes)
        .map(|(r, &p)| {
            let others = &q / p;
            let inverse = (&others % p).modpow(&BigUint::from(p - 2), &BigUint::from(p));
            others * inverse * r
        })
        .sum();
    let (value, q) = (sum % &q, q);
    let signed = |x: &BigUint| i128::try_from(x).unwrap_or_else(|_| unreachable!("below 2^127"));
    if &value * 2_u32 > q { -signed(&(q - value)) } else { signed(&value) }
}

pub(crate) fn mul(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

pub(crate) fn pow(mut base: u64, mut exponent: u64, p: u64) -> u64 {
    let mut result = 1;
    base %= p;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul(result, base, p);
        }
        base = mul(base, base, p);
        exponent >>= 1;
    }
    result
}
