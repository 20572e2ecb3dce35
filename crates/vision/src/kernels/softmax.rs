//! Softmax over rows, shifted by the row's maximum.

use pulp::{Simd, WithSimd};

use super::lanes::{dispatch, exp, map};

struct Softmax<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact_mut(self.width) {
            let (body, tail) = S::as_simd_f32s(row);
            let mut peak = simd.splat_f32s(f32::NEG_INFINITY);
            for x in body {
                peak = simd.max_f32s(peak, *x);
            }
            let peak = tail.iter().fold(simd.reduce_max_f32s(peak), |m, x| m.max(*x));
            let peak = simd.splat_f32s(peak);
            map(
                simd,
                row,
                #[inline(always)]
                |x| exp(simd, simd.sub_f32s(x, peak)),
            );
            let (body, tail) = S::as_simd_f32s(row);
            let mut total = simd.splat_f32s(0.0);
            for x in body {
                total = simd.add_f32s(total, *x);
            }
            let total = simd.reduce_sum_f32s(total) + tail.iter().sum::<f32>();
            let scale = simd.splat_f32s(1.0 / total);
            map(
                simd,
                row,
                #[inline(always)]
                |x| simd.mul_f32s(x, scale),
            );
        }
    }
}

/// Replaces each row of `rows: [n, width]` by its softmax.
pub(crate) fn softmax_rows(rows: &mut [f32], width: usize) {
    if width > 0 {
        dispatch(Softmax { rows, width });
    }
}

/// Turns dL/dp into dL/dz for p = softmax(z), row by row: dz = p·(dp − Σ dp·p).
pub(crate) fn softmax_backward(gradient: &mut [f32], probabilities: &[f32], width: usize) {
    for (g, p) in gradient.chunks_exact_mut(width).zip(probabilities.chunks_exact(width)) {
        let inner: f32 = g.iter().zip(p).map(|(g, p)| g * p).sum();
        for (g, p) in g.iter_mut().zip(p) {
            *g = p * (*g - inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one_and_match_the_definition() {
        for width in [1usize, 5, 16, 197] {
            let input: Vec<f32> = (0..2 * width).map(|i| (i * 29 % 13) as f32 * 3.0 - 50.0).collect();
            let mut rows = input.clone();
            softmax_rows(&mut rows, width);
            for (z, p) in input.chunks(width).zip(rows.chunks(width)) {
                let peak = z.iter().fold(f32::MIN, |m, x| m.max(*x));
                let total: f64 = z.iter().map(|z| f64::from(z - peak).exp()).sum();
                for (z, p) in z.iter().zip(p) {
                    assert!((f64::from(*p) - f64::from(z - peak).exp() / total).abs() < 1e-6);
                }
            }
        }
    }
}
