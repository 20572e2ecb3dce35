//! The transform on vectors of eight 52-bit words, with AVX-512 IFMA and no correction inside the stages.
//!
//! All arithmetic is modulo `2^52`: the multiply-add instructions read the low 52 bits of a word and ignore
//! the rest, so words may carry anything above bit 51 until they are masked at the end. What has to stay below
//! `2^52` is each word's *true* value.
//!
//! Shoup's product, with `w' = floor(w·2^52/p)`, `y < 2^52` and `q = floor(y·w'/2^52)`: `y·w - q·p` lies in
//! `[0, 2p)`, since rounding `w'` and the floor each cost less than one `p`.
//!
//! *Forward* (Cooley–Tukey: `u + t`, `u - t` with `t = y·w - q·p`). The product is accumulated onto `u`, and the difference is
//! `2u` less the sum: five operations on vectors. A stage moves a word by less than `2p`, up or down. Words enter below `2^51`, and room is
//! added below them for `k = log2 N` stages. *Loose*: `2k·p` below and above, `4k·p <= 2^51`, which at `N = 8192` primes of 45
//! bits meet. *Tight*, for larger primes: after a pass each word is moved back from the middle of where it can be, and in the last
//! three stages `t` is less by `p`, so that it lies in `[-p, p)`; then no word is further than `k·p` from where it entered,
//! also within a pass: after `s` stages that were moved back, `m` more make at most `s + 2m`, and `m <= 4` early, `m = 3` after
//! `s = k - 6`. So `2k·p <= 2^51` suffices, which every 46-bit prime meets up to `N = 2^16`.
//!
//! *Inverse* (Gentleman–Sande: `x + y`, `(x - y + room)·w`). Sums double a stage, products fall back to `2p`; no word reaches
//! `64p` before the end of its pass, where those that are too large for the next one are reduced to `2p`. So `64p <= 2^52` is needed:
//! primes of at most 46 bits.
//!
//! Layout: passes of radix 16 or less bring the data to blocks of 64 words, each an 8×8 square of vectors; the
//! last three strides (4, 2, 1) run across vectors after a transposition, with one twiddle a lane.
#![allow(unsafe_code)]
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_min_epu64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_storeu_si512,
    _mm512_sub_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

mod forward;
mod inverse;

use super::Twiddles;
use crate::buffer::Line;
use crate::{Arithmetic, Modulus};

/// Smallest degree these kernels serve: one pass of radix 16 over blocks of 64.
const MIN_LOG_N: u32 = 10;
/// Vectors between the tail twiddles of two 64-blocks: seven pairs.
const TAIL: usize = 7 * 2;
/// The stride of a pass of radix 16 over a run of 1,024 words: known while compiling, it makes addresses that need no arithmetic.
const RUN: usize = 64;
/// A stride that is not known before.
const ANY: usize = 0;

/// Twiddle factors with 52-bit Shoup quotients.
pub(crate) struct Tables {
    n: usize,
    p: u64,
    forward: Direction,
    inverse: Direction,
    /// `N^-1` times the first twiddles of the inverse, the first of which is 1.
    scaled: Box<[(u64, u64); 16]>,
}

/// One direction's twiddles: broadcast ones by index, and those of the last three strides a lane each.
struct Direction {
    value: Vec<u64>,
    quotient: Vec<u64>,
    /// A 64-block's seven (value, quotient) vector pairs: stride 4, stride 2 (two), stride 1 (four).
    tail: Vec<Line>,
}

/// Whether this processor and this prime can use the kernels; see the module text for the bound.
fn supports(modulus: &Modulus, log_n: u32) -> bool {
    log_n >= MIN_LOG_N
        && modulus.bits() <= 46
        && u64::from(2 * log_n) * modulus.value() <= 1 << 51
        && Arithmetic::Ifma.is_available()
}

fn quotient52(w: u64, p: u64) -> u64 {
    ((u128::from(w) << 52) / u128::from(p)) as u64
}

impl Direction {
    fn new(value: Vec<u64>, p: u64) -> Self {
        let n = value.len();
        let quotient: Vec<u64> = value.iter().map(|&w| quotient52(w, p)).collect();
        let mut tail = Vec::with_capacity(n / 64 * TAIL);
        for block in 0..n / 64 {
            // Lane k of a vector belongs to row k of the block's square.
            let starts = std::iter::once((n / 8 + 8 * block, 1))
                .chain((0..2).map(|j| (n / 4 + 16 * block + j, 2)))
                .chain((0..4).map(|j| (n / 2 + 32 * block + j, 4)));
            for (start, step) in starts {
                for table in [&value, &quotient] {
                    tail.push(Line(std::array::from_fn(|k| table[start + k * step])));
                }
            }
        }
        Self { value, quotient, tail }
    }
}

impl Tables {
    /// The tables, where processor, prime and degree allow.
    pub(crate) fn new(modulus: &Modulus, twiddles: &Twiddles) -> Option<Self> {
        let (p, n) = (modulus.value(), twiddles.forward.len());
        if !supports(modulus, n.trailing_zeros()) {
            return None;
        }
        let direction = |t: &[crate::Shoup]| Direction::new(t.iter().map(|w| w.value).collect(), p);
        let n_inverse = twiddles.n_inverse.value;
        let scaled = Box::new(std::array::from_fn(|i| {
            let w = modulus.mul(n_inverse, twiddles.inverse[i].value);
            (w, quotient52(w, p))
        }));
        Some(Self {
            n,
            p,
            forward: direction(&twiddles.forward),
            inverse: direction(&twiddles.inverse),
            scaled,
        })
    }

    /// In place, coefficients to evaluations. Range: below `2^51` in, below `p` out.
    pub(crate) fn forward(&self, a: &mut [u64]) {
        assert_eq!(a.len(), self.n, "transform of another length");
        debug_assert!(a.iter().all(|&x| x < 1 << 51));
        // SAFETY: `Tables` are built only where `supports` saw every enabled feature; the length was checked.
        unsafe { forward::all(self, a.as_mut_ptr()) }
    }

    /// In place, evaluations to coefficients. Range: below `p` in and out.
    pub(crate) fn inverse(&self, a: &mut [u64]) {
        assert_eq!(a.len(), self.n, "transform of another length");
        debug_assert!(a.iter().all(|&x| x < self.p));
        // SAFETY: as in `forward`.
        unsafe { inverse::all(self, a.as_mut_ptr()) }
    }
}

/// Constants of one prime, in registers.
#[derive(Clone, Copy)]
struct Lane {
    /// `2^52 - p`: adding its multiples subtracts multiples of `p` modulo `2^52`.
    neg_p: __m512i,
    /// `-p` as a 64-bit word.
    minus_p: __m512i,
    p: __m512i,
    /// `floor(2^52 / p)`
    ratio: __m512i,
    mask: __m512i,
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
fn lane(p: u64) -> Lane {
    Lane {
        neg_p: splat((1 << 52) - p),
        minus_p: splat(p.wrapping_neg()),
        p: splat(p),
        ratio: splat((1 << 52) / p),
        mask: splat((1 << 52) - 1),
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(p: *const u64) -> __m512i {
    // SAFETY: the caller passes a pointer to eight readable words.
    unsafe { _mm512_loadu_si512(p.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(p: *mut u64, v: __m512i) {
    // SAFETY: the caller passes a pointer to eight writable words.
    unsafe { _mm512_storeu_si512(p.cast(), v) }
}

/// `acc + y·w - q·p` modulo `2^52`: `acc` and a number in `[0, 2p)`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn product(acc: __m512i, y: __m512i, w: __m512i, quotient: __m512i, c: Lane) -> __m512i {
    let q = _mm512_madd52hi_epu64(_mm512_setzero_si512(), y, quotient);
    let low = _mm512_madd52lo_epu64(acc, y, w);
    _mm512_madd52lo_epu64(low, q, c.neg_p)
}

/// `u mod p` lazily, in `[0, 2p)` modulo `2^52`, for any true value of `u` below `2^52`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce(u: __m512i, c: Lane) -> __m512i {
    let q = _mm512_madd52hi_epu64(_mm512_setzero_si512(), u, c.ratio);
    _mm512_madd52lo_epu64(u, q, c.neg_p)
}

/// From `[0, 2p)` modulo `2^52` to the residue.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn finish(u: __m512i, c: Lane) -> __m512i {
    let x = _mm512_and_si512(u, c.mask);
    _mm512_min_epu64(x, _mm512_sub_epi64(x, c.p))
}

impl Direction {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn broadcast(&self, i: usize) -> (__m512i, __m512i) {
        debug_assert!(i < self.value.len());
        // SAFETY: stage and group indices stay below N, the tables' length.
        unsafe { (splat(*self.value.as_ptr().add(i)), splat(*self.quotient.as_ptr().add(i))) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn lanes(&self, block: usize, pair: usize) -> (__m512i, __m512i) {
        debug_assert!((block + 1) * TAIL <= self.tail.len() && pair < 7);
        // SAFETY: `block < N/64` and `pair < 7`, within the table of N/64 · TAIL vectors.
        unsafe {
            let t = self.tail.as_ptr().add(block * TAIL + pair * 2);
            (load(t.cast()), load(t.add(1).cast()))
        }
    }
}

/// Radices of the passes above the 1,024-word runs, first to last.
///
/// Rows of these passes are a multiple of 8 KiB apart and so fall into one set of the first-level cache, which has eight to twelve
/// ways: sixteen of them push each other out, and one pass of radix 16 takes longer than two of radix 4.
fn top_passes(log_n: u32) -> [Option<usize>; 2] {
    match log_n - MIN_LOG_N {
        0 => [None, None],
        s @ 1..=3 => [Some(1 << s), None],
        s => [Some(1 << s.div_ceil(2)), Some(1 << (s / 2))],
    }
}

/// The transpose of an 8×8 square of words.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
    let mut t = r;
    for i in 0..4 {
        t[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
    }
    // Now t[2i + e] holds, in 128-bit part m, the words (row 2i, column 2m + e) and (row 2i + 1, same column).
    let mut u = t;
    for half in 0..2 {
        for e in 0..2 {
            let (a, b) = (t[4 * half + e], t[4 * half + 2 + e]);
            u[4 * half + e] = _mm512_shuffle_i64x2::<0x88>(a, b); // parts 0 and 2 of each
            u[4 * half + 2 + e] = _mm512_shuffle_i64x2::<0xdd>(a, b); // parts 1 and 3 of each
        }
    }
    let mut out = u;
    for e in 0..2 {
        for s in 0..2 {
            let (a, b) = (u[2 * s + e], u[4 + 2 * s + e]);
            out[2 * s + e] = _mm512_shuffle_i64x2::<0x88>(a, b);
            out[4 + 2 * s + e] = _mm512_shuffle_i64x2::<0xdd>(a, b);
        }
    }
    out
}
