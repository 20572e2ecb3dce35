//! Residue vectors with AVX-512 IFMA, for primes of at most 46 bits.
//!
//! Products of two residues stay as a pair of 52-bit halves, so that several can be added before one Barrett
//! reduction. With `p` of `b` bits and a sum `x < 2^(50+b)` (so up to `2^(50-b) >= 16` products), let
//! `c = floor(x / 2^(b-2)) < 2^52` and `mu = floor(2^(50+b) / p) < 2^51`; then `q = floor(c·mu / 2^52)` leaves
//! `x - q·p` in `[0, 3p)`, by the argument in [`crate::Modulus`].
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_cvtsi64_si128, _mm_prefetch, _mm512_add_epi64, _mm512_and_si512,
    _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_min_epu64, _mm512_or_si512,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_sll_epi64, _mm512_srl_epi64, _mm512_srli_epi64,
    _mm512_storeu_si512, _mm512_sub_epi64,
};

use super::{MAX_ROW_TERMS, MAX_TERMS, portable};
use crate::{Modulus, Shoup};

/// The constants of one prime. Built only where the processor has the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    p: u64,
    bits: u32,
    /// `floor(2^(50+bits) / p)`
    ratio: u64,
}

/// The same constants in registers.
#[derive(Clone, Copy)]
struct Lane {
    p: __m512i,
    two_p: __m512i,
    neg_p: __m512i,
    ratio: __m512i,
    mask: __m512i,
    bits: u32,
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[u64]) -> __m512i {
    debug_assert_eq!(x.len(), 8);
    // SAFETY: callers split their slices into runs of exactly eight words.
    unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(x: &mut [u64], v: __m512i) {
    debug_assert_eq!(x.len(), 8);
    // SAFETY: as in `load`.
    unsafe { _mm512_storeu_si512(x.as_mut_ptr().cast(), v) }
}

impl Lane {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(k: Kernels) -> Self {
        Self {
            p: splat(k.p),
            two_p: splat(2 * k.p),
            neg_p: splat((1 << 52) - k.p),
            ratio: splat(k.ratio),
            mask: splat((1 << 52) - 1),
            bits: k.bits,
        }
    }

    /// `x` below `2p` to the residue.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn correct(self, x: __m512i) -> __m512i {
        _mm512_min_epu64(x, _mm512_sub_epi64(x, self.p))
    }

    /// `hi·2^52 + lo mod p`. Range: the sum is below `2^(50+bits)`; `lo` may exceed 52 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(self, hi: __m512i, lo: __m512i) -> __m512i {
        let zero = _mm512_setzero_si512();
        let hi = _mm512_add_epi64(hi, _mm512_srli_epi64::<52>(lo));
        let lo = _mm512_and_si512(lo, self.mask);
        let up = _mm_cvtsi64_si128(i64::from(54 - self.bits));
        let down = _mm_cvtsi64_si128(i64::from(self.bits - 2));
        let c = _mm512_or_si512(_mm512_sll_epi64(hi, up), _mm512_srl_epi64(lo, down));
        let q = _mm512_madd52hi_epu64(zero, c, self.ratio);
        let r = _mm512_and_si512(_mm512_madd52lo_epu64(lo, q, self.neg_p), self.mask);
        self.correct(_mm512_min_epu64(r, _mm512_sub_epi64(r, self.two_p)))
    }

    /// `x·w mod p` for a constant `w`. Range: `x < 2^52`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn mul_constant(self, x: __m512i, w: (__m512i, __m512i)) -> __m512i {
        let zero = _mm512_setzero_si512();
        let q = _mm512_madd52hi_epu64(zero, x, w.1);
        let r = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, x, w.0), q, self.neg_p);
        self.correct(_mm512_and_si512(r, self.mask))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn constant(w: Shoup) -> (__m512i, __m512i) {
    // floor(w·2^52/p) is floor(w·2^64/p) without its 12 lowest bits.
    (splat(w.value), splat(w.quotient >> 12))
}

/// `floor(w·2^64/p)`, shifted to what [`Lane::mul_constant`] takes, of `w = 2^52 mod p`.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_constant(p: u64) -> (__m512i, __m512i) {
    let value = (1 << 52) % p;
    (splat(value), splat(((u128::from(value) << 52) / u128::from(p)) as u64))
}

/// Declares safe methods that enter a `target_feature` function of the same name.
macro_rules! enter {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*);)*) => {
        impl Kernels {
            $($(#[$doc])*
            pub(crate) fn $name(self, $($arg: $ty),*) {
                // SAFETY: `Kernels` exist only where every enabled feature was detected.
                unsafe { $name(self, $($arg),*) }
            })*
        }
    };
}

enter! {
    add_assign(a: &mut [u64], b: &[u64]);
    sub_assign(a: &mut [u64], b: &[u64]);
    neg_assign(a: &mut [u64]);
    mul_assign(a: &mut [u64], b: &[u64]);
    mul_into(out: &mut [u64], a: &[u64], b: &[u64]);
    mul_add_assign(acc: &mut [u64], a: &[u64], b: &[u64]);
    /// At most [`MAX_TERMS`] terms.
    mul_sum(out: &mut [u64], terms: &[(&[u64], &[u64])]);
    /// At most [`MAX_TERMS`] terms.
    mul_sums(out: [&mut [u64]; 2], x: &[&[u64]], y: [&[&[u64]]; 2]);
    /// At most [`MAX_ROW_TERMS`] rows of `x`.
    mul_rows_add_assign(acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]);
    mul_constant_assign(a: &mut [u64], w: Shoup);
    mul_constant_add_assign(acc: &mut [u64], a: &[u64], w: Shoup);
    sub_mul_constant_assign(a: &mut [u64], b: &[u64], w: Shoup);
    lift_centred(out: &mut [u64], x: &[u64], half: u64, lift: u64);
}

impl Kernels {
    /// Range: `modulus` has at most 46 bits and the processor has AVX-512 IFMA (see `ntt::ifma::supports`).
    pub(crate) fn new(modulus: &Modulus) -> Self {
        let ratio = ((1u128 << (50 + modulus.bits())) / u128::from(modulus.value())) as u64;
        Self { p: modulus.value(), bits: modulus.bits(), ratio }
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn add_assign(k: Kernels, a: &mut [u64], b: &[u64]) {
    portable::add_assign(k.p, a, b);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn sub_assign(k: Kernels, a: &mut [u64], b: &[u64]) {
    portable::sub_assign(k.p, a, b);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn neg_assign(k: Kernels, a: &mut [u64]) {
    portable::neg_assign(k.p, a);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn lift_centred(_: Kernels, out: &mut [u64], x: &[u64], half: u64, lift: u64) {
    portable::lift_centred(out, x, half, lift);
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_assign(k: Kernels, a: &mut [u64], b: &[u64]) {
    let (c, zero) = (Lane::new(k), _mm512_setzero_si512());
    for (x, y) in a.chunks_exact_mut(8).zip(b.chunks_exact(8)) {
        let (u, v) = (load(x), load(y));
        store(x, c.reduce(_mm512_madd52hi_epu64(zero, u, v), _mm512_madd52lo_epu64(zero, u, v)));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_into(k: Kernels, out: &mut [u64], a: &[u64], b: &[u64]) {
    let (c, zero) = (Lane::new(k), _mm512_setzero_si512());
    for ((o, x), y) in out.chunks_exact_mut(8).zip(a.chunks_exact(8)).zip(b.chunks_exact(8)) {
        let (u, v) = (load(x), load(y));
        store(o, c.reduce(_mm512_madd52hi_epu64(zero, u, v), _mm512_madd52lo_epu64(zero, u, v)));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_add_assign(k: Kernels, acc: &mut [u64], a: &[u64], b: &[u64]) {
    let (c, zero) = (Lane::new(k), _mm512_setzero_si512());
    for ((o, x), y) in acc.chunks_exact_mut(8).zip(a.chunks_exact(8)).zip(b.chunks_exact(8)) {
        let (u, v) = (load(x), load(y));
        let lo = _mm512_madd52lo_epu64(load(o), u, v);
        store(o, c.reduce(_mm512_madd52hi_epu64(zero, u, v), lo));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_sum(k: Kernels, out: &mut [u64], terms: &[(&[u64], &[u64])]) {
    assert!(terms.len() <= MAX_TERMS, "more products than one reduction can take");
    assert!(terms.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    let c = Lane::new(k);
    for (i, o) in out.chunks_exact_mut(8).enumerate() {
        let (mut hi, mut lo) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (a, b) in terms {
            let (u, v) = (load(&a[8 * i..8 * i + 8]), load(&b[8 * i..8 * i + 8]));
            hi = _mm512_madd52hi_epu64(hi, u, v);
            lo = _mm512_madd52lo_epu64(lo, u, v);
        }
        store(o, c.reduce(hi, lo));
    }
}

/// Words between what [`mul_sums_of`] reads and what it asks for: keys come from far away.
const AHEAD: usize = 128;

/// A loop of its own for each of the usual numbers of terms.
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_sums(k: Kernels, out: [&mut [u64]; 2], x: &[&[u64]], y: [&[&[u64]]; 2]) {
    match (x, y) {
        ([x], [[b], [a]]) => mul_sums_of(k, out, [*x], [[*b], [*a]]),
        ([x0, x1], [[b0, b1], [a0, a1]]) => mul_sums_of(k, out, [*x0, *x1], [[*b0, *b1], [*a0, *a1]]),
        ([x0, x1, x2], [[b0, b1, b2], [a0, a1, a2]]) => {
            mul_sums_of(k, out, [*x0, *x1, *x2], [[*b0, *b1, *b2], [*a0, *a1, *a2]]);
        }
        _ => {
            for (out, y) in out.into_iter().zip(y) {
                let terms: Vec<_> = x.iter().copied().zip(y.iter().copied()).collect();
                mul_sum(k, out, &terms);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_sums_of<const T: usize>(k: Kernels, out: [&mut [u64]; 2], x: [&[u64]; T], y: [[&[u64]; T]; 2]) {
    let (c, zero, [first, second]) = (Lane::new(k), _mm512_setzero_si512(), out);
    let len = first.len();
    assert!(x.iter().chain(y.iter().flatten()).all(|v| v.len() == len));
    for (i, (first, second)) in first.chunks_exact_mut(8).zip(second.chunks_exact_mut(8)).enumerate() {
        let at = 8 * i;
        let (mut hi, mut lo) = ([zero; 2], [zero; 2]);
        for t in 0..T {
            let u = load(&x[t][at..at + 8]);
            for h in 0..2 {
                // Behind the end it asks for nothing that is read.
                _mm_prefetch::<_MM_HINT_T0>(y[h][t].as_ptr().wrapping_add(at + AHEAD).cast());
                let v = load(&y[h][t][at..at + 8]);
                hi[h] = _mm512_madd52hi_epu64(hi[h], u, v);
                lo[h] = _mm512_madd52lo_epu64(lo[h], u, v);
            }
        }
        store(first, c.reduce(hi[0], lo[0]));
        store(second, c.reduce(hi[1], lo[1]));
    }
}

/// Words of a tile: two vectors.
const TILE: usize = 16;
/// Rows of a tile.
const ROWS: usize = 4;
/// Widest prime of which a product of two residues has no high half.
const SHORT_BITS: u32 = 26;

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_rows_add_assign(k: Kernels, acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]) {
    if k.bits <= SHORT_BITS { rows::<true>(k, acc, x, w) } else { rows::<false>(k, acc, x, w) }
}

/// Sums of products stay as pairs of halves in registers over all of `x`, then are reduced once. With at most
/// [`MAX_ROW_TERMS`] products of residues below `2^46` and one residue, the low halves sum up to less than `2^64`, the
/// high ones with the carry of the low ones to less than `2^52`. High halves of `SHORT` primes are zero before the carry.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn rows<const SHORT: bool>(k: Kernels, acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]) {
    let len = acc.first().map_or(0, |row| row.len());
    assert!(x.len() <= MAX_ROW_TERMS && w.len() == acc.len() * x.len());
    assert!(acc.iter().all(|a| a.len() == len) && x.iter().all(|x| x.len() == len));
    let (c, fold) = (Lane::new(k), fold_constant(k.p));
    for at in (0..len).step_by(TILE) {
        let end = (at + TILE).min(len);
        for (rows, w) in acc.chunks_mut(ROWS).zip(w.chunks(ROWS * x.len().max(1))) {
            match (rows.len(), end - at) {
                (ROWS, TILE) => tile::<ROWS, 2, SHORT>(&c, fold, rows, x, w, at),
                (_, TILE) => rows.chunks_mut(1).zip(w.chunks(x.len())).for_each(|(row, w)| {
                    tile::<1, 2, SHORT>(&c, fold, row, x, w, at);
                }),
                _ => rows.chunks_mut(1).zip(w.chunks(x.len())).for_each(|(row, w)| {
                    tile::<1, 1, SHORT>(&c, fold, row, x, w, at);
                }),
            }
        }
    }
}

/// `R` rows by `V` vectors from word `at`; weights row after row.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn tile<const R: usize, const V: usize, const SHORT: bool>(
    c: &Lane,
    fold: (__m512i, __m512i),
    rows: &mut [&mut [u64]],
    x: &[&[u64]],
    w: &[u64],
    at: usize,
) {
    let zero = _mm512_setzero_si512();
    let (mut lo, mut hi) = ([[zero; V]; R], [[zero; V]; R]);
    for (r, row) in rows.iter().enumerate().take(R) {
        for (v, lo) in lo[r].iter_mut().enumerate() {
            *lo = load(&row[at + 8 * v..at + 8 * v + 8]);
        }
    }
    for (j, x) in x.iter().enumerate() {
        let mut values = [zero; V];
        for (v, value) in values.iter_mut().enumerate() {
            *value = load(&x[at + 8 * v..at + 8 * v + 8]);
        }
        for r in 0..R {
            let weight = splat(w[r * (w.len() / R) + j]);
            for v in 0..V {
                if !SHORT {
                    hi[r][v] = _mm512_madd52hi_epu64(hi[r][v], values[v], weight);
                }
                lo[r][v] = _mm512_madd52lo_epu64(lo[r][v], values[v], weight);
            }
        }
    }
    for (r, row) in rows.iter_mut().enumerate().take(R) {
        for v in 0..V {
            let high = _mm512_add_epi64(hi[r][v], _mm512_srli_epi64::<52>(lo[r][v]));
            let low = _mm512_and_si512(lo[r][v], c.mask);
            let sum = _mm512_add_epi64(low, c.mul_constant(high, fold));
            store(&mut row[at + 8 * v..at + 8 * v + 8], c.reduce(zero, sum));
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_constant_assign(k: Kernels, a: &mut [u64], w: Shoup) {
    let (c, w) = (Lane::new(k), constant(w));
    for x in a.chunks_exact_mut(8) {
        store(x, c.mul_constant(load(x), w));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_constant_add_assign(k: Kernels, acc: &mut [u64], a: &[u64], w: Shoup) {
    let (c, w) = (Lane::new(k), constant(w));
    for (o, x) in acc.chunks_exact_mut(8).zip(a.chunks_exact(8)) {
        store(o, c.correct(_mm512_add_epi64(load(o), c.mul_constant(load(x), w))));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn sub_mul_constant_assign(k: Kernels, a: &mut [u64], b: &[u64], w: Shoup) {
    let (c, w) = (Lane::new(k), constant(w));
    for (x, y) in a.chunks_exact_mut(8).zip(b.chunks_exact(8)) {
        let difference = _mm512_sub_epi64(_mm512_add_epi64(load(x), c.p), load(y));
        store(x, c.mul_constant(difference, w));
    }
}
