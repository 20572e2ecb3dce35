//! The inverse cosine transform of libjpeg's `islow`: Loeffler, Ligtenberg and Moschytz (ICASSP 1989), 11 multiplications a
//! line, constants of 13 bits, two more bits kept between the passes.
//!
//! *Range*: dequantised coefficients of eight-bit samples stay below 2¹², so that sums stay below 2³¹; damaged ones wrap.

use pulp::{Arch, Simd, WithSimd};

const CONSTANT_BITS: u32 = 13;
const PASS_BITS: u32 = 2;

/// Transforms the blocks `[blocks][64]` of one row of blocks into eight rows of samples, `stride` apart.
pub(super) fn row(blocks: &[[i16; 64]], quantisation: &[u16; 64], samples: &mut [u8], stride: usize) {
    Arch::new().dispatch(Row { blocks, quantisation, samples, stride });
}

struct Row<'a> {
    blocks: &'a [[i16; 64]],
    quantisation: &'a [u16; 64],
    samples: &'a mut [u8],
    stride: usize,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (at, block) in self.blocks.iter().enumerate() {
            let pixels = transform(block, self.quantisation);
            for (y, line) in pixels.iter().enumerate() {
                let start = y * self.stride + at * 8;
                self.samples[start..start + 8].copy_from_slice(line);
            }
        }
    }
}

#[inline(always)]
fn transform(block: &[i16; 64], quantisation: &[u16; 64]) -> [[u8; 8]; 8] {
    let dequantised = |i: usize| i32::from(block[i]).wrapping_mul(i32::from(quantisation[i]));
    if block[1..].iter().fold(0, |any, v| any | v) == 0 {
        let level = (dequantised(0).wrapping_add(4) >> 3).wrapping_add(128).clamp(0, 255) as u8;
        return [[level; 8]; 8];
    }
    let mut lines = [[0i32; 8]; 8];
    for (y, line) in lines.iter_mut().enumerate() {
        for (x, value) in line.iter_mut().enumerate() {
            *value = dequantised(y * 8 + x);
        }
    }
    pass(&mut lines, CONSTANT_BITS - PASS_BITS);
    let mut lines = transpose(&lines);
    pass(&mut lines, CONSTANT_BITS + PASS_BITS + 3);
    let lines = transpose(&lines);
    let mut pixels = [[0u8; 8]; 8];
    for (line, values) in pixels.iter_mut().zip(&lines) {
        for (pixel, value) in line.iter_mut().zip(values) {
            *pixel = value.wrapping_add(128).clamp(0, 255) as u8;
        }
    }
    pixels
}

/// A line of eight columns.
type Line = [i32; 8];

#[inline(always)]
fn each(a: Line, b: Line, f: impl Fn(i32, i32) -> i32) -> Line {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn add(a: Line, b: Line) -> Line {
    each(a, b, i32::wrapping_add)
}

#[inline(always)]
fn sub(a: Line, b: Line) -> Line {
    each(a, b, i32::wrapping_sub)
}

#[inline(always)]
fn times(a: Line, factor: f64) -> Line {
    let fixed = (factor * f64::from(1 << CONSTANT_BITS) + 0.5) as i32;
    a.map(|v| v.wrapping_mul(fixed))
}

/// One pass down the eight lines, all columns at once.
#[inline(always)]
fn pass(lines: &mut [Line; 8], shift: u32) {
    let line = *lines;
    // Even part.
    let z1 = times(add(line[2], line[6]), 0.541_196_100);
    let t2 = sub(z1, times(line[6], 1.847_759_065));
    let t3 = add(z1, times(line[2], 0.765_366_865));
    let t0 = add(line[0], line[4]).map(|v| v.wrapping_shl(CONSTANT_BITS));
    let t1 = sub(line[0], line[4]).map(|v| v.wrapping_shl(CONSTANT_BITS));
    let even = [add(t0, t3), add(t1, t2), sub(t1, t2), sub(t0, t3)];
    // Odd part.
    let [t0, t1, t2, t3] = [line[7], line[5], line[3], line[1]];
    let (z1, z2, z3, z4) = (add(t0, t3), add(t1, t2), add(t0, t2), add(t1, t3));
    let z5 = times(add(z3, z4), 1.175_875_602);
    let z1 = times(z1, 0.899_976_223);
    let z2 = times(z2, 2.562_915_447);
    let z3 = sub(z5, times(z3, 1.961_570_560));
    let z4 = sub(z5, times(z4, 0.390_180_644));
    let odd = [
        add(sub(times(t3, 1.501_321_110), z1), z4),
        add(sub(times(t2, 3.072_711_026), z2), z3),
        add(sub(times(t1, 2.053_119_869), z2), z4),
        add(sub(times(t0, 0.298_631_336), z1), z3),
    ];
    let round = |v: i32| v.wrapping_add(1 << (shift - 1)) >> shift;
    for i in 0..4 {
        lines[i] = add(even[i], odd[i]).map(round);
        lines[7 - i] = sub(even[i], odd[i]).map(round);
    }
}

#[inline(always)]
fn transpose(lines: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    for y in 0..8 {
        for x in 0..8 {
            out[x][y] = lines[y][x];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform by its definition, in floating point: the integer one is at most one level away (IEEE 1180 allows it).
    #[test]
    fn the_integer_transform_is_the_cosine_transform() {
        let mut state = 7u32;
        for _ in 0..200 {
            let mut block = [0i16; 64];
            for value in block.iter_mut().take(20) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = ((state >> 24) as i16 - 128) / 4;
            }
            let quantisation = [3u16; 64];
            let got = transform(&block, &quantisation);
            for (y, line) in got.iter().enumerate() {
                for (x, pixel) in line.iter().enumerate() {
                    let mut sum = 0.0;
                    for v in 0..8 {
                        for u in 0..8 {
                            let scale = |k: usize| if k == 0 { 0.5f64.sqrt() } else { 1.0 };
                            let wave = |k: usize, at: usize| {
                                ((2 * at + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
                            };
                            let value = f64::from(block[v * 8 + u]) * 3.0;
                            sum += scale(u) * scale(v) * value * wave(u, x) * wave(v, y) / 4.0;
                        }
                    }
                    let want = (sum + 128.0).clamp(0.0, 255.0);
                    assert!((f64::from(*pixel) - want).abs() < 1.0, "{pixel} for {want}");
                }
            }
        }
    }
}
