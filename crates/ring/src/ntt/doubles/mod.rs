//! The transform on vectors of four doubles; the arithmetic and its exactness are in [`crate::doubles`].
//!
//! *Forward* (Cooley–Tukey: `x ± y·w`). A stage moves the bound by at most `p/2 + |y|·p·2^-54`.
//! - Narrow (`p < 2^46`): words enter below `2^51` and are shifted by the multiple of `p` nearest `2^50`; after `k <= 16`
//!   stages they are below `1.07·(2^50 + p/2) + 0.52·k·p < 2^51` in size: nothing is settled inside.
//! - Wide (`p < 2^50`): the first word of every radix-4 butterfly is settled (of the opening radix-8 one, the first four).
//!   Then a pass that starts below `B·p` multiplies words below `(B + 0.65)·p` and ends below `(1.54 + 0.13·B)·p`: `2.3,
//!   1.84, 1.8, …` from the opening pass on. All multiplied words stay below `3·p < 2^52`.
//!
//! *Inverse* (Gentleman–Sande: `x + y`, `(x - y)·w`). Sums double a stage, products fall back to `(1/2 + …)·p`.
//! - Narrow: the first word of every second radix-4 butterfly is settled. Words are below `1.15·p` after such a pass, below
//!   `4.6·p` after the other kind; the closing pass of three stages multiplies at most `8·4.6·p = 37·p < 2^52`.
//! - Wide: the two first words of every butterfly are settled. Passes start (but for the first, of `[0, p)`) and end below
//!   `0.7·p`; differences stay below `2.8·p < 2^52`.
//!
//! Layout: a first pass of radix 8 (odd `log2 N`) or 4, then radix 4 down to strides 8 and 4, which are still whole vectors;
//! strides 2 and 1 run across four vectors after a 4×4 transposition, with one twiddle a lane. Rows `4h..4h+4`, half `c` of
//! a 64-block go to rows `4c..4c+4`, half `h`: the 8×8 transposition of the evaluation order, for free.
#![allow(unsafe_code)]

mod forward;
mod inverse;

use super::Twiddles;
use crate::buffer::Line;
use crate::doubles::vector::{V, broadcast, load, store, zero};
use crate::doubles::{Pair, TWO52, W, is_wide, supports};
use crate::{Modulus, Shoup};

/// Smallest degree of the transform: one run of blocks.
pub(crate) const MIN_LOG_N: u32 = 10;
/// Words of a run that is finished while it is in the first-level cache.
const RUN: usize = 1024;
/// Doubles of a lane-wise twiddle triple: three pairs of vectors.
const TRIPLE: usize = 3 * 8;
/// The (rows, half) of a 64-block's four quads of vectors in the order in which they are used, two at a time.
const QUADS: [(usize, usize); 4] = [(0, 0), (1, 1), (0, 1), (1, 0)];

/// Twiddle factors and constants of one prime.
pub(crate) struct Tables {
    n: usize,
    p: u64,
    wide: bool,
    /// `2^52` and the multiple of `p` nearest `2^50`: what entering subtracts.
    shift: f64,
    forward: Direction,
    inverse: Direction,
    /// `N^-1`, and `N^-1` times the twiddle of the inverse's last stage.
    scale: [Pair; 2],
}

/// One direction's twiddles: broadcast ones by index `groups + group`, and those of strides 2 and 1 a lane each.
struct Direction {
    head: Vec<Pair>,
    /// A 64-block's four triples, in the order in which they are used.
    tail: Vec<Line>,
}

impl Direction {
    fn new(w: &[Shoup], p: u64) -> Self {
        let n = w.len();
        let pair = |i: usize| Pair::new(w[i].value, p);
        let mut tail = Vec::with_capacity(n / 16 * TRIPLE / 8);
        for block in 0..n / 64 {
            for (rows, half) in QUADS {
                let group = |k: usize| 16 * block + 2 * (4 * rows + k) + half;
                let triple: [[Pair; 4]; 3] = [
                    std::array::from_fn(|k| pair(n / 4 + group(k))),
                    std::array::from_fn(|k| pair(n / 2 + 2 * group(k))),
                    std::array::from_fn(|k| pair(n / 2 + 2 * group(k) + 1)),
                ];
                for lanes in triple {
                    let [a, b, c, d] = lanes;
                    let line = [a.w, b.w, c.w, d.w, a.quotient, b.quotient, c.quotient, d.quotient];
                    tail.push(Line(line.map(f64::to_bits)));
                }
            }
        }
        Self { head: (0..n / 4).map(pair).collect(), tail }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn broadcast(&self, i: usize) -> W {
        debug_assert!(i < self.head.len());
        // SAFETY: stages above stride 2 have indices below N/4, the table's length.
        let w = unsafe { self.head.get_unchecked(i) };
        (broadcast(&w.w), broadcast(&w.quotient))
    }

    /// The three twiddles of the two stages that start at `node = groups + group`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn three(&self, node: usize) -> [W; 3] {
        // SAFETY: as in `broadcast`; the second stage's stride is at least 4.
        unsafe { [self.broadcast(node), self.broadcast(2 * node), self.broadcast(2 * node + 1)] }
    }

    /// The same for strides 2 and 1 of the `quad`-th quad, a lane each.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn lanes(&self, quad: usize) -> [W; 3] {
        debug_assert!((quad + 1) * TRIPLE <= 8 * self.tail.len());
        // SAFETY: `quad < N/16`, within the table of N/16 · TRIPLE doubles.
        unsafe {
            let w = self.tail.as_ptr().cast::<f64>().add(quad * TRIPLE);
            [(load(w), load(w.add(4))), (load(w.add(8)), load(w.add(12))), (load(w.add(16)), load(w.add(20)))]
        }
    }
}

impl Tables {
    /// The tables, where processor, prime and degree allow.
    pub(crate) fn new(modulus: &Modulus, twiddles: &Twiddles) -> Option<Self> {
        let (p, n) = (modulus.value(), twiddles.forward.len());
        if !supports(modulus) || n < 1 << MIN_LOG_N {
            return None;
        }
        let n_inverse = twiddles.n_inverse.value;
        let last = modulus.mul(n_inverse, twiddles.inverse[1].value);
        let middle = ((1u64 << 50) + p / 2) / p * p;
        Some(Self {
            n,
            p,
            wide: is_wide(modulus),
            shift: TWO52 + middle as f64,
            forward: Direction::new(&twiddles.forward, p),
            inverse: Direction::new(&twiddles.inverse, p),
            scale: [Pair::new(n_inverse, p), Pair::new(last, p)],
        })
    }

    /// In place, coefficients to evaluations. Range: below `2^51` in, below `p` out.
    pub(crate) fn forward(&self, a: &mut [u64]) {
        assert_eq!(a.len(), self.n, "transform of another length");
        debug_assert!(a.iter().all(|&x| x < 1 << 51));
        let a = a.as_mut_ptr().cast();
        // SAFETY: `Tables` are built only where `supports` saw every enabled feature; the length was checked.
        unsafe { if self.wide { forward::all::<true>(self, a) } else { forward::all::<false>(self, a) } }
    }

    /// In place, evaluations to coefficients. Range: below `p` in and out.
    pub(crate) fn inverse(&self, a: &mut [u64]) {
        assert_eq!(a.len(), self.n, "transform of another length");
        debug_assert!(a.iter().all(|&x| x < self.p));
        let a = a.as_mut_ptr().cast();
        // SAFETY: as in `forward`.
        unsafe { if self.wide { inverse::all::<true>(self, a) } else { inverse::all::<false>(self, a) } }
    }
}

/// The forward transform's first radix, the inverse's last: what is left is a power of four.
fn opening(n: usize) -> usize {
    if n.trailing_zeros() % 2 == 1 { 8 } else { 4 }
}

/// `R` vectors, `stride` words apart.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn gather<const R: usize>(a: *const f64, stride: usize) -> [V; R] {
    let mut v = [zero(); R];
    for (r, v) in v.iter_mut().enumerate() {
        // SAFETY: the caller passes `R` readable vectors `stride` words apart.
        *v = unsafe { load(a.add(r * stride)) };
    }
    v
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn scatter<const R: usize>(a: *mut f64, stride: usize, v: [V; R]) {
    for (r, v) in v.into_iter().enumerate() {
        // SAFETY: the caller passes `R` writable vectors `stride` words apart.
        unsafe { store(a.add(r * stride), v) }
    }
}
