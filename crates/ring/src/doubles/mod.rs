//! Residues as integers in doubles, for primes below `2^50`: exact arithmetic with fused multiply-adds.
//!
//! A double holds every integer up to `2^53`, and a fused multiply-add rounds once.
//!
//! *Product by a constant.* `w` is centred, `|w| <= p/2`, and `w' = w/p` rounded is kept beside it. For an integer `a`,
//! `|a| <= 2^52`:
//!
//! ```text
//! h = round(a·w)                      l = a·w - h      exact: the error of a product is a double
//! q = (a·w' + M) - M, M = 1.5·2^52    the nearest integer to a·w': |a·w'| <= 2^51 keeps the sum within [2^52, 2^53]
//! r = (h - q·p) + l
//! ```
//!
//! `w'` is off by at most `2^-54`, so `|a·w/p - q| <= 1/2 + |a|·2^-54 <= 3/4`. `h` is an integer and
//! `|h - q·p| <= |r| + |l| <= 3/4·p + |a·w|·2^-53 <= p`, so the fused `h - q·p` is exact, and so is the last sum:
//! `r ≡ a·w` with `|r| <= (1/2 + |a|·2^-54)·p`. The product of two variables takes `q` from `h·(1/p)`:
//! `|r| <= (1/2 + |a·b|/p·2^-52)·p`, for `|a·b| <= 2^51·p`.
//!
//! *Settling.* `x - round(x/p)·p` brings any integer `|x| < 2^53` to `|x| <= (1/2 + |x|/p·2^-52)·p`.
//!
//! *Entering and leaving.* The bits of `2^52 + x` are those of `2^52` with the word `x < 2^52` in the low ones: an `or` and a
//! subtraction enter, an addition and an `xor` leave. `|r| < p` gets `p` added where its sign is set; a zero never has one,
//! since each comes from a sum of which at most one term is `-0`. For sums `|x| <= 2^51` of narrow primes
//! `q = floor((x + 1/2)/p)` is exact: rounding shifts the quotient by less than `|x|/p·2^-52 < 1/2/p`, its least distance
//! from an integer.
//!
//! No value is ever subnormal, infinite or NaN, and no branch or address depends on a residue.
//!
//! The [decision](../../../docs/decisions/0011-doubles.md) has figures and alternatives.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

pub(crate) mod avx2;
pub(crate) use avx2 as vector;

use vector::{V, add, floor, mul, mul_add, mul_sub, or, replace_negative, round, splat, sub, sub_mul, xor};

use crate::{Arithmetic, Modulus};

/// Primes above are settled more often: *wide* ones.
const NARROW_BITS: u32 = 46;
/// Widest primes.
const MAX_BITS: u32 = 50;
pub(crate) const TWO52: f64 = (1u64 << 52) as f64;
/// Adding it rounds a double of at most `2^51` to an integer.
const MAGIC: f64 = 1.5 * TWO52;

/// Whether this processor and this prime can be worked on in doubles.
pub(crate) fn supports(modulus: &Modulus) -> bool {
    modulus.bits() <= MAX_BITS && Arithmetic::Doubles.is_available()
}

/// Whether a prime has to be settled often.
pub(crate) fn is_wide(modulus: &Modulus) -> bool {
    modulus.bits() > NARROW_BITS
}

/// The centred representative of a residue.
pub(crate) fn centred(w: u64, p: u64) -> f64 {
    if w > p / 2 { -((p - w) as f64) } else { w as f64 }
}

/// A constant multiplicand `w`, centred, with `w/p`.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) w: f64,
    pub(crate) quotient: f64,
}

impl Pair {
    /// Range: `w < p`.
    pub(crate) fn new(w: u64, p: u64) -> Self {
        let w = centred(w, p);
        Self { w, quotient: w / p as f64 }
    }
}

/// A multiplicand in registers: `w` and `w/p`.
pub(crate) type W = (V, V);

/// Constants of one prime, in registers.
#[derive(Clone, Copy)]
pub(crate) struct Lane {
    pub(crate) p: V,
    /// `1/p` and `1/2/p`
    pub(crate) inverse: V,
    half: V,
    magic: V,
    pub(crate) two52: V,
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn lane(p: u64) -> Lane {
    let p = p as f64;
    Lane {
        p: splat(p),
        inverse: splat(1.0 / p),
        half: splat(0.5 / p),
        magic: splat(MAGIC),
        two52: splat(TWO52),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn both(w: Pair) -> W {
    (splat(w.w), splat(w.quotient))
}

/// Words below `2^52` as doubles, less `shift - 2^52`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn enter(x: V, shift: V, c: Lane) -> V {
    sub(or(x, c.two52), shift)
}

/// `|r| < p` to the residue as a word.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn leave(r: V, c: Lane) -> V {
    let r = replace_negative(r, add(r, c.p));
    xor(add(r, c.two52), c.two52)
}

/// A sum of at most `2^51` in size to the residue as a word.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn finish<const WIDE: bool>(x: V, c: Lane) -> V {
    if WIDE {
        return leave(settle(x, c), c);
    }
    let q = floor(mul_add(x, c.inverse, c.half));
    xor(sub_mul(q, c.p, add(x, c.two52)), c.two52)
}

/// The nearest integer to `x·y`. Range: that is at most `2^51` in size.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn nearest(x: V, y: V, c: Lane) -> V {
    sub(mul_add(x, y, c.magic), c.magic)
}

/// `x` modulo `p`, about `p/2` in size.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn settle(x: V, c: Lane) -> V {
    sub_mul(nearest(x, c.inverse, c), c.p, x)
}

/// `a·w` modulo `p`. Range: `|a| <= 2^52`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn product(a: V, w: W, c: Lane) -> V {
    let high = mul(a, w.0);
    let low = mul_sub(a, w.0, high);
    add(sub_mul(nearest(a, w.1, c), c.p, high), low)
}

/// `a·b` modulo `p`, neither known before. Range: `|a·b| <= 2^51·p`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn multiply(a: V, b: V, c: Lane) -> V {
    let high = mul(a, b);
    let low = mul_sub(a, b, high);
    add(sub_mul(nearest(high, c.inverse, c), c.p, high), low)
}

/// Adds `a·b` to a sum of two parts without an error. `high` stays between `2^k` and `2^(k+1)`, so `fma(a, b, high)` rounds to
/// a multiple of one unit, its difference to the last sum is exact, and `a·b` minus that difference is at most half a unit:
/// four operations a product.
///
/// With `k = 2·bits + log2(terms)` a unit is `2^(k-52)`: low parts stay below `terms·2^(k-53) <= 2^51`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn accumulate(high: &mut V, low: &mut V, a: V, b: V) {
    let next = mul_add(a, b, *high);
    let added = sub(next, *high);
    *low = add(*low, mul_sub(a, b, added));
    *high = next;
}

/// `high + low` modulo `p`, below `3/2·p + 2^51` in size. `high` comes without its `2^k`; its quotient can be above `2^51`, so the
/// instruction rounds it.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn fold(high: V, low: V, c: Lane) -> V {
    let q = round(mul(high, c.inverse));
    add(sub_mul(q, c.p, high), low)
}
