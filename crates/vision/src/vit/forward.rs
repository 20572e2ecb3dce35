//! A block's forward pass: x += s₁·Attention(LN(x)); x += s₂·MLP(LN(x)), pre-norm (Xiong et al., arXiv 2002.04745).
//!
//! There is one of it for every token, whatever it is for: what a backward pass needs is what a [`Workspace`] made for recording keeps.
//! Three others say the same again, each held against this one by a test: [`BlockParameters::forward_class`] below, the last block for the
//! CLS token alone; the graphics processor's, whose kernels are in `gpu`; and the audit's, in `f64`, whose derivatives by inputs no
//! training needs.
//!
//! | step | shape |
//! | --- | --- |
//! | `normed = LN(x)` | `[b, t, d]` |
//! | `qkv = normed·W + b`, a token's query, key and value side by side | `[b, t, 3d]` |
//! | `p = softmax(q·kᵀ/√e)`, one image and head after the other | `[t, t]` |
//! | `mixed = p·v`, heads side by side | `[b, t, d]` |
//! | `x += s₁·(mixed·W + b)` | `[b, t, d]` |
//! | `normed = LN(x)` | `[b, t, d]` |
//! | `expanded = normed·W + b` | `[b, t, f]`, or `[b, t, 2f]` when gated |
//! | `activated = GELU(expanded)`, or `SiLU(first half) · second half` | `[b, t, f]` |
//! | `x += s₂·(activated·W + b)` | `[b, t, d]` |

use super::attention::{self, Shape};
use super::block::BlockParameters;
use super::config::{Config, Mlp};
use super::linear::Linear;
use crate::kernels::gelu::{bias_gelu, gelu_assign, swish_gate};
use crate::kernels::lanes::{add_scaled, add_to_rows};
use crate::kernels::matmul::{Destination, Matrix};

/// Buffers of a forward pass. One that only computes is shared by all blocks; one that records serves one block.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    normed: Vec<f32>,
    pub(super) qkv: Vec<f32>,
    /// Of one head, overwritten by the next; of all images and heads when recording.
    pub(super) probabilities: Vec<f32>,
    pub(super) mixed: Vec<f32>,
    /// Before the activation. GELU works in place unless recording.
    pub(super) expanded: Vec<f32>,
    activated: Vec<f32>,
    branch: Vec<f32>,
    pub(super) recording: Option<Branches>,
}

/// What a recording keeps besides the buffers.
#[derive(Debug, Default)]
pub(super) struct Branches {
    /// `x` between the two halves.
    pub(super) middle: Vec<f32>,
    /// Each half before its layer scale; empty without one.
    pub(super) attention: Vec<f32>,
    pub(super) feed_forward: Vec<f32>,
}

impl Workspace {
    /// For passes over at most `images` images of which nothing is kept.
    pub(crate) fn new(config: &Config, images: usize) -> Self {
        let (t, d) = (config.tokens(), config.width);
        let n = images * t;
        Self {
            normed: vec![0.0; n * d],
            qkv: vec![0.0; n * 3 * d],
            probabilities: vec![0.0; t * t],
            mixed: vec![0.0; n * d],
            expanded: vec![0.0; n * config.expanded()],
            activated: Vec::new(),
            branch: vec![0.0; if config.layer_scale { n * d } else { 0 }],
            recording: None,
        }
    }

    /// For one pass over `images` images that keeps what its backward pass needs.
    pub(super) fn recording(config: &Config, images: usize) -> Self {
        let (t, d) = (config.tokens(), config.width);
        Self {
            probabilities: vec![0.0; images * config.heads * t * t],
            branch: vec![0.0; images * t * d],
            recording: Some(Branches::default()),
            ..Self::new(config, images)
        }
    }
}

pub(super) fn attention_shape(config: &Config) -> Shape {
    Shape { tokens: config.tokens(), heads: config.heads, head_width: config.head_width() }
}

impl BlockParameters {
    /// Replaces `x: [b, t, d]` by the block's output.
    pub(crate) fn forward(&self, config: &Config, x: &mut [f32], space: &mut Workspace) {
        let (t, d) = (config.tokens(), config.width);
        let n = x.len() / d;
        let normed = &mut space.normed[..n * d];
        let qkv = &mut space.qkv[..n * 3 * d];
        let mixed = &mut space.mixed[..n * d];
        self.norm1.apply(normed, x, config.norm_epsilon);
        self.qkv.product(qkv, Matrix::new(normed, n, d), n, Destination::Replace);
        add_to_rows(qkv, &self.qkv.bias);
        let kept = if space.recording.is_some() { config.heads * t * t } else { 0 };
        for (image, (qkv, mixed)) in
            qkv.chunks_exact(t * 3 * d).zip(mixed.chunks_exact_mut(t * d)).enumerate()
        {
            // A buffer with room for every head keeps them all, one with room for one is overwritten.
            let p = if kept == 0 {
                &mut space.probabilities[..]
            } else {
                &mut space.probabilities[image * kept..(image + 1) * kept]
            };
            attention::attend(attention_shape(config), qkv, p, mixed);
        }
        let kept = residual(x, &self.proj, mixed, &self.scale1, &mut space.branch, space.recording.is_some());
        if let Some(recording) = &mut space.recording {
            (recording.middle, recording.attention) = (x.to_vec(), kept);
        }
        self.feed_forward(config, x, space);
    }

    /// The second half, on `x: [n, d]`, whatever its rows are.
    fn feed_forward(&self, config: &Config, x: &mut [f32], space: &mut Workspace) {
        let n = x.len() / config.width;
        let normed = &mut space.normed[..x.len()];
        let expanded = &mut space.expanded[..n * config.expanded()];
        self.norm2.apply(normed, x, config.norm_epsilon);
        let recording = space.recording.is_some();
        let activated = activate(config.mlp, &self.fc1, normed, expanded, &mut space.activated, recording);
        let kept = residual(x, &self.fc2, activated, &self.scale2, &mut space.branch, recording);
        if let Some(recording) = &mut space.recording {
            recording.feed_forward = kept;
        }
    }

    /// The CLS tokens `[b, d]` after this block, from `x: [b, t, d]`: keys and values of all tokens, everything else
    /// for the CLS token alone. Equal to [`BlockParameters::forward`] followed by selection, at a sixth of its cost.
    pub(crate) fn forward_class(&self, config: &Config, x: &[f32], space: &mut Workspace) -> Vec<f32> {
        let (t, d) = (config.tokens(), config.width);
        let n = x.len() / d;
        let images = n / t;
        self.norm1.apply(&mut space.normed[..n * d], x, config.norm_epsilon);
        let (normed, key_value) = (&space.normed[..n * d], &mut space.qkv[..n * 2 * d]);
        self.qkv.product_columns(key_value, Matrix::new(normed, n, d), n, d..3 * d, Destination::Replace);
        let class = Matrix::strided(normed, images, d, t * d);
        let mut query = vec![0.0; images * d];
        self.qkv.product_columns(&mut query, class, images, 0..d, Destination::Replace);
        if config.qkv_bias {
            add_to_rows(&mut query, &self.qkv.bias[..d]);
            add_to_rows(key_value, &self.qkv.bias[d..]);
        }
        let mixed = &mut space.mixed[..images * d];
        for (image, (query, mixed)) in query.chunks_exact(d).zip(mixed.chunks_exact_mut(d)).enumerate() {
            let key_value = &key_value[image * t * 2 * d..(image + 1) * t * 2 * d];
            attention::attend_class(
                attention_shape(config),
                query,
                key_value,
                &mut space.probabilities,
                mixed,
            );
        }
        let mut class: Vec<f32> = x.chunks_exact(t * d).flat_map(|x| &x[..d]).copied().collect();
        residual(&mut class, &self.proj, mixed, &self.scale1, &mut space.branch, false);
        self.feed_forward(config, &mut class, space);
        class
    }
}

/// `x += scale · (a·W + b)`. Without layer scale the product lands in `x` directly, unless recording: gradients are those of
/// a sum of two terms. Returns the branch where a layer scale's gradient needs it.
fn residual(
    x: &mut [f32],
    layer: &Linear,
    a: &[f32],
    scale: &[f32],
    branch: &mut [f32],
    recording: bool,
) -> Vec<f32> {
    let rows = a.len() / layer.inputs;
    let input = Matrix::new(a, rows, layer.inputs);
    if scale.is_empty() && !recording {
        layer.product(x, input, rows, Destination::Accumulate);
        add_to_rows(x, &layer.bias);
        return Vec::new();
    }
    let branch = &mut branch[..x.len()];
    layer.product(branch, input, rows, Destination::Replace);
    add_to_rows(branch, &layer.bias);
    if scale.is_empty() {
        add_scaled(x, branch, 1.0);
        return Vec::new();
    }
    add_product(x, branch, scale);
    if recording { branch.to_vec() } else { Vec::new() }
}

/// `x[i, j] += branch[i, j] · scale[j]`
fn add_product(x: &mut [f32], branch: &[f32], scale: &[f32]) {
    for (x, y) in x.chunks_exact_mut(scale.len()).zip(branch.chunks_exact(scale.len())) {
        for ((x, y), s) in x.iter_mut().zip(y).zip(scale) {
            *x += y * s;
        }
    }
}

/// act(x·W₁ + b₁). *Shapes* `x: [n, d]`, `expanded: [n, f or 2f]`, result `[n, f]`. `expanded` still holds what the activation
/// was applied to where it is gated or `keep` asks for it.
fn activate<'s>(
    kind: Mlp,
    first: &Linear,
    x: &[f32],
    expanded: &'s mut [f32],
    activated: &'s mut Vec<f32>,
    keep: bool,
) -> &'s [f32] {
    let rows = x.len() / first.inputs;
    first.product(expanded, Matrix::new(x, rows, first.inputs), rows, Destination::Replace);
    match kind {
        Mlp::Gelu if !keep => {
            if first.bias.is_empty() {
                gelu_assign(expanded);
            } else {
                bias_gelu(expanded, &first.bias);
            }
            expanded
        }
        Mlp::Gelu | Mlp::SwiGlu => {
            add_to_rows(expanded, &first.bias);
            apply(kind, expanded, first.outputs / 2, activated);
            activated
        }
    }
}

/// The activation of every row: `before: [n, f or 2f]`, `after: [n, f]`.
pub(super) fn apply(kind: Mlp, before: &[f32], hidden: usize, after: &mut Vec<f32>) {
    after.clear();
    match kind {
        Mlp::Gelu => {
            after.extend_from_slice(before);
            gelu_assign(after);
        }
        Mlp::SwiGlu => {
            for row in before.chunks_exact(2 * hidden) {
                let (a, b) = row.split_at(hidden);
                let start = after.len();
                after.extend_from_slice(a);
                swish_gate(&mut after[start..], b);
            }
        }
    }
}
