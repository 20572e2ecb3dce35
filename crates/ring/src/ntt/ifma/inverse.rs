//! Evaluations to coefficients: `x + y`, `(x - y + room)·w`, with as few multiply-adds as there can be: those are what the
//! time goes to.
//!
//! A pass of radix `R` takes words below `64p/R`, so that its sums stay below `64p`. Where it ends, the word at place `r` has been summed
//! since its last product as often as there are zeros above the highest one among the binary digits of `r`; most places are small enough
//! for the next pass as they are, from a few a multiple of `p` is taken off, and place 0 is reduced.
//!
//! The factor `N^-1` goes into the twiddles of the last pass, at the first product that a word meets. Only place 0 meets none and is
//! multiplied by it.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_min_epu64, _mm512_setzero_si512, _mm512_sub_epi64,
};

use super::{ANY, Lane, RUN, Tables, lane, load, product, reduce, splat, store, top_passes, transpose};

/// Where in the transform a pass works: group `group` of `groups`.
type Place = (usize, usize);

/// No next pass: this is the last one.
const LAST: usize = 0;

/// The butterfly on `v[x]`, `v[y]`; `room` is a multiple of `p` no smaller than `v[y]`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn gentleman_sande<const R: usize>(
    v: &mut [__m512i; R],
    x: usize,
    y: usize,
    w: (__m512i, __m512i),
    room: __m512i,
    c: Lane,
) {
    let difference = _mm512_sub_epi64(_mm512_add_epi64(v[x], room), v[y]);
    v[x] = _mm512_add_epi64(v[x], v[y]);
    v[y] = product(_mm512_setzero_si512(), difference, w.0, w.1, c);
}

/// Stage `S` of a pass on `R` vectors, whose words are below `64p >> S + 1`; `NEXT` is the radix of the pass after it.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn stage<const R: usize, const S: usize, const NEXT: usize>(
    t: &Tables,
    v: &mut [__m512i; R],
    (groups, group): Place,
    c: Lane,
) {
    let (half, room) = (R >> (S + 1), splat((64 >> (S + 1)) * t.p));
    for g in 0..1usize << S {
        // SAFETY: the index is below twice the number of groups of this stage, at most N.
        let w = unsafe { t.inverse.broadcast(((groups + group) << S) + g) };
        for r in 0..half {
            let (x, y) = (2 * g * half + r, 2 * g * half + r + half);
            if r == 0 && NEXT == LAST {
                let (value, quotient) = t.scaled[(1 << S) + g];
                gentleman_sande(v, x, y, (splat(value), splat(quotient)), room, c);
            } else {
                gentleman_sande(v, x, y, w, room, c);
            }
        }
    }
}

/// Takes `p << k` off the words that reach it, at those places from 1 on where any may. Range: masked words.
///
/// A word is below `2p` after a product, and below twice that for each sum since: places from 1 to `R >> k` have seen `k` or more.
#[inline]
#[target_feature(enable = "avx512f")]
fn take_off<const R: usize>(v: &mut [__m512i; R], p: u64, k: usize) {
    let multiple = splat(p << k);
    for (r, x) in v.iter_mut().enumerate() {
        if r > 0 && r < R >> k {
            *x = _mm512_min_epu64(*x, _mm512_sub_epi64(*x, multiple));
        }
    }
}

/// Ends a pass that another one follows, which takes words below `64p/NEXT`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn settle<const R: usize, const NEXT: usize>(t: &Tables, v: &mut [__m512i; R], c: Lane) {
    v[0] = reduce(v[0], c);
    let taken = (64 / NEXT.max(1)).trailing_zeros() as usize;
    for (r, x) in v.iter_mut().enumerate() {
        if r > 0 && r < R >> taken {
            *x = _mm512_and_si512(*x, c.mask);
        }
    }
    for k in (taken..R.trailing_zeros() as usize).rev() {
        take_off(v, t.p, k);
    }
}

/// Ends the last pass: every word to its residue.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
fn finish<const R: usize>(t: &Tables, v: &mut [__m512i; R], c: Lane) {
    let (value, quotient) = t.scaled[0];
    v[0] = product(_mm512_setzero_si512(), v[0], splat(value), splat(quotient), c);
    for x in v.iter_mut() {
        *x = _mm512_and_si512(*x, c.mask);
    }
    for k in (1..R.trailing_zeros() as usize).rev() {
        take_off(v, t.p, k);
    }
    for x in v.iter_mut() {
        *x = _mm512_min_epu64(*x, _mm512_sub_epi64(*x, c.p));
    }
}

/// One pass of radix `R` over a group of `groups`; `NEXT` is the radix of the pass after it.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn pass<const R: usize, const STRIDE: usize, const NEXT: usize>(
    t: &Tables,
    a: *mut u64,
    place: Place,
    c: Lane,
) {
    let stride = if STRIDE == ANY { t.n / place.0 / R } else { STRIDE };
    // SAFETY: the group spans R·stride words from its base, all within the N words of `a`.
    unsafe {
        let base = a.add(place.1 * R * stride);
        for j in (0..stride).step_by(8) {
            let mut v = [_mm512_setzero_si512(); R];
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(r * stride + j));
            }
            if R >= 16 {
                stage::<R, 3, NEXT>(t, &mut v, place, c);
            }
            if R >= 8 {
                stage::<R, 2, NEXT>(t, &mut v, place, c);
            }
            if R >= 4 {
                stage::<R, 1, NEXT>(t, &mut v, place, c);
            }
            stage::<R, 0, NEXT>(t, &mut v, place, c);
            if NEXT == LAST {
                finish(t, &mut v, c);
            } else {
                settle::<R, NEXT>(t, &mut v, c);
            }
            for (r, x) in v.iter().enumerate() {
                store(base.add(r * stride + j), *x);
            }
        }
    }
}

/// The whole transform of the `N` words at `a`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
pub(super) unsafe fn all(t: &Tables, a: *mut u64) {
    // SAFETY: each chain of passes covers exactly the N words of `a`: 1,024 times the product of its radices above the runs.
    unsafe {
        match top_passes(t.n.trailing_zeros()) {
            [None, _] => runs::<LAST>(t, a),
            [Some(2), None] => one::<2>(t, a),
            [Some(4), None] => one::<4>(t, a),
            [Some(_), None] => one::<8>(t, a),
            [Some(4), Some(_)] => two::<4, 4>(t, a),
            [Some(_), Some(4)] => two::<8, 4>(t, a),
            [Some(_), Some(_)] => two::<8, 8>(t, a),
        }
    }
}

/// The runs of 1,024 words, then one pass above them.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn one<const R: usize>(t: &Tables, a: *mut u64) {
    // SAFETY: the caller's.
    unsafe {
        runs::<R>(t, a);
        pass::<R, ANY, LAST>(t, a, (1, 0), lane(t.p));
    }
}

/// The runs of 1,024 words, then two passes above them, the last of radix `R`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn two<const R: usize, const FIRST: usize>(t: &Tables, a: *mut u64) {
    // SAFETY: the caller's.
    unsafe {
        runs::<FIRST>(t, a);
        for group in 0..R {
            pass::<FIRST, ANY, R>(t, a, (R, group), lane(t.p));
        }
        pass::<R, ANY, LAST>(t, a, (1, 0), lane(t.p));
    }
}

/// Ten stages of each run of 1,024 words, while it is in the first-level cache.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn runs<const NEXT: usize>(t: &Tables, a: *mut u64) {
    let (c, groups) = (lane(t.p), t.n / 1024);
    for group in 0..groups {
        // SAFETY: the run is within the N words of `a`.
        unsafe {
            for block in (16 * group..16 * (group + 1)).step_by(2) {
                blocks(t, a.add(64 * block), block, c);
            }
            pass::<16, RUN, NEXT>(t, a, (groups, group), c);
        }
    }
}

/// The first six stages of two 64-blocks, `block` and the next.
///
/// Two at once, stage by stage: one block's butterflies fill the latency of the other's.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn blocks(t: &Tables, base: *mut u64, block: usize, c: Lane) {
    let place = |b: usize| (t.n / 64, block + b);
    // SAFETY: `base` points to the 128 words of both blocks.
    unsafe {
        let mut v = [[_mm512_setzero_si512(); 8]; 2];
        for (b, v) in v.iter_mut().enumerate() {
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(64 * b + 8 * r));
            }
        }
        across(t, &mut v, block, c);
        let mut v = [transpose(v[0]), transpose(v[1])];
        for (b, v) in v.iter_mut().enumerate() {
            stage::<8, 2, 16>(t, v, place(b), c);
        }
        for (b, v) in v.iter_mut().enumerate() {
            stage::<8, 1, 16>(t, v, place(b), c);
        }
        for (b, v) in v.iter_mut().enumerate() {
            stage::<8, 0, 16>(t, v, place(b), c);
            settle::<8, 16>(t, v, c);
            for (r, x) in v.iter().enumerate() {
                store(base.add(64 * b + 8 * r), *x);
            }
        }
    }
}

/// The first three stages, across vectors: from words below `p` to words below `8p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn across(t: &Tables, v: &mut [[__m512i; 8]; 2], block: usize, c: Lane) {
    let (w, room) = (&t.inverse, |multiple: u64| splat(multiple * t.p));
    // SAFETY: the two blocks are within the N words of the transform.
    unsafe {
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..4 {
                gentleman_sande(v, 2 * h, 2 * h + 1, w.lanes(block + b, 3 + h), room(1), c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..2 {
                let w = w.lanes(block + b, 1 + h);
                gentleman_sande(v, 4 * h, 4 * h + 2, w, room(2), c);
                gentleman_sande(v, 4 * h + 1, 4 * h + 3, w, room(2), c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            let w = w.lanes(block + b, 0);
            for r in 0..4 {
                gentleman_sande(v, r, r + 4, w, room(4), c);
            }
        }
    }
}
