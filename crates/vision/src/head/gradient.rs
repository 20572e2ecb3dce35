//! Gradients of the heads, for training them and for carrying a loss into the backbone.

use super::activation::{Activation, evaluate, slope};
use super::linear::{LinearHead, affine, affine_gradient};
use super::polynomial::PolynomialHead;
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};

/// Weight of the penalty ½·max(0, |h| − range)² on the polynomial's argument, a batch's mean.
const RANGE_PENALTY: f32 = 0.1;

/// Gradient of a loss with respect to a linear head and its input.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearGradient {
    /// dL/dW: `[classes, width]`.
    pub weight: Vec<f32>,
    /// dL/db: `[classes]`.
    pub bias: Vec<f32>,
    /// dL/dx: `[n, width]`.
    pub rows: Vec<f32>,
}

/// Gradient of a loss with respect to a polynomial head and its input; shapes as in [`PolynomialHead`].
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialGradient {
    /// dL/dW₁
    pub weight1: Vec<f32>,
    /// dL/db₁
    pub bias1: Vec<f32>,
    /// dL/d(coefficients of p)
    pub polynomial: Vec<f32>,
    /// dL/dW₂
    pub weight2: Vec<f32>,
    /// dL/db₂
    pub bias2: Vec<f32>,
    /// dL/dx of the clipped rows: `[n, width]`.
    pub rows: Vec<f32>,
}

/// dy·W for `dy: [n, outputs]`, `weight: [outputs, width]`.
pub(super) fn input_gradient(dy: &[f32], weight: &[f32], outputs: usize, width: usize) -> Vec<f32> {
    let n = dy.len() / outputs;
    let mut out = vec![0.0; n * width];
    let (dy, weight) = (Matrix::new(dy, n, outputs), Matrix::new(weight, outputs, width));
    multiply(MatrixMut::new(&mut out, n, width), dy, weight, 1.0, Destination::Replace);
    out
}

impl LinearHead {
    /// The gradient for `rows: [n, width]` and dL/dlogits `[n, classes]`.
    pub fn gradient(&self, rows: &[f32], d_logits: &[f32]) -> LinearGradient {
        let classes = self.bias.len();
        let (weight, bias) = affine_gradient(rows, d_logits, self.width, classes);
        LinearGradient { weight, bias, rows: input_gradient(d_logits, &self.weight, classes, self.width) }
    }
}

impl PolynomialHead {
    /// The gradient for clipped `rows: [n, width]` and dL/dlogits `[n, classes]`, with a penalty that keeps the
    /// polynomial's argument within ±`range`.
    pub fn gradient(&self, rows: &[f32], d_logits: &[f32], range: f32) -> PolynomialGradient {
        let (hidden_width, classes) = (self.bias1.len(), self.bias2.len());
        let hidden = affine(rows, &self.weight1, &self.bias1, self.width);
        let activated: Vec<f32> = hidden.iter().map(|h| evaluate(&self.polynomial, *h)).collect();
        let (weight2, bias2) = affine_gradient(&activated, d_logits, hidden_width, classes);
        let mut d_hidden = input_gradient(d_logits, &self.weight2, classes, hidden_width);
        let mut polynomial = vec![0.0; self.polynomial.len()];
        let pull = RANGE_PENALTY * self.width as f32 / rows.len().max(1) as f32;
        for (d, h) in d_hidden.iter_mut().zip(&hidden) {
            let mut power = *d;
            for coefficient in &mut polynomial {
                *coefficient += power;
                power *= h;
            }
            *d *= slope(&self.polynomial, *h);
            *d += pull * (h.abs() - range).max(0.0) * h.signum();
        }
        let (weight1, bias1) = affine_gradient(rows, &d_hidden, self.width, hidden_width);
        let rows = input_gradient(&d_hidden, &self.weight1, hidden_width, self.width);
        PolynomialGradient { weight1, bias1, polynomial, weight2, bias2, rows }
    }

    /// Every tensor with its gradient and whether it decays, for the optimiser; a fixed polynomial gets none.
    pub(crate) fn tensors<'a>(
        &'a mut self,
        gradient: &'a PolynomialGradient,
        activation: Activation,
    ) -> impl Iterator<Item = (&'a mut [f32], &'a [f32], bool)> {
        let polynomial: &[f32] = if activation.is_trained() { &gradient.polynomial } else { &[] };
        [
            (self.weight1.as_mut_slice(), gradient.weight1.as_slice(), true),
            (&mut self.bias1, &gradient.bias1, false),
            (&mut self.weight2, &gradient.weight2, true),
            (&mut self.bias2, &gradient.bias2, false),
            (&mut self.polynomial, polynomial, false),
        ]
        .into_iter()
    }
}
