//! Vector functions and loops shared by the row operations.

use pulp::{Simd, WithSimd};

/// Runs an operation at the widest instruction set of this processor.
pub(crate) fn dispatch<O: WithSimd>(operation: O) -> O::Output {
    pulp::Arch::new().dispatch(operation)
}

/// `out[i] = f(out[i], a[i])` over slices of one length.
#[inline(always)]
pub(crate) fn zip_with<S: Simd>(
    simd: S,
    out: &mut [f32],
    a: &[f32],
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    let (body, tail) = S::as_mut_simd_f32s(out);
    let (a_body, a_tail) = S::as_simd_f32s(a);
    for (x, a) in body.iter_mut().zip(a_body) {
        *x = f(*x, *a);
    }
    if !tail.is_empty() {
        let x = f(simd.partial_load_f32s(tail), simd.partial_load_f32s(a_tail));
        simd.partial_store_f32s(tail, x);
    }
}

/// `out[i] = f(out[i])`.
#[inline(always)]
pub(crate) fn map<S: Simd>(simd: S, out: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (body, tail) = S::as_mut_simd_f32s(out);
    for x in body.iter_mut() {
        *x = f(*x);
    }
    if !tail.is_empty() {
        let x = f(simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, x);
    }
}

/// e^x in every lane, relative error below 2⁻²² for −87 ≤ x ≤ 88; arguments are clamped to that range.
///
/// Cody–Waite reduction x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a degree-6 polynomial in r.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// 1.5·2²³: adding it rounds to an integer, which then sits in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    let x = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-87.0)), simd.splat_f32s(88.0));
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(ROUND));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    let mut p = simd.splat_f32s(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(coefficient));
    }
    // The constant's own bits leave the word, so only n reaches the exponent field.
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent))
}

/// The error function in every lane, absolute error below 5·2⁻²⁴.
///
/// Odd rational approximation x·P(x²)/Q(x²) on |x| ≤ 3.8325, beyond which erf rounds to ±1 (the minimax fit used by
/// Eigen and XLA).
#[inline(always)]
pub(crate) fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const P: [f32; 5] =
        [2.290_506_5e-4, 3.408_291e-3, 5.095_569_5e-2, 1.852_083_3e-1, std::f32::consts::FRAC_2_SQRT_PI];
    const Q: [f32; 7] =
        [-1.179_160_3e-7, 2.354_796_6e-5, 1.017_962_5e-3, 1.407_047e-2, 1.109_850_5e-1, 4.974_692_5e-1, 1.0];
    const LIMIT: f32 = 3.832_507;
    let x = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-LIMIT)), simd.splat_f32s(LIMIT));
    let x2 = simd.mul_f32s(x, x);
    let mut p = simd.splat_f32s(P[0]);
    for coefficient in &P[1..] {
        p = simd.mul_add_e_f32s(p, x2, simd.splat_f32s(*coefficient));
    }
    let mut q = simd.splat_f32s(Q[0]);
    for coefficient in &Q[1..] {
        q = simd.mul_add_e_f32s(q, x2, simd.splat_f32s(*coefficient));
    }
    simd.div_f32s(simd.mul_f32s(x, p), q)
}

struct AddRows<'a> {
    rows: &'a mut [f32],
    row: &'a [f32],
}

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for out in self.rows.chunks_exact_mut(self.row.len()) {
            zip_with(
                simd,
                out,
                self.row,
                #[inline(always)]
                |x, b| simd.add_f32s(x, b),
            );
        }
    }
}

/// Adds `row` to every row of `rows: [n, row.len()]`.
pub(crate) fn add_to_rows(rows: &mut [f32], row: &[f32]) {
    if !row.is_empty() {
        dispatch(AddRows { rows, row });
    }
}

struct AddScaled<'a> {
    out: &'a mut [f32],
    values: &'a [f32],
    scale: f32,
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scale = simd.splat_f32s(self.scale);
        zip_with(
            simd,
            self.out,
            self.values,
            #[inline(always)]
            |x, v| simd.mul_add_e_f32s(v, scale, x),
        );
    }
}

/// `out += scale · values`, element by element.
pub(crate) fn add_scaled(out: &mut [f32], values: &[f32], scale: f32) {
    debug_assert_eq!(out.len(), values.len());
    dispatch(AddScaled { out, values, scale });
}

/// `sums[j] += Σ_i rows[i, j]`, for `rows: [n, sums.len()]`.
pub(crate) fn sum_rows(sums: &mut [f32], rows: &[f32]) {
    if sums.is_empty() {
        return;
    }
    for row in rows.chunks_exact(sums.len()) {
        add_scaled(sums, row, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Apply<'a>(&'a mut [f32], bool);

    impl WithSimd for Apply<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            if self.1 { map(simd, self.0, |x| exp(simd, x)) } else { map(simd, self.0, |x| erf(simd, x)) }
        }
    }

    /// Abramowitz & Stegun 7.1.5 (series) and 7.1.14 (continued fraction), far below f32 precision.
    fn erf_f64(x: f64) -> f64 {
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return sum * 2.0 / std::f64::consts::PI.sqrt();
        }
        let mut fraction = 0.0;
        for n in (1..200).rev() {
            fraction = f64::from(n) / 2.0 / (x.abs() + fraction);
        }
        x.signum() * (1.0 - (-x * x).exp() / std::f64::consts::PI.sqrt() / (x.abs() + fraction))
    }

    #[test]
    fn exp_is_within_its_stated_relative_error() {
        let inputs: Vec<f32> = (0..174_990).map(|i| -87.0 + i as f32 * 1e-3).collect();
        let mut outputs = inputs.clone();
        dispatch(Apply(&mut outputs, true));
        let worst = inputs.iter().zip(&outputs).map(|(x, y)| {
            let exact = f64::from(*x).exp();
            ((f64::from(*y) - exact) / exact).abs()
        });
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 2f64.powi(-22), "worst relative error 2^{:.2}", worst.log2());
    }

    #[test]
    fn erf_is_within_its_stated_absolute_error() {
        let inputs: Vec<f32> = (0..120_001).map(|i| -6.0 + i as f32 * 1e-4).collect();
        let mut outputs = inputs.clone();
        dispatch(Apply(&mut outputs, false));
        let worst = inputs.iter().zip(&outputs).map(|(x, y)| (f64::from(*y) - erf_f64(f64::from(*x))).abs());
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 5.0 * 2f64.powi(-24), "worst absolute error 2^{:.2}", worst.log2());
    }
}
