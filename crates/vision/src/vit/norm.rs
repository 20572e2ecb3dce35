//! The learned scale and shift of a layer normalisation.

use crate::kernels::norm::{layer_norm, layer_norm_backward};

/// γ and β of a layer normalisation. As a gradient, empty means "not trained".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Norm {
    /// γ: `[width]`.
    pub gamma: Vec<f32>,
    /// β: `[width]`.
    pub beta: Vec<f32>,
}

impl Norm {
    /// The identity: γ = 1, β = 0.
    pub fn identity(width: usize) -> Self {
        Self { gamma: vec![1.0; width], beta: vec![0.0; width] }
    }

    /// A zero gradient.
    pub(crate) fn gradient(&self) -> Self {
        Self { gamma: vec![0.0; self.gamma.len()], beta: vec![0.0; self.beta.len()] }
    }

    /// `out = LayerNorm(x)`, row by row.
    pub(crate) fn apply(&self, out: &mut [f32], x: &[f32], epsilon: f32) {
        layer_norm(out, x, &self.gamma, &self.beta, epsilon);
    }

    /// Adds dL/dx to `d_x` and dL/dγ, dL/dβ to `gradient`, for the input `x` of the forward pass.
    pub(crate) fn backward(&self, d_x: &mut [f32], dy: &[f32], x: &[f32], epsilon: f32, gradient: &mut Self) {
        layer_norm_backward(d_x, dy, x, &self.gamma, epsilon, (&mut gradient.gamma, &mut gradient.beta));
    }
}
