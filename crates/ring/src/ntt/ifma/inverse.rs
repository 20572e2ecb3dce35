//! Evaluations to coefficients: `x + y`, `(x - y)·w`, with no addition that keeps differences positive.
//!
//! Words below `2p` enter a pass of radix `R` *lifted*: at place `r` by `2p` for each zero among the binary digits of `r`. The
//! stage of digit `j` adds what `2^j` words have become, of width `2^j·2p`; its `x` has one zero more than its `y` in each of
//! them, so `x - y` is positive. A lift costs nothing: products start at it, and the quotient of a reduction starts at minus it.
//!
//! Three stages of sums end below `40p`. Four would end above `64p`, so in radix 16 lifts of entering words count two digits
//! only, and the three butterflies that have sums of sums on both sides after those add `room` to their difference: below `64p`.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_set_epi64,
    _mm512_setzero_si512, _mm512_sub_epi64,
};

use super::{Lane, Tables, finish, lane, load, product, splat, store, top_passes, transpose};

/// Multiples of the prime in registers.
#[derive(Clone, Copy)]
struct Lifts {
    /// By the number of zeros that are still to come.
    by_zeros: [__m512i; 4],
    /// Of the three last stages of a block, a lane each; and what starts a quotient at it.
    lanes: End,
    /// Of the butterflies of sums in radix 16.
    room: [__m512i; 2],
}

/// The lift that a pass leaves: what a product starts at, and what the quotient of a reduction starts at.
#[derive(Clone, Copy)]
struct End {
    product: __m512i,
    quotient: __m512i,
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
fn lifts(p: u64) -> Lifts {
    let lane = |r: usize| entry(8, r) as i64;
    let lanes = |f: &dyn Fn(i64) -> i64| {
        let of = |r| f(lane(r));
        _mm512_set_epi64(of(7), of(6), of(5), of(4), of(3), of(2), of(1), of(0))
    };
    Lifts {
        by_zeros: [_mm512_setzero_si512(), splat(2 * p), splat(4 * p), splat(6 * p)],
        lanes: End { product: lanes(&|k| k * p as i64), quotient: lanes(&|k| -k) },
        room: [splat(8 * p), splat(16 * p)],
    }
}

/// The lift of place `r` in a pass, in multiples of `p`.
#[inline]
fn entry(radix: usize, r: usize) -> u64 {
    let digits = radix.min(8).trailing_zeros() - u32::from(radix == 16);
    2 * u64::from((!r & ((1 << digits) - 1)).count_ones())
}

/// The end that lifts by `k·p`.
#[inline]
#[target_feature(enable = "avx512f")]
fn end(k: u64, p: u64) -> End {
    End { product: splat(k * p), quotient: splat(k.wrapping_neg()) }
}

/// Where in the transform a pass works, and what comes after it.
#[derive(Clone, Copy)]
struct Place {
    groups: usize,
    group: usize,
    /// The radix of the next pass; none after the last.
    next: Option<usize>,
}

/// The butterfly on `v[x]`, `v[y]`; `lift` is that of the product.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn gentleman_sande<const R: usize>(
    v: &mut [__m512i; R],
    x: usize,
    y: usize,
    w: (__m512i, __m512i),
    lift: __m512i,
    c: Lane,
) {
    let difference = _mm512_sub_epi64(v[x], v[y]);
    v[x] = _mm512_add_epi64(v[x], v[y]);
    v[y] = product(lift, difference, w.0, w.1, c);
}

/// As [`gentleman_sande`] where `room` makes the difference positive.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn with_room<const R: usize>(
    v: &mut [__m512i; R],
    x: usize,
    y: usize,
    w: (__m512i, __m512i),
    (lift, room): (__m512i, __m512i),
    c: Lane,
) {
    let difference = _mm512_sub_epi64(_mm512_add_epi64(v[x], room), v[y]);
    v[x] = _mm512_add_epi64(v[x], v[y]);
    v[y] = product(lift, difference, w.0, w.1, c);
}

/// Stage `s` of a pass on `R` vectors; `last` is the lift of the products of stage 0.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn stage<const R: usize>(
    t: &Tables,
    v: &mut [__m512i; R],
    s: u32,
    (groups, group): (usize, usize),
    last: __m512i,
    (c, lifts): (Lane, &Lifts),
) {
    let half = R >> (s + 1);
    for g in 0..1usize << s {
        // SAFETY: the index is below twice the number of groups of this stage, at most N.
        let w = unsafe { t.inverse.broadcast(((groups + group) << s) + g) };
        let lift = if s == 0 { last } else { lifts.by_zeros[(s - g.count_ones()) as usize] };
        for r in 0..half {
            let (x, y) = (2 * g * half + r, 2 * g * half + r + half);
            if R == 16 && r == 0 && half >= 4 {
                with_room(v, x, y, w, (lift, lifts.room[half / 8]), c);
            } else {
                gentleman_sande(v, x, y, w, lift, c);
            }
        }
    }
}

/// Ends a pass: the lower half was just summed and is reduced to `2p` and the lift; the upper half was just multiplied and lies
/// there already.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn settle<const R: usize>(v: &mut [__m512i; R], end: End, c: Lane) {
    for x in &mut v[..R / 2] {
        let q = _mm512_madd52hi_epu64(end.quotient, *x, c.ratio);
        *x = _mm512_madd52lo_epu64(*x, q, c.neg_p);
    }
}

/// The last stage of the last pass, with the factor `N^-1`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
fn last_stage<const R: usize>(t: &Tables, v: &mut [__m512i; R], (c, lifts): (Lane, &Lifts)) {
    let zero = _mm512_setzero_si512();
    let w = (splat(t.scale[1].0), splat(t.scale[1].1));
    let n = (splat(t.scale[0].0), splat(t.scale[0].1));
    for r in 0..R / 2 {
        if R == 16 && r == 0 {
            with_room(v, r, r + R / 2, w, (zero, lifts.room[1]), c);
        } else {
            gentleman_sande(v, r, r + R / 2, w, zero, c);
        }
        v[r] = product(zero, v[r], n.0, n.1, c);
    }
    for x in v.iter_mut() {
        *x = finish(*x, c);
    }
}

#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn pass<const R: usize>(t: &Tables, a: *mut u64, place: Place, (c, lifts): (Lane, &Lifts)) {
    let Place { groups, group, next } = place;
    let stride = t.n / groups / R;
    let end = next.map(|radix| end(entry(radix, group % radix), t.p));
    // SAFETY: group `group` spans R·stride words from its base, all within the N words of `a`.
    unsafe {
        let base = a.add(group * R * stride);
        for j in (0..stride).step_by(8) {
            let mut v = [_mm512_setzero_si512(); R];
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(r * stride + j));
            }
            for s in (1..R.trailing_zeros()).rev() {
                stage(t, &mut v, s, (groups, group), lifts.by_zeros[0], (c, lifts));
            }
            if let Some(end) = end {
                stage(t, &mut v, 0, (groups, group), end.product, (c, lifts));
                settle(&mut v, end, c);
            } else {
                last_stage(t, &mut v, (c, lifts));
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
    let c = (lane(t.p), &lifts(t.p));
    let mut groups = t.n / 1024;
    let mut after = top_passes(t.n.trailing_zeros()).into_iter().rev().flatten().peekable();
    // SAFETY: every pass covers exactly the N words of `a`.
    unsafe {
        for group in 0..groups {
            for block in (16 * group..16 * (group + 1)).step_by(2) {
                blocks(t, a.add(64 * block), block, c);
            }
            pass::<16>(t, a, Place { groups, group, next: after.peek().copied() }, c);
        }
        while let Some(radix) = after.next() {
            groups /= radix;
            for group in 0..groups {
                let place = Place { groups, group, next: after.peek().copied() };
                match radix {
                    2 => pass::<2>(t, a, place, c),
                    4 => pass::<4>(t, a, place, c),
                    8 => pass::<8>(t, a, place, c),
                    _ => pass::<16>(t, a, place, c),
                }
            }
        }
    }
}

/// The first six stages of two 64-blocks, `block` and the next, each lifted for the pass of radix 16.
///
/// Two at once, stage by stage: one block's butterflies fill the latency of the other's.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn blocks(t: &Tables, base: *mut u64, block: usize, (c, lifts): (Lane, &Lifts)) {
    let ends = [block, block + 1].map(|b| end(entry(16, b % 16), t.p));
    // SAFETY: `base` points to the 128 words of both blocks.
    unsafe {
        let mut v = [[_mm512_setzero_si512(); 8]; 2];
        for (b, v) in v.iter_mut().enumerate() {
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(64 * b + 8 * r));
            }
        }
        across(t, &mut v, block, (c, lifts));
        let mut v = [transpose(v[0]), transpose(v[1])];
        for s in (0..3).rev() {
            for (b, v) in v.iter_mut().enumerate() {
                stage(t, v, s, (t.n / 64, block + b), ends[b].product, (c, lifts));
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            settle(v, ends[b], c);
            for (r, x) in v.iter().enumerate() {
                store(base.add(64 * b + 8 * r), *x);
            }
        }
    }
}

/// The first three stages, across vectors: from words below `p` to words below `2p`, lifted in each lane for the place that the
/// transposition gives it. Entering words are lifted where the first stage has its `x`: differences stay positive and
/// sums below `24p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn across(t: &Tables, v: &mut [[__m512i; 8]; 2], block: usize, (c, lifts): (Lane, &Lifts)) {
    let zeros = |r: usize| lifts.by_zeros[r];
    // SAFETY: the two blocks are within the N words of the transform.
    unsafe {
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..4 {
                v[2 * h] = _mm512_add_epi64(v[2 * h], zeros([3, 2, 2, 1][h]));
                let w = t.inverse.lanes(block + b, 3 + h);
                gentleman_sande(v, 2 * h, 2 * h + 1, w, zeros([2, 1, 1, 0][h]), c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..2 {
                let w = t.inverse.lanes(block + b, 1 + h);
                gentleman_sande(v, 4 * h, 4 * h + 2, w, zeros(1 - h), c);
                gentleman_sande(v, 4 * h + 1, 4 * h + 3, w, zeros(1 - h), c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            let w = t.inverse.lanes(block + b, 0);
            for r in 0..4 {
                gentleman_sande(v, r, r + 4, w, lifts.lanes.product, c);
            }
            settle(v, lifts.lanes, c);
        }
    }
}
