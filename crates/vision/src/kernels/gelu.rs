//! GELU(x) = x·Φ(x) = x/2·(1 + erf(x/√2)), the exact form (Hendrycks and Gimpel, arXiv 1606.08415), and SwiGLU's gate.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use pulp::{Simd, WithSimd};

use super::lanes::{dispatch, erf, exp, map, zip_with};

#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
    let e = erf(simd, simd.mul_f32s(x, simd.splat_f32s(FRAC_1_SQRT_2)));
    simd.mul_add_e_f32s(half, e, half)
}

/// Φ(x) + x·φ(x), φ the standard normal density.
#[inline(always)]
fn gelu_derivative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let e = erf(simd, simd.mul_f32s(x, simd.splat_f32s(FRAC_1_SQRT_2)));
    let cumulative = simd.mul_add_e_f32s(e, simd.splat_f32s(0.5), simd.splat_f32s(0.5));
    let density = exp(simd, simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(-0.5)));
    let density = simd.mul_f32s(density, simd.splat_f32s(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI));
    simd.mul_add_e_f32s(x, density, cumulative)
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

struct BiasGelu<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for BiasGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            zip_with(
                simd,
                row,
                self.bias,
                #[inline(always)]
                |x, b| gelu(simd, simd.add_f32s(x, b)),
            );
        }
    }
}

/// `rows = GELU(rows + bias)`, `rows: [n, bias.len()]`.
pub(crate) fn bias_gelu(rows: &mut [f32], bias: &[f32]) {
    dispatch(BiasGelu { rows, bias });
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        map(
            simd,
            self.0,
            #[inline(always)]
            |x| gelu(simd, x),
        );
    }
}

/// `values = GELU(values)`.
pub(crate) fn gelu_assign(values: &mut [f32]) {
    dispatch(Gelu(values));
}

struct GeluBackward<'a> {
    gradient: &'a mut [f32],
    input: &'a [f32],
}

impl WithSimd for GeluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip_with(
            simd,
            self.gradient,
            self.input,
            #[inline(always)]
            |g, x| simd.mul_f32s(g, gelu_derivative(simd, x)),
        );
    }
}

/// Turns dL/dGELU(input) into dL/dinput, in place.
pub(crate) fn gelu_backward(gradient: &mut [f32], input: &[f32]) {
    debug_assert_eq!(gradient.len(), input.len());
    dispatch(GeluBackward { gradient, input });
}

struct Swish<'a>(&'a mut [f32], &'a [f32]);

impl WithSimd for Swish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip_with(
            simd,
            self.0,
            self.1,
            #[inline(always)]
            |gate, value| simd.mul_f32s(simd.mul_f32s(gate, sigmoid(simd, gate)), value),
        );
    }
}

/// `gate = SiLU(gate) · value`, the SwiGLU product (Shazeer, arXiv 2002.05202).
pub(crate) fn swish_gate(gate: &mut [f32], value: &[f32]) {
    debug_assert_eq!(gate.len(), value.len());
    dispatch(Swish(gate, value));
}

/// Gradients of SiLU(gate)·value with respect to both, times `g`: dSiLU/dx = s·(1 + x·(1 − s)), s the sigmoid.
#[inline(always)]
fn swish_derivatives<S: Simd>(simd: S, gate: S::f32s, value: S::f32s, g: S::f32s) -> (S::f32s, S::f32s) {
    let one = simd.splat_f32s(1.0);
    let s = sigmoid(simd, gate);
    let slope = simd.mul_f32s(s, simd.mul_add_e_f32s(gate, simd.sub_f32s(one, s), one));
    (simd.mul_f32s(simd.mul_f32s(g, value), slope), simd.mul_f32s(g, simd.mul_f32s(gate, s)))
}

struct SwishBackward<'a> {
    gate: &'a mut [f32],
    value: &'a mut [f32],
    gradient: &'a [f32],
}

impl WithSimd for SwishBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (gates, gate_tail) = S::as_mut_simd_f32s(self.gate);
        let (values, value_tail) = S::as_mut_simd_f32s(self.value);
        let (gradients, gradient_tail) = S::as_simd_f32s(self.gradient);
        for ((gate, value), g) in gates.iter_mut().zip(values).zip(gradients) {
            (*gate, *value) = swish_derivatives(simd, *gate, *value, *g);
        }
        if !gate_tail.is_empty() {
            let g = simd.partial_load_f32s(gradient_tail);
            let (gate, value) = (simd.partial_load_f32s(gate_tail), simd.partial_load_f32s(value_tail));
            let (a, b) = swish_derivatives(simd, gate, value, g);
            simd.partial_store_f32s(gate_tail, a);
            simd.partial_store_f32s(value_tail, b);
        }
    }
}

/// Replaces `gate` and `value` by the gradients with respect to them, given dL/d(SiLU(gate)·value).
pub(crate) fn swish_gate_backward(gate: &mut [f32], value: &mut [f32], gradient: &[f32]) {
    dispatch(SwishBackward { gate, value, gradient });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows `[x, GELU(x), GELU′(x), SiLU(x), SiLU′(x)]`: `tests/vectors/activations/write.py` computes them to fifty digits.
    fn table() -> Vec<[f64; 5]> {
        let text = include_str!("../../tests/vectors/activations/table.tsv");
        let row = |line: &str| {
            let numbers: Vec<f64> = line.split('\t').map(|cell| cell.parse().unwrap()).collect();
            <[f64; 5]>::try_from(numbers).unwrap()
        };
        text.lines().skip(1).map(row).collect()
    }

    /// Errors are of the size of the argument's last bits: GELU and SiLU are near it, or near zero.
    fn near(what: &str, column: usize, found: &[f32]) {
        let table = table();
        assert_eq!(table.len(), found.len());
        for (row, found) in table.iter().zip(found) {
            let error = (f64::from(*found) - row[column]).abs();
            let bound = 4e-7 * row[0].abs().max(1.0);
            assert!(
                error <= bound,
                "{what}({}): {found}, expected {}, off by {error:e}",
                row[0],
                row[column]
            );
        }
    }

    fn inputs() -> Vec<f32> {
        table().iter().map(|row| row[0] as f32).collect()
    }

    #[test]
    fn gelu_is_the_exact_one_and_so_is_its_slope() {
        let inputs = inputs();
        let mut plain = inputs.clone();
        gelu_assign(&mut plain);
        near("gelu", 1, &plain);
        // With a bias of a power of two taken off before, in rows whose length is no whole number of vectors.
        let bias = vec![0.5; inputs.len()];
        let mut biased: Vec<f32> = inputs.iter().map(|x| x - 0.5).collect();
        bias_gelu(&mut biased, &bias);
        near("bias, then gelu", 1, &biased);
        let mut slope = vec![1.0; inputs.len()];
        gelu_backward(&mut slope, &inputs);
        near("gelu'", 2, &slope);
    }

    #[test]
    fn the_gate_is_silu_and_so_are_its_slopes() {
        let inputs = inputs();
        let (mut gate, one) = (inputs.clone(), vec![1.0; inputs.len()]);
        swish_gate(&mut gate, &one);
        near("silu", 3, &gate);
        let (mut gate, mut value) = (inputs, one.clone());
        swish_gate_backward(&mut gate, &mut value, &one);
        near("silu'", 4, &gate);
        near("the slope by the value", 3, &value);
    }
}
