//! The transform on 64-bit words, for every processor and every prime up to 61 bits.
//!
//! Shoup's product takes any word and leaves less than `2p`, so a stage need not bring its words back first. Two forms:
//!
//! *Lazy*, two stages a pass, no correction before the end, where words have room for `N` to grow in:
//! forward (`x + t`, `x - t + 2p` with `t < 2p`) a bound grows by `2p` a stage, so `2^51 + p·(1 + 2·log2 N) <= 2^64` suffices;
//! inverse (`x + y`, `(x - y + B)·w`) the bound `B` of sums doubles a stage from `p`, so `2·N·p <= 2^64` does: primes of 46 bits
//! up to `N = 2^16`, of 50 up to `N = 2^13`.
//!
//! *Corrected*, for wider primes: Harvey's butterflies, words below `4p < 2^64` forward and below `2p` back, in every stage.

use super::Twiddles;
use crate::modulus::correct;
use crate::{Modulus, Shoup};

/// In place, coefficients to evaluations. Range: below `max(p, 2^51)` in, below `p` out.
pub(crate) fn forward(modulus: &Modulus, twiddles: &Twiddles, a: &mut [u64]) {
    let log_n = u128::from(a.len().trailing_zeros());
    if (1 << 51) + u128::from(modulus.value()) * (1 + 2 * log_n) <= 1 << 64 {
        forward_lazy(modulus, &twiddles.forward, a);
    } else {
        forward_corrected(modulus, &twiddles.forward, a);
    }
    transpose_squares(a);
}

/// In place, evaluations to coefficients. Range: below `p` in and out.
pub(crate) fn inverse(modulus: &Modulus, twiddles: &Twiddles, a: &mut [u64]) {
    debug_assert!(a.iter().all(|&x| x < modulus.value()));
    transpose_squares(a);
    if 2 * a.len() as u128 * u128::from(modulus.value()) <= 1 << 64 {
        inverse_lazy(modulus, &twiddles.inverse, a);
    } else {
        inverse_corrected(modulus, &twiddles.inverse, a);
    }
    for x in a.iter_mut() {
        *x = modulus.mul_shoup(*x, twiddles.n_inverse);
    }
}

/// `x + y·w` and `x - y·w`, each at most `2p` above `x`.
#[inline(always)]
fn cooley_tukey(m: &Modulus, x: &mut u64, y: &mut u64, w: Shoup) {
    let t = m.mul_shoup_lazy(*y, w);
    (*x, *y) = (*x + t, *x + 2 * m.value() - t);
}

/// `x + y`, and `(x - y)·w` below `2p`; `bound` is a multiple of `p` no smaller than `y`.
#[inline(always)]
fn gentleman_sande(m: &Modulus, x: &mut u64, y: &mut u64, w: Shoup, bound: u64) {
    (*x, *y) = (*x + *y, m.mul_shoup_lazy(*x + bound - *y, w));
}

/// Four runs of a quarter of the words each.
fn quarters(a: &mut [u64]) -> [&mut [u64]; 4] {
    let (low, high) = a.split_at_mut(a.len() / 2);
    let (first, second) = low.split_at_mut(low.len() / 2);
    let (third, fourth) = high.split_at_mut(high.len() / 2);
    [first, second, third, fourth]
}

fn forward_lazy(m: &Modulus, twiddles: &[Shoup], a: &mut [u64]) {
    let mut groups = 1;
    if a.len().trailing_zeros() % 2 == 1 {
        let (left, right) = a.split_at_mut(a.len() / 2);
        left.iter_mut().zip(right).for_each(|(x, y)| cooley_tukey(m, x, y, twiddles[1]));
        groups = 2;
    }
    while groups < a.len() {
        let length = a.len() / groups;
        for (g, group) in a.chunks_exact_mut(length).enumerate() {
            let i = groups + g;
            let (w, low, high) = (twiddles[i], twiddles[2 * i], twiddles[2 * i + 1]);
            let four = |x0: &mut u64, x1: &mut u64, x2: &mut u64, x3: &mut u64| {
                cooley_tukey(m, x0, x2, w);
                cooley_tukey(m, x1, x3, w);
                cooley_tukey(m, x0, x1, low);
                cooley_tukey(m, x2, x3, high);
            };
            if let [x0, x1, x2, x3] = group {
                four(x0, x1, x2, x3);
                continue;
            }
            let [r0, r1, r2, r3] = quarters(group);
            for (((x0, x1), x2), x3) in r0.iter_mut().zip(r1).zip(r2).zip(r3) {
                four(x0, x1, x2, x3);
            }
        }
        groups *= 4;
    }
    for x in a.iter_mut() {
        *x = m.reduce(*x);
    }
}

fn inverse_lazy(m: &Modulus, twiddles: &[Shoup], a: &mut [u64]) {
    // Sums are below the bound; products, below 2p, from the second stage on.
    let (mut groups, mut bound) = (a.len() / 4, m.value());
    while groups > 0 {
        let length = a.len() / groups;
        for (g, group) in a.chunks_exact_mut(length).enumerate() {
            let i = groups + g;
            let (w, low, high) = (twiddles[i], twiddles[2 * i], twiddles[2 * i + 1]);
            let four = |x0: &mut u64, x1: &mut u64, x2: &mut u64, x3: &mut u64| {
                gentleman_sande(m, x0, x1, low, bound);
                gentleman_sande(m, x2, x3, high, bound);
                gentleman_sande(m, x0, x2, w, 2 * bound);
                gentleman_sande(m, x1, x3, w, 2 * bound);
            };
            if let [x0, x1, x2, x3] = group {
                four(x0, x1, x2, x3);
                continue;
            }
            let [r0, r1, r2, r3] = quarters(group);
            for (((x0, x1), x2), x3) in r0.iter_mut().zip(r1).zip(r2).zip(r3) {
                four(x0, x1, x2, x3);
            }
        }
        groups /= 4;
        bound *= 4;
    }
    if a.len().trailing_zeros() % 2 == 1 {
        let (left, right) = a.split_at_mut(a.len() / 2);
        left.iter_mut().zip(right).for_each(|(x, y)| gentleman_sande(m, x, y, twiddles[1], bound));
    }
}

fn forward_corrected(modulus: &Modulus, twiddles: &[Shoup], a: &mut [u64]) {
    let two_p = 2 * modulus.value();
    for x in a.iter_mut() {
        *x = modulus.reduce(*x);
    }
    let mut groups = 1;
    while groups < a.len() {
        let stride = a.len() / groups / 2;
        for (group, &w) in a.chunks_exact_mut(2 * stride).zip(&twiddles[groups..]) {
            let (left, right) = group.split_at_mut(stride);
            for (x, y) in left.iter_mut().zip(right) {
                // Invariant: words below 4p before and after.
                *x = correct(*x, two_p);
                cooley_tukey(modulus, x, y, w);
            }
        }
        groups *= 2;
    }
    for x in a.iter_mut() {
        *x = correct(correct(*x, two_p), modulus.value());
    }
}

fn inverse_corrected(modulus: &Modulus, twiddles: &[Shoup], a: &mut [u64]) {
    let two_p = 2 * modulus.value();
    let mut groups = a.len() / 2;
    while groups > 0 {
        let stride = a.len() / groups / 2;
        for (group, &w) in a.chunks_exact_mut(2 * stride).zip(&twiddles[groups..]) {
            let (left, right) = group.split_at_mut(stride);
            for (x, y) in left.iter_mut().zip(right) {
                // Invariant: words below 2p before and after.
                gentleman_sande(modulus, x, y, w, two_p);
                *x = correct(*x, two_p);
            }
        }
        groups /= 2;
    }
}

/// Between bit-reversed order and [`super::EvaluationOrder`].
fn transpose_squares(a: &mut [u64]) {
    for square in a.chunks_exact_mut(64) {
        for row in 0..8 {
            for column in 0..row {
                square.swap(8 * row + column, 8 * column + row);
            }
        }
    }
}
