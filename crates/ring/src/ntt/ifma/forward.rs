//! Coefficients to evaluations: `x ± y·w`, without a correction between the stages.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi64, _mm512_setzero_si512, _mm512_sub_epi64,
};

use super::{
    ANY, Direction, Lane, RUN, Tables, finish, lane, load, product, reduce, splat, store, top_passes,
    transpose,
};

/// Forward butterfly on `v[x]`, `v[y]`: up to `2p` is added to the one and taken off the other.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn cooley_tukey<const R: usize>(v: &mut [__m512i; R], x: usize, y: usize, w: (__m512i, __m512i), c: Lane) {
    // The product is accumulated onto `u`, which spares its sum an addition; the difference is twice `u` less the sum.
    let u = v[x];
    v[x] = product(u, v[y], w.0, w.1, c);
    v[y] = _mm512_sub_epi64(_mm512_add_epi64(u, u), v[x]);
}

/// A butterfly of the last three stages: as [`cooley_tukey`], but with the product less `p` where there is no room for more, so that
/// either word moves by at most `p`, up or down.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn last<const LOOSE: bool>(v: &mut [__m512i; 8], x: usize, y: usize, w: (__m512i, __m512i), c: Lane) {
    let u = v[x];
    let sum = if LOOSE { u } else { _mm512_add_epi64(u, c.minus_p) };
    v[x] = product(sum, v[y], w.0, w.1, c);
    v[y] = _mm512_sub_epi64(_mm512_add_epi64(u, u), v[x]);
}

/// Where the stages of a pass of radix `R` can have moved its words, in multiples of `p`: the middle, to be taken off.
///
/// Word `r` went up by at most `2p` for each zero among the binary digits of `r`, down for each one.
const fn middles<const R: usize>() -> [i64; R] {
    let (mut middles, mut r) = ([0; R], 0);
    while r < R {
        middles[r] = R.trailing_zeros() as i64 - 2 * r.count_ones() as i64;
        r += 1;
    }
    middles
}

/// Moves every word of a pass back from the middle of where its stages can have moved it.
#[inline]
#[target_feature(enable = "avx512f")]
fn centre<const R: usize>(v: &mut [__m512i; R], p: u64) {
    for (x, middle) in v.iter_mut().zip(const { middles::<R>() }) {
        if middle != 0 {
            *x = _mm512_sub_epi64(*x, splat((middle as u64).wrapping_mul(p)));
        }
    }
}

/// Forward stage `s` of a pass on `R` vectors that are group `group` of `groups`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn stage<const R: usize>(
    t: &Direction,
    v: &mut [__m512i; R],
    s: u32,
    groups: usize,
    group: usize,
    c: Lane,
) {
    let half = R >> (s + 1);
    for g in 0..1 << s {
        // SAFETY: the index is below twice the number of groups of this stage, at most N.
        let w = unsafe { t.broadcast(((groups + group) << s) + g) };
        for r in 0..half {
            cooley_tukey(v, 2 * g * half + r, 2 * g * half + r + half, w, c);
        }
    }
}

/// One pass of radix `R` over group `group` of `groups`; the first one makes room below every word for all stages. Strides that are
/// known here ([`RUN`]) make addresses that need no arithmetic; 0 is any.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn pass<const R: usize, const STRIDE: usize, const FIRST: bool, const LOOSE: bool>(
    t: &Tables,
    a: *mut u64,
    groups: usize,
    group: usize,
    c: Lane,
) {
    let stride = if STRIDE == ANY { t.n / groups / R } else { STRIDE };
    let room = splat(room::<LOOSE>(t.n.trailing_zeros()) * t.p);
    // SAFETY: group `group` spans R·stride words from its base, all within the N words of `a`.
    unsafe {
        let base = a.add(group * R * stride);
        for j in (0..stride).step_by(8) {
            let mut v = [_mm512_setzero_si512(); R];
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(r * stride + j));
                if FIRST {
                    *x = _mm512_add_epi64(*x, room);
                }
            }
            for s in 0..R.trailing_zeros() {
                stage::<R>(&t.forward, &mut v, s, groups, group, c);
            }
            if !LOOSE {
                centre(&mut v, t.p);
            }
            for (r, x) in v.iter().enumerate() {
                store(base.add(r * stride + j), *x);
            }
        }
    }
}

/// What lies below every word before the first stage, in multiples of `p`, and above it: how far `log_n` stages can move a word.
const fn room<const LOOSE: bool>(log_n: u32) -> u64 {
    (if LOOSE { 2 * log_n } else { log_n }) as u64
}

/// The whole transform of the `N` words at `a`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
pub(super) unsafe fn all(t: &Tables, a: *mut u64) {
    let has_room = 2 * room::<true>(t.n.trailing_zeros()) * t.p <= 1 << 51;
    // SAFETY: the caller's.
    unsafe { if has_room { words::<true>(t, a) } else { words::<false>(t, a) } }
}

/// The whole transform; `LOOSE` where words that are never moved back have room.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn words<const LOOSE: bool>(t: &Tables, a: *mut u64) {
    let c = lane(t.p);
    // SAFETY: every pass covers exactly the N words of `a`; see `pass`.
    unsafe {
        let groups = match top_passes(t.n.trailing_zeros()) {
            [None, _] => 1,
            [Some(first), second] => {
                match first {
                    2 => pass::<2, ANY, true, LOOSE>(t, a, 1, 0, c),
                    4 => pass::<4, ANY, true, LOOSE>(t, a, 1, 0, c),
                    _ => pass::<8, ANY, true, LOOSE>(t, a, 1, 0, c),
                }
                for group in 0..second.map_or(0, |_| first) {
                    if second == Some(4) {
                        pass::<4, ANY, false, LOOSE>(t, a, first, group, c);
                    } else {
                        pass::<8, ANY, false, LOOSE>(t, a, first, group, c);
                    }
                }
                first * second.unwrap_or(1)
            }
        };
        // Each run of 1,024 words is finished while it is in the first-level cache.
        for run in 0..groups {
            if groups == 1 {
                pass::<16, RUN, true, LOOSE>(t, a, 1, 0, c);
            } else {
                pass::<16, RUN, false, LOOSE>(t, a, groups, run, c);
            }
            for block in (16 * run..16 * (run + 1)).step_by(2) {
                // The next run comes from the second-level cache while this one is worked on.
                let next = a.add((64 * block + 1024).min(t.n - 128));
                for line in 0..16 {
                    _mm_prefetch::<_MM_HINT_T0>(next.add(8 * line).cast());
                }
                blocks::<LOOSE>(t, a.add(64 * block), block, c);
            }
        }
    }
}

/// The last six forward stages of two 64-blocks, `block` and the next, and the final reduction.
///
/// Two at once, stage by stage: one block's butterflies fill the latency of the other's.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn blocks<const LOOSE: bool>(t: &Tables, base: *mut u64, block: usize, c: Lane) {
    let w = &t.forward;
    // SAFETY: `base` points to the 128 words of both blocks.
    unsafe {
        let mut v = [[_mm512_setzero_si512(); 8]; 2];
        for (b, v) in v.iter_mut().enumerate() {
            for (r, x) in v.iter_mut().enumerate() {
                *x = load(base.add(64 * b + 8 * r));
            }
        }
        for s in 0..3 {
            for (b, v) in v.iter_mut().enumerate() {
                stage::<8>(w, v, s, t.n / 64, block + b, c);
            }
        }
        if !LOOSE {
            for v in &mut v {
                centre(v, t.p);
            }
        }
        let mut v = [transpose(v[0]), transpose(v[1])];
        for (b, v) in v.iter_mut().enumerate() {
            let w = w.lanes(block + b, 0);
            for r in 0..4 {
                last::<LOOSE>(v, r, r + 4, w, c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..2 {
                let w = w.lanes(block + b, 1 + h);
                last::<LOOSE>(v, 4 * h, 4 * h + 2, w, c);
                last::<LOOSE>(v, 4 * h + 1, 4 * h + 3, w, c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..4 {
                last::<LOOSE>(v, 2 * h, 2 * h + 1, w.lanes(block + b, 3 + h), c);
            }
        }
        for (b, v) in v.iter().enumerate() {
            for (r, x) in v.iter().enumerate() {
                store(base.add(64 * b + 8 * r), finish(reduce(*x, c), c));
            }
        }
    }
}
