//! Coefficients to evaluations.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use super::{RUN, Tables, gather, opening, scatter};
use crate::doubles::vector::{V, add, splat, sub, transpose};
use crate::doubles::{Lane, W, enter, finish, lane, product, settle};

/// The whole transform of the `N` words at `a`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn all<const WIDE: bool>(t: &Tables, a: *mut f64) {
    let c = lane(t.p);
    let radix = opening(t.n);
    // SAFETY: `a` has N words, which the radix nodes tile.
    unsafe {
        match radix {
            8 => open::<8, WIDE>(t, a, c),
            _ => open::<4, WIDE>(t, a, c),
        }
        for g in 0..radix {
            node::<WIDE>(t, a.add(g * (t.n / radix)), radix + g, t.n / radix, c);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn cooley_tukey<const R: usize>(v: &mut [V; R], x: usize, y: usize, w: W, c: Lane) {
    let (u, t) = (v[x], product(v[y], w, c));
    v[x] = add(u, t);
    v[y] = sub(u, t);
}

/// The first pass: words to doubles and two stages (`R = 4`) or three (`R = 8`).
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn open<const R: usize, const WIDE: bool>(t: &Tables, a: *mut f64, c: Lane) {
    let stride = t.n / R;
    let shift = splat(t.shift);
    let mut w = [(c.p, c.p); R];
    // SAFETY: the pass covers exactly the N words of `a`; indices are below R <= N/4.
    unsafe {
        for (i, w) in w.iter_mut().enumerate().skip(1) {
            *w = t.forward.broadcast(i);
        }
        for j in (0..stride).step_by(4) {
            let a = a.add(j);
            let mut v = gather::<R>(a, stride);
            for (r, v) in v.iter_mut().enumerate() {
                *v = enter(*v, shift, c);
                if WIDE && r < R / 2 {
                    *v = settle(*v, c);
                }
            }
            for s in 0..R.trailing_zeros() {
                let half = R >> (s + 1);
                for g in 0..1 << s {
                    for r in 0..half {
                        cooley_tukey(&mut v, 2 * g * half + r, 2 * g * half + r + half, w[(1 << s) + g], c);
                    }
                }
            }
            scatter(a, stride, v);
        }
    }
}

/// One radix-4 pass over the `4·stride` words of a node.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn pass<const WIDE: bool>(t: &Tables, a: *mut f64, node: usize, stride: usize, c: Lane) {
    // SAFETY: the caller passes the node's words.
    unsafe {
        let w = t.forward.three(node);
        for j in (0..stride).step_by(4) {
            let a = a.add(j);
            let mut v: [V; 4] = gather(a, stride);
            first_stage::<WIDE>(&mut v, w, c);
            second_stage(&mut v, w, c);
            scatter(a, stride, v);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn first_stage<const WIDE: bool>(v: &mut [V; 4], w: [W; 3], c: Lane) {
    if WIDE {
        v[0] = settle(v[0], c);
    }
    cooley_tukey(v, 0, 2, w[0], c);
    cooley_tukey(v, 1, 3, w[0], c);
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn second_stage(v: &mut [V; 4], w: [W; 3], c: Lane) {
    cooley_tukey(v, 0, 1, w[1], c);
    cooley_tukey(v, 2, 3, w[2], c);
}

/// All stages of the `len` words of a node. Depth first, so that each level of cache is used while it holds.
#[target_feature(enable = "avx2,fma")]
unsafe fn node<const WIDE: bool>(t: &Tables, a: *mut f64, index: usize, len: usize, c: Lane) {
    // SAFETY: the caller passes the node's words; children and blocks tile them.
    unsafe {
        if len > RUN {
            pass::<WIDE>(t, a, index, len / 4, c);
            for g in 0..4 {
                node::<WIDE>(t, a.add(g * (len / 4)), 4 * index + g, len / 4, c);
            }
            return;
        }
        let (mut nodes, mut part) = (index, len);
        while part >= 16 {
            for g in 0..len / part {
                pass::<WIDE>(t, a.add(g * part), nodes + g, part / 4, c);
            }
            nodes *= 4;
            part /= 4;
        }
        // Now nodes are groups of four words; a 64-block has sixteen.
        let block = (nodes - t.n / 4) / 16;
        for b in 0..len / 64 {
            let (a, quad) = (a.add(64 * b), 4 * (block + b));
            quads::<WIDE>(t, a, [0, 36], [0, 36], quad, c);
            quads::<WIDE>(t, a, [4, 32], [32, 4], quad + 2, c);
        }
    }
}

/// Two quads of a 64-block: strides 2 and 1, and the final reduction. `from` and `to` are the quads' first words.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn quads<const WIDE: bool>(
    t: &Tables,
    a: *mut f64,
    from: [usize; 2],
    to: [usize; 2],
    quad: usize,
    c: Lane,
) {
    // SAFETY: `a` points to the 64 words of the block; the quads lie within.
    unsafe {
        // Stage by stage: one quad's butterflies fill the latency of the other's.
        let mut v = [transpose(gather(a.add(from[0]), 8)), transpose(gather(a.add(from[1]), 8))];
        for (b, v) in v.iter_mut().enumerate() {
            first_stage::<WIDE>(v, t.forward.lanes(quad + b), c);
        }
        for (b, v) in v.iter_mut().enumerate() {
            second_stage(v, t.forward.lanes(quad + b), c);
        }
        for (b, v) in v.iter_mut().enumerate() {
            for v in v.iter_mut() {
                *v = finish::<WIDE>(*v, c);
            }
            scatter(a.add(to[b]), 8, *v);
        }
    }
}
