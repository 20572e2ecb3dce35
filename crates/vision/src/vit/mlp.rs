//! The feed-forward half of a block.

use super::config::Mlp;
use super::linear::Linear;
use crate::kernels::gelu::{bias_gelu, gelu_assign, gelu_backward, swish_gate, swish_gate_backward};
use crate::kernels::lanes::add_to_rows;
use crate::kernels::matmul::{Destination, Matrix};

/// Fills `hidden` with act(x·W₁ + b₁). *Shapes* `x: [n, d]`, `expanded: [n, f or 2f]`; for SwiGLU the result is in
/// `gated: [n, f]`, otherwise in `expanded` itself.
pub(crate) fn activate(kind: Mlp, first: &Linear, x: &[f32], expanded: &mut [f32], gated: &mut Vec<f32>) {
    let rows = x.len() / first.inputs;
    first.product(expanded, Matrix::new(x, rows, first.inputs), rows, Destination::Replace);
    match kind {
        Mlp::Gelu if first.bias.is_empty() => gelu_assign(expanded),
        Mlp::Gelu => bias_gelu(expanded, &first.bias),
        Mlp::SwiGlu => {
            add_to_rows(expanded, &first.bias);
            gate(expanded, first.outputs / 2, gated);
        }
    }
}

/// `gated = SiLU(first half) · second half`, row by row.
fn gate(expanded: &[f32], hidden: usize, gated: &mut Vec<f32>) {
    gated.clear();
    for row in expanded.chunks_exact(2 * hidden) {
        let (a, b) = row.split_at(hidden);
        let start = gated.len();
        gated.extend_from_slice(a);
        swish_gate(&mut gated[start..], b);
    }
}

/// What the backward pass needs: the input of the activation, `[n, f or 2f]`.
#[derive(Debug)]
pub(crate) struct Recorded {
    before: Vec<f32>,
}

/// y = act(x·W₁ + b₁)·W₂ + b₂, remembering what the backward pass needs. `x: [n, d]`, `y: [n, d]`.
pub(crate) fn forward(kind: Mlp, first: &Linear, second: &Linear, x: &[f32]) -> (Vec<f32>, Recorded) {
    let before = first.forward(x);
    let y = second.forward(&activated(kind, &before, second.inputs));
    (y, Recorded { before })
}

fn activated(kind: Mlp, before: &[f32], hidden: usize) -> Vec<f32> {
    match kind {
        Mlp::Gelu => {
            let mut out = before.to_vec();
            gelu_assign(&mut out);
            out
        }
        Mlp::SwiGlu => {
            let mut out = Vec::new();
            gate(before, hidden, &mut out);
            out
        }
    }
}

/// Adds the layers' gradients and returns dL/dx for the forward pass's input `x`.
pub(crate) fn backward(
    kind: Mlp,
    (first, second): (&Linear, &Linear),
    x: &[f32],
    recorded: &Recorded,
    dy: &[f32],
    (first_gradient, second_gradient): (&mut Linear, &mut Linear),
) -> Vec<f32> {
    let hidden = second.inputs;
    let after = activated(kind, &recorded.before, hidden);
    let mut d_after = vec![0.0; after.len()];
    second.backward(&after, dy, Some(&mut d_after), second_gradient);
    drop(after);
    let d_before = match kind {
        Mlp::Gelu => {
            gelu_backward(&mut d_after, &recorded.before);
            d_after
        }
        Mlp::SwiGlu => {
            let mut d_before = recorded.before.clone();
            for (row, g) in d_before.chunks_exact_mut(2 * hidden).zip(d_after.chunks_exact(hidden)) {
                let (a, b) = row.split_at_mut(hidden);
                swish_gate_backward(a, b, g);
            }
            d_before
        }
    };
    let mut d_x = vec![0.0; x.len()];
    first.backward(x, &d_before, Some(&mut d_x), first_gradient);
    d_x
}
