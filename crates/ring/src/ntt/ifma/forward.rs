//! Coefficients to evaluations: `x ± y·w`, without a correction between the stages.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi64, _mm512_setzero_si512, _mm512_sub_epi64,
};

use super::{
    Direction, Lane, Tables, finish, lane, load, product, reduce, splat, store, top_passes, transpose,
};

/// Forward butterfly on `v[x]`, `v[y]`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn cooley_tukey<const R: usize>(v: &mut [__m512i; R], x: usize, y: usize, w: (__m512i, __m512i), c: Lane) {
    let t = product(c.minus_p, v[y], w.0, w.1, c);
    let u = v[x];
    v[x] = _mm512_add_epi64(u, t);
    v[y] = _mm512_sub_epi64(u, t);
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

/// One forward pass of radix `R` over each of `groups` groups; `offset` is added to every word.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn pass<const R: usize>(
    t: &Tables,
    a: *mut u64,
    groups: usize,
    group: usize,
    offset: __m512i,
    c: Lane,
) {
    let stride = t.n / groups / R;
    // SAFETY: group `group` spans R·stride words from its base, all within the N words of `a`.
    unsafe {
        let base = a.add(group * R * stride);
        for j in (0..stride).step_by(8) {
            let mut v = [_mm512_setzero_si512(); R];
            for (r, x) in v.iter_mut().enumerate() {
                *x = _mm512_add_epi64(load(base.add(r * stride + j)), offset);
            }
            for s in 0..R.trailing_zeros() {
                stage::<R>(&t.forward, &mut v, s, groups, group, c);
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
    let c = lane(t.p);
    let zero = _mm512_setzero_si512();
    let log_n = t.n.trailing_zeros();
    let mut offset = splat(u64::from(log_n) * t.p);
    let mut groups = 1;
    // SAFETY: every pass covers exactly the N words of `a`; see `pass`.
    unsafe {
        for radix in top_passes(log_n).into_iter().flatten() {
            for group in 0..groups {
                match radix {
                    2 => pass::<2>(t, a, groups, group, offset, c),
                    4 => pass::<4>(t, a, groups, group, offset, c),
                    8 => pass::<8>(t, a, groups, group, offset, c),
                    _ => pass::<16>(t, a, groups, group, offset, c),
                }
            }
            groups *= radix;
            offset = zero;
        }
        // Each run of 1,024 words is finished while it is in the first-level cache.
        for run in 0..groups {
            pass::<16>(t, a, groups, run, offset, c);
            for block in (16 * run..16 * (run + 1)).step_by(2) {
                // The next run comes from the second-level cache while this one is worked on.
                let next = a.add((64 * block + 1024).min(t.n - 128));
                for line in 0..16 {
                    _mm_prefetch::<_MM_HINT_T0>(next.add(8 * line).cast());
                }
                blocks(t, a.add(64 * block), block, c);
            }
        }
    }
}

/// The last six forward stages of two 64-blocks, `block` and the next, and the final reduction.
///
/// Two at once, stage by stage: one block's butterflies fill the latency of the other's.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512dq,avx512vl")]
unsafe fn blocks(t: &Tables, base: *mut u64, block: usize, c: Lane) {
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
        let mut v = [transpose(v[0]), transpose(v[1])];
        for (b, v) in v.iter_mut().enumerate() {
            let w = w.lanes(block + b, 0);
            for r in 0..4 {
                cooley_tukey(v, r, r + 4, w, c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..2 {
                let w = w.lanes(block + b, 1 + h);
                cooley_tukey(v, 4 * h, 4 * h + 2, w, c);
                cooley_tukey(v, 4 * h + 1, 4 * h + 3, w, c);
            }
        }
        for (b, v) in v.iter_mut().enumerate() {
            for h in 0..4 {
                cooley_tukey(v, 2 * h, 2 * h + 1, w.lanes(block + b, 3 + h), c);
            }
        }
        for (b, v) in v.iter().enumerate() {
            for (r, x) in v.iter().enumerate() {
                store(base.add(64 * b + 8 * r), finish(reduce(*x, c), c));
            }
        }
    }
}
