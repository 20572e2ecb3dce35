//! Residue vectors in doubles, four at a time; the arithmetic and its exactness are in [`crate::doubles`].
//!
//! Slices have one length, a multiple of eight. Products are summed as pairs of exact parts, `2^51 / 2^(2·bits - 52)` of them
//! at most before one fold: far fewer where primes are wide.
#![allow(unsafe_code)]
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use crate::doubles::vector::{self, V, add, broadcast, mul_add, or, splat, sub, zero};
use crate::doubles::{
    Lane, Pair, accumulate, both, centred, enter, finish, fold, is_wide, lane, leave, multiply, product,
    settle,
};
use crate::{Modulus, Shoup};

/// How many products are added before they are folded: narrow primes, wide primes.
const MAX_TERMS: [usize; 2] = [16, 4];
/// The same for rows of constants, which are centred and so half as large.
const ROW_TERMS: [usize; 2] = [32, 4];
/// Rows of a tile.
const ROWS: usize = 4;
/// Widest prime of which [`SHORT_TERMS`] products of a residue and a centred one are summed without an error: to less than
/// `64·2^45 = 2^51`, and a settled sum before them.
const SHORT_BITS: u32 = 23;
const SHORT_TERMS: usize = 64;

/// The constants of one prime. Built only where the processor has the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    p: u64,
    bits: u32,
    wide: bool,
}

impl Kernels {
    /// Range: [`crate::doubles::supports`] holds.
    pub(crate) fn new(modulus: &Modulus) -> Self {
        Self { p: modulus.value(), bits: modulus.bits(), wide: is_wide(modulus) }
    }

    /// `2^k` of [`accumulate`] for this many terms.
    fn base(self, terms: usize) -> f64 {
        2f64.powi((2 * self.bits + terms.next_power_of_two().trailing_zeros()) as i32)
    }
}

/// Declares safe methods that enter a `target_feature` function of the same name, for narrow primes and for wide ones.
macro_rules! enter_kernels {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*);)*) => {
        impl Kernels {
            $($(#[$doc])*
            pub(crate) fn $name(self, $($arg: $ty),*) {
                // SAFETY: `Kernels` exist only where every enabled feature was detected.
                unsafe { if self.wide { $name::<true>(self, $($arg),*) } else { $name::<false>(self, $($arg),*) } }
            })*
        }
    };
}

enter_kernels! {
    add_assign(a: &mut [u64], b: &[u64]);
    sub_assign(a: &mut [u64], b: &[u64]);
    neg_assign(a: &mut [u64]);
    mul_assign(a: &mut [u64], b: &[u64]);
    mul_into(out: &mut [u64], a: &[u64], b: &[u64]);
    mul_add_assign(acc: &mut [u64], a: &[u64], b: &[u64]);
    mul_sum(out: &mut [u64], terms: &[(&[u64], &[u64])]);
    mul_rows_add_assign(acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]);
    /// Range: below `2^52` in.
    mul_constant_assign(a: &mut [u64], w: Shoup);
    /// Range: `a` below `2^52`.
    mul_constant_add_assign(acc: &mut [u64], a: &[u64], w: Shoup);
    sub_mul_constant_assign(a: &mut [u64], b: &[u64], w: Shoup);
    lift_centred(out: &mut [u64], x: &[u64], half: u64, lift: u64);
}

/// Four words.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn words(x: &[u64]) -> V {
    debug_assert_eq!(x.len(), 4);
    // SAFETY: callers split their slices into runs of exactly four words.
    unsafe { vector::load(x.as_ptr().cast()) }
}

/// Four words below `2^52` as doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn get(x: &[u64], c: Lane) -> V {
    enter(words(x), c.two52, c)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn put(x: &mut [u64], v: V) {
    debug_assert_eq!(x.len(), 4);
    // SAFETY: as in `words`.
    unsafe { vector::store(x.as_mut_ptr().cast(), v) }
}

/// `r` below zero to `r + p`: far from 64 bits, so the sign tells.
#[inline]
fn wrap(r: i64, p: i64) -> u64 {
    (r + (p & (r >> 63))) as u64
}

#[target_feature(enable = "avx2,fma")]
fn add_assign<const WIDE: bool>(k: Kernels, a: &mut [u64], b: &[u64]) {
    let p = k.p as i64;
    for (x, y) in a.iter_mut().zip(b) {
        *x = wrap((*x + y) as i64 - p, p);
    }
}

#[target_feature(enable = "avx2,fma")]
fn sub_assign<const WIDE: bool>(k: Kernels, a: &mut [u64], b: &[u64]) {
    let p = k.p as i64;
    for (x, y) in a.iter_mut().zip(b) {
        *x = wrap(*x as i64 - *y as i64, p);
    }
}

#[target_feature(enable = "avx2,fma")]
fn neg_assign<const WIDE: bool>(k: Kernels, a: &mut [u64]) {
    let p = k.p as i64;
    for x in a {
        *x = wrap(-(*x as i64), p);
    }
}

#[target_feature(enable = "avx2,fma")]
fn lift_centred<const WIDE: bool>(_: Kernels, out: &mut [u64], x: &[u64], half: u64, lift: u64) {
    super::portable::lift_centred(out, x, half, lift);
}

#[target_feature(enable = "avx2,fma")]
fn mul_assign<const WIDE: bool>(k: Kernels, a: &mut [u64], b: &[u64]) {
    let c = lane(k.p);
    for (x, y) in a.chunks_exact_mut(4).zip(b.chunks_exact(4)) {
        put(x, leave(multiply(get(x, c), get(y, c), c), c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_into<const WIDE: bool>(k: Kernels, out: &mut [u64], a: &[u64], b: &[u64]) {
    let c = lane(k.p);
    for ((o, x), y) in out.chunks_exact_mut(4).zip(a.chunks_exact(4)).zip(b.chunks_exact(4)) {
        put(o, leave(multiply(get(x, c), get(y, c), c), c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_add_assign<const WIDE: bool>(k: Kernels, acc: &mut [u64], a: &[u64], b: &[u64]) {
    let c = lane(k.p);
    for ((o, x), y) in acc.chunks_exact_mut(4).zip(a.chunks_exact(4)).zip(b.chunks_exact(4)) {
        let sum = add(get(o, c), multiply(get(x, c), get(y, c), c));
        put(o, finish::<WIDE>(sum, c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_sum<const WIDE: bool>(k: Kernels, out: &mut [u64], terms: &[(&[u64], &[u64])]) {
    assert!(terms.iter().all(|(a, b)| a.len() == out.len() && b.len() == out.len()));
    let c = lane(k.p);
    let most = MAX_TERMS[usize::from(WIDE)];
    let base = splat(k.base(most));
    // Two vectors, a cache line, at a time.
    for (i, o) in out.chunks_exact_mut(8).enumerate() {
        let mut sum = [zero(); 2];
        for terms in terms.chunks(most) {
            let (mut high, mut low) = ([base; 2], sum);
            for (a, b) in terms {
                let (a, b) = (&a[8 * i..8 * i + 8], &b[8 * i..8 * i + 8]);
                accumulate(&mut high[0], &mut low[0], get(&a[..4], c), get(&b[..4], c));
                accumulate(&mut high[1], &mut low[1], get(&a[4..], c), get(&b[4..], c));
            }
            for (sum, (high, low)) in sum.iter_mut().zip(high.into_iter().zip(low)) {
                *sum = settle(fold(sub(high, base), low, c), c);
            }
        }
        put(&mut o[..4], leave(sum[0], c));
        put(&mut o[4..], leave(sum[1], c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_rows_add_assign<const WIDE: bool>(k: Kernels, acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]) {
    let len = acc.first().map_or(0, |row| row.len());
    assert!(w.len() == acc.len() * x.len());
    assert!(acc.iter().all(|a| a.len() == len) && x.iter().all(|x| x.len() == len));
    if x.is_empty() {
        return;
    }
    let mut weights = Vec::with_capacity(w.len());
    for w in w.chunks(ROWS * x.len()) {
        // Column by column of a tile: the order in which they are read.
        for j in 0..x.len() {
            weights.extend(w[j..].iter().step_by(x.len()).map(|&w| centred(w, k.p)));
        }
    }
    if k.bits <= SHORT_BITS {
        tiles::<WIDE, true>(k, acc, x, &weights);
    } else {
        tiles::<WIDE, false>(k, acc, x, &weights);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tiles<const WIDE: bool, const SHORT: bool>(
    k: Kernels,
    acc: &mut [&mut [u64]],
    x: &[&[u64]],
    weights: &[f64],
) {
    let c = lane(k.p);
    for at in (0..acc.first().map_or(0, |row| row.len())).step_by(4) {
        for (rows, w) in acc.chunks_mut(ROWS).zip(weights.chunks(ROWS * x.len())) {
            match rows.len() {
                ROWS => tile::<ROWS, WIDE, SHORT>(k, c, rows, x, w, at),
                3 => tile::<3, WIDE, SHORT>(k, c, rows, x, w, at),
                2 => tile::<2, WIDE, SHORT>(k, c, rows, x, w, at),
                _ => tile::<1, WIDE, SHORT>(k, c, rows, x, w, at),
            }
        }
    }
}

/// `R` rows from word `at`; weights column after column.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile<const R: usize, const WIDE: bool, const SHORT: bool>(
    k: Kernels,
    c: Lane,
    rows: &mut [&mut [u64]],
    x: &[&[u64]],
    w: &[f64],
    at: usize,
) {
    let most = if SHORT { SHORT_TERMS } else { ROW_TERMS[usize::from(WIDE)] };
    // Sums have either sign: the middle of the binade, with half as many terms to a side.
    let base = splat(1.5 * k.base(most));
    let mut sum = [zero(); R];
    for (sum, row) in sum.iter_mut().zip(rows.iter()) {
        *sum = get(&row[at..at + 4], c);
    }
    for (x, w) in x.chunks(most).zip(w.chunks(R * most)) {
        let (mut high, mut low) = ([base; R], sum);
        for (x, w) in x.iter().zip(w.chunks_exact(R)) {
            let x = get(&x[at..at + 4], c);
            for r in 0..R {
                if SHORT {
                    low[r] = mul_add(x, broadcast(&w[r]), low[r]);
                } else {
                    accumulate(&mut high[r], &mut low[r], x, broadcast(&w[r]));
                }
            }
        }
        for r in 0..R {
            let folded = if SHORT { low[r] } else { fold(sub(high[r], base), low[r], c) };
            sum[r] = settle(folded, c);
        }
    }
    for (sum, row) in sum.iter().zip(rows.iter_mut()) {
        put(&mut row[at..at + 4], finish::<WIDE>(*sum, c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_constant_assign<const WIDE: bool>(k: Kernels, a: &mut [u64], w: Shoup) {
    let (c, w) = (lane(k.p), both(Pair::new(w.value, k.p)));
    for x in a.chunks_exact_mut(4) {
        put(x, leave(product(get(x, c), w, c), c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn mul_constant_add_assign<const WIDE: bool>(k: Kernels, acc: &mut [u64], a: &[u64], w: Shoup) {
    let (c, w) = (lane(k.p), both(Pair::new(w.value, k.p)));
    for (o, x) in acc.chunks_exact_mut(4).zip(a.chunks_exact(4)) {
        put(o, finish::<WIDE>(add(get(o, c), product(get(x, c), w, c)), c));
    }
}

#[target_feature(enable = "avx2,fma")]
fn sub_mul_constant_assign<const WIDE: bool>(k: Kernels, a: &mut [u64], b: &[u64], w: Shoup) {
    let (c, w) = (lane(k.p), both(Pair::new(w.value, k.p)));
    for (x, y) in a.chunks_exact_mut(4).zip(b.chunks_exact(4)) {
        let difference = sub(or(words(x), c.two52), or(words(y), c.two52));
        put(x, leave(product(difference, w, c), c));
    }
}
