//! Evaluations to coefficients.
#![allow(clippy::large_types_passed_by_value, reason = "constants that live in registers")]

use super::{RUN, Tables, gather, opening, scatter};
use crate::doubles::vector::{V, add, sub, transpose};
use crate::doubles::{Lane, W, both, enter, lane, leave, product, settle};

/// The whole transform of the `N` words at `a`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn all<const WIDE: bool>(t: &Tables, a: *mut f64) {
    let c = lane(t.p);
    let radix = opening(t.n);
    // SAFETY: `a` has N words, which the radix nodes tile.
    unsafe {
        for g in 0..radix {
            node::<WIDE>(t, a.add(g * (t.n / radix)), radix + g, t.n / radix, c);
        }
        match radix {
            8 => close::<8, WIDE>(t, a, c),
            _ => close::<4, WIDE>(t, a, c),
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn gentleman_sande<const R: usize>(v: &mut [V; R], x: usize, y: usize, w: W, c: Lane) {
    let difference = sub(v[x], v[y]);
    v[x] = add(v[x], v[y]);
    v[y] = product(difference, w, c);
}

/// Two stages on four vectors.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn four<const SETTLE: bool, const WIDE: bool>(mut v: [V; 4], w: [W; 3], c: Lane) -> [V; 4] {
    gentleman_sande(&mut v, 0, 1, w[1], c);
    gentleman_sande(&mut v, 2, 3, w[2], c);
    gentleman_sande(&mut v, 0, 2, w[0], c);
    gentleman_sande(&mut v, 1, 3, w[0], c);
    if SETTLE || WIDE {
        v[0] = settle(v[0], c);
    }
    if WIDE {
        v[1] = settle(v[1], c);
    }
    v
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn radix_four<const SETTLE: bool, const WIDE: bool>(
    t: &Tables,
    a: *mut f64,
    node: usize,
    stride: usize,
    c: Lane,
) {
    // SAFETY: the caller passes the node's words.
    unsafe {
        let w = t.inverse.three(node);
        for j in (0..stride).step_by(4) {
            let a = a.add(j);
            scatter(a, stride, four::<SETTLE, WIDE>(gather(a, stride), w, c));
        }
    }
}

/// One radix-4 pass over the `4·stride` words of a node. Passes alternate, counted from the bottom: strides 4, 64, 1024, …
/// settle.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn pass<const WIDE: bool>(t: &Tables, a: *mut f64, node: usize, stride: usize, c: Lane) {
    // SAFETY: the caller passes the node's words.
    unsafe {
        if stride.trailing_zeros() % 4 == 2 {
            radix_four::<true, WIDE>(t, a, node, stride, c);
        } else {
            radix_four::<false, WIDE>(t, a, node, stride, c);
        }
    }
}

/// All stages of the `len` words of a node, the smallest parts first.
#[target_feature(enable = "avx2,fma")]
unsafe fn node<const WIDE: bool>(t: &Tables, a: *mut f64, index: usize, len: usize, c: Lane) {
    // SAFETY: the caller passes the node's words; children and blocks tile them.
    unsafe {
        if len > RUN {
            for g in 0..4 {
                node::<WIDE>(t, a.add(g * (len / 4)), 4 * index + g, len / 4, c);
            }
            return pass::<WIDE>(t, a, index, len / 4, c);
        }
        let mut nodes = index * (len / 4);
        let block = (nodes - t.n / 4) / 16;
        for b in 0..len / 64 {
            let (a, quad) = (a.add(64 * b), 4 * (block + b));
            quads::<WIDE>(t, a, [0, 36], [0, 36], quad, c);
            quads::<WIDE>(t, a, [32, 4], [4, 32], quad + 2, c);
        }
        let mut part = 16;
        while part <= len {
            nodes /= 4;
            for g in 0..len / part {
                pass::<WIDE>(t, a.add(g * part), nodes + g, part / 4, c);
            }
            part *= 4;
        }
    }
}

/// Two quads of a 64-block: words to doubles, strides 1 and 2. `from` and `to` are the quads' first words.
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
        let mut v: [[V; 4]; 2] = [gather(a.add(from[0]), 8), gather(a.add(from[1]), 8)];
        for (b, v) in v.iter_mut().enumerate() {
            for v in v.iter_mut() {
                *v = enter(*v, c.two52, c);
            }
            *v = transpose(four::<false, WIDE>(*v, t.inverse.lanes(quad + b), c));
        }
        scatter(a.add(to[0]), 8, v[0]);
        scatter(a.add(to[1]), 8, v[1]);
    }
}

/// The last pass, with the factor `N^-1`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn close<const R: usize, const WIDE: bool>(t: &Tables, a: *mut f64, c: Lane) {
    let stride = t.n / R;
    let scale = [both(t.scale[0]), both(t.scale[1])];
    let mut w = [(c.p, c.p); R];
    // SAFETY: the pass covers exactly the N words of `a`; indices are below R <= N/4.
    unsafe {
        for (i, w) in w.iter_mut().enumerate().skip(1) {
            *w = t.inverse.broadcast(i);
        }
        for j in (0..stride).step_by(4) {
            let a = a.add(j);
            let mut v = gather::<R>(a, stride);
            for s in (1..R.trailing_zeros()).rev() {
                let half = R >> (s + 1);
                for g in 0..1 << s {
                    for r in 0..half {
                        gentleman_sande(
                            &mut v,
                            2 * g * half + r,
                            2 * g * half + r + half,
                            w[(1 << s) + g],
                            c,
                        );
                        if WIDE && R == 8 && s == 2 {
                            v[2 * g * half + r] = settle(v[2 * g * half + r], c);
                        }
                    }
                }
            }
            for r in 0..R / 2 {
                let (x, y) = (v[r], v[r + R / 2]);
                v[r] = leave(product(add(x, y), scale[0], c), c);
                v[r + R / 2] = leave(product(sub(x, y), scale[1], c), c);
            }
            scatter(a, stride, v);
        }
    }
}
