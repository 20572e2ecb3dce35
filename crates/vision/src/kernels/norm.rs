//! Layer normalisation: y = (x − mean)/√(var + ε)·γ + β over each row (Ba et al., arXiv 1607.06450).

use pulp::{Simd, WithSimd};

use super::lanes::{dispatch, zip_with};

/// Σ f(x) over a row, lane sums first.
#[inline(always)]
fn sum<S: Simd>(simd: S, row: &[f32], f: impl Fn(S::f32s) -> S::f32s) -> f32 {
    let (body, tail) = S::as_simd_f32s(row);
    let mut total = simd.splat_f32s(0.0);
    for x in body {
        total = simd.add_f32s(total, f(*x));
    }
    let mut total = simd.reduce_sum_f32s(total);
    for x in tail {
        // One lane at a time: a padded load would push f(0) into the sum.
        let lanes = f(simd.splat_f32s(*x));
        total += simd.reduce_max_f32s(lanes);
    }
    total
}

/// Mean and 1/√(var + ε) of a row, in two passes so that a large mean cancels nothing.
#[inline(always)]
fn moments<S: Simd>(simd: S, row: &[f32], epsilon: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = sum(
        simd,
        row,
        #[inline(always)]
        |x| x,
    ) / n;
    let centre = simd.splat_f32s(mean);
    let variance = sum(
        simd,
        row,
        #[inline(always)]
        |x| {
            let d = simd.sub_f32s(x, centre);
            simd.mul_f32s(d, d)
        },
    ) / n;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

struct LayerNorm<'a> {
    out: &'a mut [f32],
    input: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
}

impl WithSimd for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.gamma.len();
        for (out, row) in self.out.chunks_exact_mut(width).zip(self.input.chunks_exact(width)) {
            let (mean, scale) = moments(simd, row, self.epsilon);
            let (mean, scale) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
            out.copy_from_slice(self.gamma);
            zip_with(
                simd,
                out,
                row,
                #[inline(always)]
                |gamma, x| simd.mul_f32s(simd.mul_f32s(simd.sub_f32s(x, mean), scale), gamma),
            );
            zip_with(
                simd,
                out,
                self.beta,
                #[inline(always)]
                |x, beta| simd.add_f32s(x, beta),
            );
        }
    }
}

/// `out = LayerNorm(input)`, rows of `gamma.len()`.
pub(crate) fn layer_norm(out: &mut [f32], input: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    debug_assert_eq!(out.len(), input.len());
    dispatch(LayerNorm { out, input, gamma, beta, epsilon });
}

/// Adds dL/dinput to `d_input` and the parameters' gradients to `d_gamma`, `d_beta` (skipped when empty).
///
/// With x̂ = (x − mean)·s and g = dL/dy·γ: dL/dx = s·(g − mean(g) − x̂·mean(g·x̂)). Sums are taken in f64: training is
/// not bound by this loop.
pub(crate) fn layer_norm_backward(
    d_input: &mut [f32],
    d_out: &[f32],
    input: &[f32],
    gamma: &[f32],
    epsilon: f32,
    (d_gamma, d_beta): (&mut [f32], &mut [f32]),
) {
    let width = gamma.len();
    let n = width as f64;
    let rows = d_input.chunks_exact_mut(width).zip(d_out.chunks_exact(width)).zip(input.chunks_exact(width));
    for ((dx, dy), x) in rows {
        let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let (mean, scale) = (mean as f32, scale as f32);
        let (mut sum_g, mut sum_gx) = (0.0f64, 0.0f64);
        for ((x, dy), gamma) in x.iter().zip(dy).zip(gamma) {
            let g = f64::from(dy * gamma);
            sum_g += g;
            sum_gx += g * f64::from((x - mean) * scale);
        }
        let (mean_g, mean_gx) = ((sum_g / n) as f32, (sum_gx / n) as f32);
        for (((dx, x), dy), gamma) in dx.iter_mut().zip(x).zip(dy).zip(gamma) {
            *dx += scale * (dy * gamma - mean_g - (x - mean) * scale * mean_gx);
        }
        for ((d, x), dy) in d_gamma.iter_mut().zip(x).zip(dy) {
            *d += dy * (x - mean) * scale;
        }
        for (d, dy) in d_beta.iter_mut().zip(dy) {
            *d += dy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_at_widths_that_fill_no_register() {
        for width in [1usize, 7, 16, 25, 192] {
            let input: Vec<f32> = (0..3 * width).map(|i| ((i * 31 % 17) as f32).sin() + 100.0).collect();
            let gamma: Vec<f32> = (0..width).map(|i| 1.0 + i as f32 * 0.01).collect();
            let beta: Vec<f32> = (0..width).map(|i| i as f32 * 0.1).collect();
            let mut out = vec![0.0; input.len()];
            layer_norm(&mut out, &input, &gamma, &beta, 1e-6);
            for (row, got) in input.chunks(width).zip(out.chunks(width)) {
                let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
                let variance = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / width as f64;
                for (i, got) in got.iter().enumerate() {
                    let exact = (f64::from(row[i]) - mean) / (variance + 1e-6).sqrt() * f64::from(gamma[i])
                        + f64::from(beta[i]);
                    assert!((f64::from(*got) - exact).abs() < 2e-3, "width {width}: {got} against {exact}");
                }
            }
        }
    }
}
