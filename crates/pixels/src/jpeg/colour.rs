//! Component rows to RGB: JFIF's equations in 16-bit fixed point, as libjpeg rounds them.

use pulp::{Arch, Simd, WithSimd};

/// `round(x · 2¹⁶)` of JFIF's four factors.
const RED_OF_CR: i32 = 91_881;
const BLUE_OF_CB: i32 = 116_130;
const GREEN_OF_CR: i32 = 46_802;
const GREEN_OF_CB: i32 = 22_554;
const HALF: i32 = 1 << 15;

/// One row of YCbCr to `[width, 3]`; the rows may be longer than the picture is wide.
pub(super) fn ycbcr(rows: [&[u8]; 3], out: &mut [u8]) {
    Arch::new().dispatch(Convert { rows, out });
}

/// One row of RGB planes to `[width, 3]`.
pub(super) fn interleave(rows: [&[u8]; 3], out: &mut [u8]) {
    for (x, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        *pixel = rows.map(|row| row[x]);
    }
}

struct Convert<'a> {
    rows: [&'a [u8]; 3],
    out: &'a mut [u8],
}

/// Pixels converted at once: planes of a few vectors, then interleaved.
const STRIP: usize = 32;

impl WithSimd for Convert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [y, cb, cr] = self.rows;
        let mut at = 0;
        for strip in self.out.chunks_mut(3 * STRIP) {
            let count = strip.len() / 3;
            let mut planes = [[0u8; STRIP]; 3];
            let take = |row: &[u8]| {
                let mut values = [0u8; STRIP];
                values[..count].copy_from_slice(&row[at..at + count]);
                values
            };
            let (y, cb, cr) = (take(y), take(cb), take(cr));
            for i in 0..STRIP {
                let level = i32::from(y[i]);
                let (b, r) = (i32::from(cb[i]) - 128, i32::from(cr[i]) - 128);
                let clamp = |v: i32| v.clamp(0, 255) as u8;
                planes[0][i] = clamp(level + ((RED_OF_CR * r + HALF) >> 16));
                planes[1][i] = clamp(level + ((HALF - GREEN_OF_CB * b - GREEN_OF_CR * r) >> 16));
                planes[2][i] = clamp(level + ((BLUE_OF_CB * b + HALF) >> 16));
            }
            for (i, pixel) in strip.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                *pixel = [planes[0][i], planes[1][i], planes[2][i]];
            }
            at += count;
        }
    }
}
