//! The transform on 64-bit words, for every processor and every prime up to 61 bits.
//!
//! Harvey's lazy butterflies: with `p < 2^62`, words stay below `4p < 2^64` through all stages.

use super::Twiddles;
use crate::Modulus;
use crate::modulus::correct;

/// In place, coefficients to evaluations. Range: any words in, below `p` out.
pub(crate) fn forward(modulus: &Modulus, twiddles: &Twiddles, a: &mut [u64]) {
    let two_p = 2 * modulus.value();
    for x in a.iter_mut() {
        *x = modulus.reduce(*x);
    }
    let mut groups = 1;
    while groups < a.len() {
        let stride = a.len() / groups / 2;
        for (group, &w) in a.chunks_exact_mut(2 * stride).zip(&twiddles.forward[groups..]) {
            let (left, right) = group.split_at_mut(stride);
            for (x, y) in left.iter_mut().zip(right) {
                // Invariant: words below 4p before and after.
                let u = correct(*x, two_p);
                let v = modulus.mul_shoup_lazy(*y, w);
                *x = u + v;
                *y = u + two_p - v;
            }
        }
        groups *= 2;
    }
    for x in a.iter_mut() {
        *x = correct(correct(*x, two_p), modulus.value());
    }
    transpose_squares(a);
}

/// In place, evaluations to coefficients. Range: below `p` in and out.
pub(crate) fn inverse(modulus: &Modulus, twiddles: &Twiddles, a: &mut [u64]) {
    debug_assert!(a.iter().all(|&x| x < modulus.value()));
    let two_p = 2 * modulus.value();
    transpose_squares(a);
    let mut groups = a.len() / 2;
    while groups > 0 {
        let stride = a.len() / groups / 2;
        for (group, &w) in a.chunks_exact_mut(2 * stride).zip(&twiddles.inverse[groups..]) {
            let (left, right) = group.split_at_mut(stride);
            for (x, y) in left.iter_mut().zip(right) {
                // Invariant: words below 2p before and after.
                let (u, v) = (*x, *y);
                *x = correct(u + v, two_p);
                *y = modulus.mul_shoup_lazy(u + two_p - v, w);
            }
        }
        groups /= 2;
    }
    for x in a.iter_mut() {
        *x = modulus.mul_shoup(*x, twiddles.n_inverse);
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
