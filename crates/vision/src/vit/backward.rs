//! A block's backward pass, beside the forward pass that it is the derivative of.
//!
//! Halves are taken in reverse. What was cheap to make again (normalised rows, activations) was not kept and is made again.

use super::attention;
use super::block::BlockParameters;
use super::config::{Config, Mlp};
use super::forward::{Branches, Workspace, apply, attention_shape};
use super::linear::Linear;
use crate::kernels::gelu::{gelu_backward, swish_gate_backward};

/// What one block's backward pass needs. *Shapes* as in `forward`.
#[derive(Debug)]
pub(crate) struct Recorded {
    input: Vec<f32>,
    qkv: Vec<f32>,
    probabilities: Vec<f32>,
    mixed: Vec<f32>,
    expanded: Vec<f32>,
    branches: Branches,
}

impl BlockParameters {
    /// [`BlockParameters::forward`], keeping what [`BlockParameters::backward`] needs.
    pub(crate) fn record(&self, config: &Config, x: &mut [f32]) -> Recorded {
        let mut space = Workspace::recording(config, x.len() / (config.tokens() * config.width));
        let input = x.to_vec();
        self.forward(config, x, &mut space);
        let Workspace { qkv, probabilities, mixed, expanded, recording, .. } = space;
        Recorded { input, qkv, probabilities, mixed, expanded, branches: recording.unwrap_or_default() }
    }

    /// Turns `d_x`, the gradient at the block's output, into the gradient at its input and adds the parameters'
    /// gradients to `gradient`.
    pub(crate) fn backward(
        &self,
        config: &Config,
        recorded: &Recorded,
        d_x: &mut [f32],
        gradient: &mut Self,
    ) {
        let (t, d) = (config.tokens(), config.width);
        let epsilon = config.norm_epsilon;
        let mut normed = vec![0.0; d_x.len()];

        self.norm2.apply(&mut normed, &recorded.branches.middle, epsilon);
        let d_branch =
            scale_backward(d_x, &recorded.branches.feed_forward, &self.scale2, &mut gradient.scale2);
        let layers = (&self.fc1, &self.fc2);
        let gradients = (&mut gradient.fc1, &mut gradient.fc2);
        let d_normed =
            feed_forward_backward(config.mlp, layers, &normed, &recorded.expanded, &d_branch, gradients);
        self.norm2.backward(d_x, &d_normed, &recorded.branches.middle, epsilon, &mut gradient.norm2);

        let d_branch = scale_backward(d_x, &recorded.branches.attention, &self.scale1, &mut gradient.scale1);
        let mut d_mixed = vec![0.0; d_x.len()];
        self.proj.backward(&recorded.mixed, &d_branch, Some(&mut d_mixed), &mut gradient.proj);
        let mut d_qkv = vec![0.0; recorded.qkv.len()];
        let per_image = recorded.qkv.chunks_exact(t * 3 * d).zip(d_qkv.chunks_exact_mut(t * 3 * d));
        let probabilities = recorded.probabilities.chunks_exact(config.heads * t * t);
        for (((qkv, d_qkv), p), d_mixed) in per_image.zip(probabilities).zip(d_mixed.chunks_exact(t * d)) {
            attention::attend_backward(attention_shape(config), qkv, p, d_mixed, d_qkv);
        }
        self.norm1.apply(&mut normed, &recorded.input, epsilon);
        let mut d_normed = vec![0.0; d_x.len()];
        self.qkv.backward(&normed, &d_qkv, Some(&mut d_normed), &mut gradient.qkv);
        self.norm1.backward(d_x, &d_normed, &recorded.input, epsilon, &mut gradient.norm1);
    }
}

/// dL/dbranch of x + scale·branch; adds dL/dscale to `d_scale` unless that is empty.
fn scale_backward(d_x: &[f32], branch: &[f32], scale: &[f32], d_scale: &mut [f32]) -> Vec<f32> {
    let mut d_branch = d_x.to_vec();
    if scale.is_empty() {
        return d_branch;
    }
    let d = scale.len();
    for (row, y) in d_branch.chunks_exact_mut(d).zip(branch.chunks_exact(d)) {
        for ((total, g), y) in d_scale.iter_mut().zip(row.iter()).zip(y) {
            *total += g * y;
        }
        for (g, s) in row.iter_mut().zip(scale) {
            *g *= s;
        }
    }
    d_branch
}

/// Adds the layers' gradients and returns dL/dx for the forward pass's input `x`.
fn feed_forward_backward(
    kind: Mlp,
    (first, second): (&Linear, &Linear),
    x: &[f32],
    before: &[f32],
    dy: &[f32],
    (first_gradient, second_gradient): (&mut Linear, &mut Linear),
) -> Vec<f32> {
    let hidden = second.inputs;
    let mut after = Vec::new();
    apply(kind, before, hidden, &mut after);
    let mut d_after = vec![0.0; after.len()];
    second.backward(&after, dy, Some(&mut d_after), second_gradient);
    drop(after);
    let d_before = match kind {
        Mlp::Gelu => {
            gelu_backward(&mut d_after, before);
            d_after
        }
        Mlp::SwiGlu => {
            let mut d_before = before.to_vec();
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
