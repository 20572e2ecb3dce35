//! Products of short whole numbers, two at a time: `Σ x·yᵀ` over rows of 16-bit integers, exactly.
//!
//! One instruction multiplies 16-bit integers and adds neighbouring products in 32 bits (`pmaddwd`): four times the products that doubles
//! of the same vectors have. So the numbers of two rows that follow one another stand side by side, as one word, and as many words are
//! summed as stay within 32 bits before they go over into 64.

use pulp::Simd;
use rayon::prelude::*;

/// Columns of a panel.
pub(crate) const PANEL: usize = 32;

/// Two numbers of one column, in rows that follow one another.
type Pair = u32;

/// A panel's columns in two rows.
type PanelRow = [Pair; PANEL];

/// Rows in panels of [`PANEL`] columns, two rows in one word; columns beyond the last and a row beyond the last are zeros.
#[derive(Debug)]
pub(crate) struct Packed {
    /// `[panel][row / 2]`
    panels: Vec<PanelRow>,
    /// Rows of a panel, halved.
    depth: usize,
}

impl Packed {
    /// Of `rows: [n, width]`. Range: numbers fit into 16 bits.
    pub(crate) fn new(rows: &[i32], width: usize) -> Self {
        let depth = (rows.len() / width).div_ceil(2);
        let mut panels = vec![[0; PANEL]; depth * width.div_ceil(PANEL)];
        panels.par_chunks_exact_mut(depth).enumerate().for_each(|(p, panel)| {
            let columns = p * PANEL..width.min((p + 1) * PANEL);
            for (out, two) in panel.iter_mut().zip(rows.chunks(2 * width)) {
                let first = &two[columns.clone()];
                let second = two.get(width..).filter(|row| !row.is_empty()).map(|row| &row[columns.clone()]);
                for (at, (out, low)) in out.iter_mut().zip(first).enumerate() {
                    let high = second.map_or(0, |row| row[at]);
                    *out = Pair::from(*low as u16) | Pair::from(high as u16) << 16;
                }
            }
        });
        Self { panels, depth }
    }

    fn panel(&self, at: usize) -> &[PanelRow] {
        &self.panels[at * self.depth..(at + 1) * self.depth]
    }
}

/// How this processor multiplies pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pairs {
    /// Eight words at a time.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    V3(pulp::x86::V3),
    /// Sixteen words at a time.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    V4(pulp::x86::V4),
}

impl Pairs {
    /// The widest way; none where the processor has none.
    pub(crate) fn of_this_processor() -> Option<Self> {
        Self::all().pop()
    }

    /// All ways of this processor, the widest last.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            let narrow = pulp::x86::V3::try_new().map(Self::V3);
            narrow.into_iter().chain(pulp::x86::V4::try_new().map(Self::V4)).collect()
        }
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        Vec::new()
    }

    /// Adds the products of panel `left` with the panels from `left` on to `sums: [PANEL, columns]`, whose first column is that panel's
    /// first. `exact` words add up within 32 bits.
    pub(crate) fn add(self, packed: &Packed, left: usize, exact: usize, sums: &mut [i64]) {
        match self {
            // Sixteen registers: eight sums, four words of a row, one word for all lanes.
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::V3(simd) => simd.vectorize(
                #[inline(always)]
                || product::<_, 2, 4>(simd, packed, left, exact, sums),
            ),
            // Thirty-two registers.
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::V4(simd) => simd.vectorize(
                #[inline(always)]
                || product::<_, 8, 2>(simd, packed, left, exact, sums),
            ),
        }
    }
}

/// A vector instruction set that multiplies pairs.
trait Multiplies: Simd {
    /// In each word: the product of the low halves and that of the high ones, added.
    fn products(self, a: Self::u32s, b: Self::u32s) -> Self::u32s;

    /// Signed words of 32 bits as such of 64: the first half, the second half.
    fn widened(self, words: Self::u32s) -> [Self::u64s; 2];
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Multiplies for pulp::x86::V3 {
    #[inline(always)]
    fn products(self, a: Self::u32s, b: Self::u32s) -> Self::u32s {
        pulp::cast(self.multiply_wrapping_add_adjacent_i16x16(pulp::cast(a), pulp::cast(b)))
    }

    #[inline(always)]
    fn widened(self, words: Self::u32s) -> [Self::u64s; 2] {
        let halves: [pulp::i32x4; 2] = pulp::cast(words);
        [
            pulp::cast(self.convert_i32x4_to_i64x4(halves[0])),
            pulp::cast(self.convert_i32x4_to_i64x4(halves[1])),
        ]
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Multiplies for pulp::x86::V4 {
    #[inline(always)]
    fn products(self, a: Self::u32s, b: Self::u32s) -> Self::u32s {
        pulp::cast(self.multiply_wrapping_add_adjacent_i16x32(pulp::cast(a), pulp::cast(b)))
    }

    #[inline(always)]
    fn widened(self, words: Self::u32s) -> [Self::u64s; 2] {
        let halves: [pulp::i32x8; 2] = pulp::cast(words);
        [
            pulp::cast(self.convert_i32x8_to_i64x8(halves[0])),
            pulp::cast(self.convert_i32x8_to_i64x8(halves[1])),
        ]
    }
}

/// As [`Pairs::add`], `M` columns on the left at a time with a panel of `N` vectors on the right.
#[inline(always)]
fn product<S: Multiplies, const M: usize, const N: usize>(
    simd: S,
    packed: &Packed,
    left: usize,
    exact: usize,
    sums: &mut [i64],
) {
    let a = packed.panel(left);
    let stride = sums.len() / PANEL;
    for right in 0..stride / PANEL {
        let b = packed.panel(left + right);
        for (a, b) in a.chunks(exact).zip(b.chunks(exact)) {
            for first in (0..PANEL).step_by(M) {
                let tile = tile::<S, M, N>(simd, a, b, first);
                // Registers from beginning to end: a tile whose address is taken is stored at every step.
                for m in 0..M {
                    let sums = &mut sums[(first + m) * stride + right * PANEL..][..PANEL];
                    let sums: &mut [[S::u64s; 2]] = bytemuck::cast_slice_mut(sums);
                    for n in 0..N {
                        let [low, high] = simd.widened(tile[m][n]);
                        sums[n] = [simd.add_u64s(sums[n][0], low), simd.add_u64s(sums[n][1], high)];
                    }
                }
            }
        }
    }
}

/// Sums of the products of `M` columns of `a`, from `first` on, with all of `b`, in words.
#[inline(always)]
fn tile<S: Multiplies, const M: usize, const N: usize>(
    simd: S,
    a: &[PanelRow],
    b: &[PanelRow],
    first: usize,
) -> [[S::u32s; N]; M] {
    let mut tile = [[simd.splat_u32s(0); N]; M];
    for (a, b) in a.iter().zip(b) {
        let b: &[S::u32s] = bytemuck::cast_slice(b);
        for m in 0..M {
            let a = simd.splat_u32s(a[first + m]);
            for n in 0..N {
                tile[m][n] = simd.add_u32s(tile[m][n], simd.products(a, b[n]));
            }
        }
    }
    tile
}
