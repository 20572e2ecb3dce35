//! Vectors modulo a small prime: what Shamir's scheme needs of the field of parts.
//!
//! Numbers are below `p < 2^13`, products below `2^26`, so sixty-four of them add up in 32 bits before they are reduced.
//!
//! Reference: Shamir, "How to share a secret", 1979.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroizing;

use blindscope_ring::Modulus;

/// Products that are added before a reduction.
const LAZY: usize = 64;

/// `out = Σ_j w_j·x_j`. Range: everything below `p`; vectors as long as `out`.
pub(crate) fn combine(p: &Modulus, weights: &[u32], vectors: &[&[u16]], out: &mut [u16]) {
    debug_assert!(p.bits() <= 13);
    let mut sums = Zeroizing::new(vec![0u32; out.len()]);
    for (weights, vectors) in weights.chunks(LAZY - 1).zip(vectors.chunks(LAZY - 1)) {
        for (&w, x) in weights.iter().zip(vectors) {
            for (s, &x) in sums.iter_mut().zip(*x) {
                *s += w * u32::from(x);
            }
        }
        for s in sums.iter_mut() {
            *s = p.reduce(u64::from(*s)) as u32;
        }
    }
    for (o, s) in out.iter_mut().zip(sums.iter()) {
        *o = *s as u16;
    }
}

/// `Σ_k w_k·x_k`. Range: everything below `p`, at most 2^38 terms.
pub(crate) fn dot(p: &Modulus, w: &[u16], x: &[u16]) -> u16 {
    let sum: u64 = w.iter().zip(x).map(|(&w, &x)| u64::from(u32::from(w) * u32::from(x))).sum();
    p.reduce(sum) as u16
}

/// `x^0, x^1, …`, `count` of them.
pub(crate) fn powers(p: &Modulus, x: u64, count: usize) -> Vec<u32> {
    let mut powers = Vec::with_capacity(count);
    let mut power = 1;
    for _ in 0..count {
        powers.push(power as u32);
        power = p.mul(power, p.reduce(x));
    }
    powers
}

/// Lagrange's weights at `at` for the points `xs`, which are distinct modulo `p`.
pub(crate) fn lagrange(p: &Modulus, xs: &[u64], at: u64) -> Vec<u32> {
    let weight = |&a: &u64| {
        let (mut numerator, mut denominator) = (1, 1);
        for &b in xs.iter().filter(|&&b| b != a) {
            numerator = p.mul(numerator, p.sub(p.reduce(at), p.reduce(b)));
            denominator = p.mul(denominator, p.sub(p.reduce(a), p.reduce(b)));
        }
        p.mul(numerator, p.inv(denominator)) as u32
    };
    xs.iter().map(weight).collect()
}

/// `out[k][i]`: what value `i` adds to coefficient `k` of the polynomial with these values at the points `xs`, which are distinct
/// modulo `p`.
pub(crate) fn coefficients(p: &Modulus, xs: &[u64]) -> Vec<Vec<u32>> {
    let t = xs.len();
    // Π (X − x), lowest first.
    let mut master = vec![1];
    for &x in xs {
        let minus = p.sub(0, p.reduce(x));
        let mut next = vec![0; master.len() + 1];
        for (k, &c) in master.iter().enumerate() {
            next[k] = p.add(next[k], p.mul(c, minus));
            next[k + 1] = p.add(next[k + 1], c);
        }
        master = next;
    }
    let mut out = vec![vec![0; t]; t];
    for (i, &x) in xs.iter().enumerate() {
        // master / (X − x) by synthetic division, from the top; its value at x is the denominator.
        let (mut quotient, mut carry) = (vec![0; t], 0);
        for k in (0..t).rev() {
            carry = p.add(master[k + 1], p.mul(carry, p.reduce(x)));
            quotient[k] = carry;
        }
        let at_x = quotient.iter().rev().fold(0, |acc, &c| p.add(p.mul(acc, p.reduce(x)), c));
        let inverse = p.inv(at_x);
        for (row, &c) in out.iter_mut().zip(&quotient) {
            row[i] = p.mul(c, inverse) as u32;
        }
    }
    out
}

/// Fills `out` with uniform numbers below `p` from the key stream of `seed`; words not below `p` are skipped, whatever the rest.
///
/// Which words are skipped says nothing about those that are kept.
pub(crate) fn uniform(p: &Modulus, seed: &[u8; 32], index: u64, out: &mut [u16]) {
    let (mask, bound) = ((1u32 << p.bits()) as u16 - 1, p.value() as u16);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&index.to_le_bytes());
    let mut stream = ChaCha20::new(&(*seed).into(), &nonce.into());
    let mut bytes = Zeroizing::new([0u8; 1024]);
    let mut filled = 0;
    while filled < out.len() {
        bytes.fill(0);
        stream.apply_keystream(&mut *bytes);
        for word in bytes.chunks_exact(2) {
            let x = u16::from_le_bytes([word[0], word[1]]) & mask;
            out[filled] = x;
            filled += usize::from(x < bound);
            if filled == out.len() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_gives_what_was_shared() {
        let p = Modulus::new(3943).unwrap();
        for t in [2usize, 5, 33, 100] {
            let mut polynomial = vec![vec![0u16; 8]; t];
            for (j, c) in polynomial.iter_mut().enumerate() {
                uniform(&p, &[t as u8; 32], j as u64, c);
                assert!(c.iter().all(|&x| u64::from(x) < p.value()));
            }
            let rows: Vec<&[u16]> = polynomial.iter().map(Vec::as_slice).collect();
            let xs: Vec<u64> = (0..t as u64).map(|i| (3 * i + 2) % p.value()).collect();
            let at = |x: u64| {
                let mut out = vec![0; 8];
                combine(&p, &powers(&p, x, t), &rows, &mut out);
                // By definition.
                for (k, o) in out.iter().enumerate() {
                    let want = rows.iter().rev().fold(0, |acc, r| (acc * x + u64::from(r[k])) % p.value());
                    assert_eq!(u64::from(*o), want);
                }
                out
            };
            let values: Vec<Vec<u16>> = xs.iter().map(|&x| at(x)).collect();
            let values: Vec<&[u16]> = values.iter().map(Vec::as_slice).collect();
            for point in [0, 1, 500] {
                let mut got = vec![0; 8];
                combine(&p, &lagrange(&p, &xs, point), &values, &mut got);
                assert_eq!(got, at(point));
            }
            // The coefficients themselves.
            for (weights, row) in coefficients(&p, &xs).iter().zip(&polynomial) {
                let mut got = vec![0; 8];
                combine(&p, weights, &values, &mut got);
                assert_eq!(&got, row);
            }
        }
    }
}
