//! One pre-norm block: x += s₁·Attention(LN(x)); x += s₂·MLP(LN(x)).

use super::attention::{self, Shape};
use super::config::{Config, Mlp};
use super::linear::Linear;
use super::mlp;
use super::norm::Norm;
use crate::kernels::lanes::add_to_rows;
use crate::kernels::matmul::{Destination, Matrix};

/// Parameters of one block, or their gradient (empty tensors are not trained).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockParameters {
    /// Normalisation before attention.
    pub norm1: Norm,
    /// Query, key and value side by side: `[d, 3d]`.
    pub qkv: Linear,
    /// Attention's output projection: `[d, d]`.
    pub proj: Linear,
    /// Layer scale of the attention branch: `[d]`, or empty.
    pub scale1: Vec<f32>,
    /// Normalisation before the feed-forward half.
    pub norm2: Norm,
    /// First feed-forward layer: `[d, f]`, or `[d, 2f]` when gated.
    pub fc1: Linear,
    /// Second feed-forward layer: `[f, d]`.
    pub fc2: Linear,
    /// Layer scale of the feed-forward branch: `[d]`, or empty.
    pub scale2: Vec<f32>,
}

/// Buffers that every block of a forward pass shares.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    probabilities: Vec<f32>,
    mixed: Vec<f32>,
    expanded: Vec<f32>,
    gated: Vec<f32>,
    branch: Vec<f32>,
}

impl Workspace {
    pub(crate) fn new(config: &Config, images: usize) -> Self {
        let (t, d) = (config.tokens(), config.width);
        let n = images * t;
        Self {
            normed: vec![0.0; n * d],
            qkv: vec![0.0; n * 3 * d],
            probabilities: vec![0.0; t * t],
            mixed: vec![0.0; n * d],
            expanded: vec![0.0; n * config.expanded()],
            gated: Vec::new(),
            branch: vec![0.0; if config.layer_scale { n * d } else { 0 }],
        }
    }
}

/// What one block's backward pass needs.
#[derive(Debug)]
pub(crate) struct Recorded {
    input: Vec<f32>,
    qkv: Vec<f32>,
    probabilities: Vec<f32>,
    mixed: Vec<f32>,
    attention_out: Vec<f32>,
    middle: Vec<f32>,
    mlp: mlp::Recorded,
    mlp_out: Vec<f32>,
}

fn attention_shape(config: &Config) -> Shape {
    Shape { tokens: config.tokens(), heads: config.heads, head_width: config.head_width() }
}

/// `x += scale · (a·W + b)`; without layer scale the product lands in `x` directly.
fn residual(x: &mut [f32], layer: &Linear, a: &[f32], scale: &[f32], branch: &mut [f32]) {
    let rows = a.len() / layer.inputs;
    let input = Matrix::new(a, rows, layer.inputs);
    if scale.is_empty() {
        layer.product(x, input, rows, Destination::Accumulate);
        add_to_rows(x, &layer.bias);
        return;
    }
    let branch = &mut branch[..x.len()];
    layer.product(branch, input, rows, Destination::Replace);
    add_to_rows(branch, &layer.bias);
    add_product(x, branch, scale);
}

/// `x[i, j] += branch[i, j] · scale[j]`
fn add_product(x: &mut [f32], branch: &[f32], scale: &[f32]) {
    for (x, y) in x.chunks_exact_mut(scale.len()).zip(branch.chunks_exact(scale.len())) {
        for ((x, y), s) in x.iter_mut().zip(y).zip(scale) {
            *x += y * s;
        }
    }
}

impl BlockParameters {
    /// Zeros with identity normalisations and unit layer scales.
    pub(crate) fn zeros(config: &Config) -> Self {
        let d = config.width;
        let scale = vec![1.0; if config.layer_scale { d } else { 0 }];
        Self {
            norm1: Norm::identity(d),
            qkv: Linear::zeros(d, 3 * d, config.qkv_bias),
            proj: Linear::zeros(d, d, true),
            scale1: scale.clone(),
            norm2: Norm::identity(d),
            fc1: Linear::zeros(d, config.expanded(), true),
            fc2: Linear::zeros(config.hidden, d, true),
            scale2: scale,
        }
    }

    /// A gradient in which nothing is trained.
    pub(crate) fn untrained(&self) -> Self {
        Self {
            qkv: self.qkv.untrained(),
            proj: self.proj.untrained(),
            fc1: self.fc1.untrained(),
            fc2: self.fc2.untrained(),
            ..Self::default()
        }
    }

    /// A zero gradient of every parameter.
    pub(crate) fn gradient(&self) -> Self {
        Self {
            norm1: self.norm1.gradient(),
            qkv: self.qkv.gradient(),
            proj: self.proj.gradient(),
            scale1: vec![0.0; self.scale1.len()],
            norm2: self.norm2.gradient(),
            fc1: self.fc1.gradient(),
            fc2: self.fc2.gradient(),
            scale2: vec![0.0; self.scale2.len()],
        }
    }

    /// A zero gradient of the adapters alone.
    pub(crate) fn adapter_gradient(&self) -> Self {
        Self {
            qkv: self.qkv.adapter_gradient(),
            proj: self.proj.adapter_gradient(),
            fc1: self.fc1.adapter_gradient(),
            fc2: self.fc2.adapter_gradient(),
            ..self.untrained()
        }
    }

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
        for (qkv, mixed) in qkv.chunks_exact(t * 3 * d).zip(mixed.chunks_exact_mut(t * d)) {
            attention::attend(attention_shape(config), qkv, &mut space.probabilities, mixed);
        }
        residual(x, &self.proj, mixed, &self.scale1, &mut space.branch);
        self.feed_forward(config, x, space);
    }

    fn feed_forward(&self, config: &Config, x: &mut [f32], space: &mut Workspace) {
        let n = x.len() / config.width;
        let normed = &mut space.normed[..x.len()];
        let expanded = &mut space.expanded[..n * config.expanded()];
        self.norm2.apply(normed, x, config.norm_epsilon);
        mlp::activate(config.mlp, &self.fc1, normed, expanded, &mut space.gated);
        let activated: &[f32] = match config.mlp {
            Mlp::Gelu => expanded,
            Mlp::SwiGlu => &space.gated,
        };
        residual(x, &self.fc2, activated, &self.scale2, &mut space.branch);
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
        residual(&mut class, &self.proj, mixed, &self.scale1, &mut space.branch);
        self.feed_forward(config, &mut class, space);
        class
    }

    /// As [`BlockParameters::forward`], keeping what [`BlockParameters::backward`] needs.
    pub(crate) fn record(&self, config: &Config, x: &mut Vec<f32>) -> Recorded {
        let (t, d) = (config.tokens(), config.width);
        let images = x.len() / (t * d);
        let mut normed = vec![0.0; x.len()];
        self.norm1.apply(&mut normed, x, config.norm_epsilon);
        let qkv = self.qkv.forward(&normed);
        let mut probabilities = vec![0.0; images * config.heads * t * t];
        let mut mixed = vec![0.0; x.len()];
        let per_image = qkv.chunks_exact(t * 3 * d).zip(probabilities.chunks_exact_mut(config.heads * t * t));
        for ((qkv, p), mixed) in per_image.zip(mixed.chunks_exact_mut(t * d)) {
            attention::attend(attention_shape(config), qkv, p, mixed);
        }
        let attention_out = self.proj.forward(&mixed);
        let mut middle = x.clone();
        add_branch(&mut middle, &attention_out, &self.scale1);
        self.norm2.apply(&mut normed, &middle, config.norm_epsilon);
        let (mlp_out, mlp) = mlp::forward(config.mlp, &self.fc1, &self.fc2, &normed);
        let mut out = middle.clone();
        add_branch(&mut out, &mlp_out, &self.scale2);
        let input = std::mem::replace(x, out);
        let kept = |v: Vec<f32>| if config.layer_scale { v } else { Vec::new() };
        let (attention_out, mlp_out) = (kept(attention_out), kept(mlp_out));
        Recorded { input, qkv, probabilities, mixed, attention_out, middle, mlp, mlp_out }
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

        self.norm2.apply(&mut normed, &recorded.middle, epsilon);
        let d_branch = scale_backward(d_x, &recorded.mlp_out, &self.scale2, &mut gradient.scale2);
        let layers = (&self.fc1, &self.fc2);
        let gradients = (&mut gradient.fc1, &mut gradient.fc2);
        let d_normed = mlp::backward(config.mlp, layers, &normed, &recorded.mlp, &d_branch, gradients);
        self.norm2.backward(d_x, &d_normed, &recorded.middle, epsilon, &mut gradient.norm2);

        let d_branch = scale_backward(d_x, &recorded.attention_out, &self.scale1, &mut gradient.scale1);
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

fn add_branch(x: &mut [f32], branch: &[f32], scale: &[f32]) {
    if scale.is_empty() {
        crate::kernels::lanes::add_scaled(x, branch, 1.0);
    } else {
        add_product(x, branch, scale);
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
