//! The forward pass on a graphics processor: the model's weights and one batch's activations live there, pixels go in and
//! CLS tokens come out. Kernels are in `gpu/kernels.wgsl`; equality with the processor is tested.

mod device;

use wgpu::Buffer;

use super::block::BlockParameters;
use super::config::{Config, Mlp};
use super::linear::Linear;
use super::model::Vit;
use super::norm::Norm;
use crate::error::{Error, Result};
use device::{Gpu, Kernel, Params, Step};

/// Most tokens and widest head: what a kernel's shared memory holds.
const MOST_TOKENS: usize = 3584;
const WIDEST_HEAD: usize = 256;
/// Most rows a launch can have.
const MOST_ROWS: usize = 65_535;

/// Flags of a product, as in `kernels.wgsl`.
const BIAS: u32 = 1;
const GELU: u32 = 2;
const SCALE: u32 = 4;
const ACCUMULATE: u32 = 8;

/// A model on a graphics processor.
#[derive(Debug)]
pub struct GpuVit {
    gpu: Gpu,
    /// Images that go through together.
    batch: usize,
    patches: Buffer,
    steps: Vec<Step>,
    class: Buffer,
}

impl GpuVit {
    /// Brings a model to the best graphics processor, with room for `batch` images; `software` allows one that is a program.
    ///
    /// # Errors
    /// [`Error::Gpu`] when there is none, or the model is too large for it.
    pub fn new(model: &Vit, batch: usize, software: bool) -> Result<Self> {
        let gpu = Gpu::open(software)?;
        let config = model.config();
        let batch = batch.clamp(1, (MOST_ROWS / config.tokens()).max(1));
        check(&gpu, config, batch)?;
        let mut plan = Plan::new(&gpu, config, batch);
        plan.embed(model);
        for block in &model.parameters().blocks {
            plan.block(block);
        }
        let Plan { mut steps, x, none, patches, .. } = plan;
        let class = gpu.room(batch * config.width);
        // The CLS token is the first of each image's.
        let stride = config.tokens() * config.width;
        steps.push(normalise(&gpu, config, &model.parameters().norm, (&x, stride, batch), &class, &none));
        gpu.check()?;
        Ok(Self { gpu, batch, patches, steps, class })
    }

    /// What the graphics processor calls itself.
    pub fn name(&self) -> &str {
        &self.gpu.name
    }

    /// As [`Vit::cls_tokens`] of the `model` that was brought here.
    ///
    /// # Errors
    /// [`Error::Shape`] when `pixels` is no whole number of images, [`Error::Gpu`] when the device fails.
    pub fn cls_tokens(&self, model: &Vit, pixels: &[f32]) -> Result<Vec<f32>> {
        let (d, each) = (model.config().width, model.config().pixels());
        let mut out = Vec::with_capacity(model.images(pixels)? * d);
        for chunk in pixels.chunks(self.batch * each) {
            let patches = model.patches(chunk);
            let count = chunk.len() / each * d;
            out.extend(self.gpu.run((&patches, &self.patches), &self.steps, (&self.class, count))?);
        }
        Ok(out)
    }
}

fn check(gpu: &Gpu, config: &Config, batch: usize) -> Result<()> {
    let (tokens, head) = (config.tokens(), config.head_width());
    let rows = batch * tokens;
    let largest = [rows * config.expanded(), rows * 3 * config.width, config.expanded() * config.width];
    let largest = largest.into_iter().max().unwrap_or(0) as u64;
    let reason = if tokens > MOST_TOKENS {
        format!("{tokens} tokens are more than its kernels take, {MOST_TOKENS}")
    } else if head > WIDEST_HEAD {
        format!("heads of {head} are wider than its kernels take, {WIDEST_HEAD}")
    } else if largest > gpu.most_values() {
        format!("{} takes buffers of {} values, the model needs {largest}", gpu.name, gpu.most_values())
    } else {
        return Ok(());
    };
    Err(Error::Gpu { reason })
}

/// A forward pass being laid out.
struct Plan<'a> {
    gpu: &'a Gpu,
    config: &'a Config,
    batch: usize,
    steps: Vec<Step>,
    /// Bound where a kernel reads nothing.
    none: Buffer,
    patches: Buffer,
    /// `[b·t, d]`, as are `normed` and `mixed`.
    x: Buffer,
    normed: Buffer,
    mixed: Buffer,
    /// `[b·t, 3d]`
    qkv: Buffer,
    /// `[b·t, f or 2f]`
    expanded: Buffer,
    /// `[b·t, f]`
    gated: Buffer,
}

impl<'a> Plan<'a> {
    fn new(gpu: &'a Gpu, config: &'a Config, batch: usize) -> Self {
        let (rows, d) = (batch * config.tokens(), config.width);
        let gated = if config.mlp == Mlp::SwiGlu { rows * config.hidden } else { 1 };
        Self {
            gpu,
            config,
            batch,
            steps: Vec::new(),
            none: gpu.upload(&[]),
            patches: gpu.room(batch * config.pixels()),
            x: gpu.room(rows * d),
            normed: gpu.room(rows * d),
            mixed: gpu.room(rows * d),
            qkv: gpu.room(rows * 3 * d),
            expanded: gpu.room(rows * config.expanded()),
            gated: gpu.room(gated),
        }
    }

    fn rows(&self) -> usize {
        self.batch * self.config.tokens()
    }

    /// Patches → tokens with positions, as `Vit::embed`.
    fn embed(&mut self, model: &Vit) {
        let (config, p) = (self.config, model.parameters());
        let (d, n) = (config.width, config.patches());
        let (before, positions) = p.positions.split_at(config.prefix_positions * d);
        let mut first = [p.class.as_slice(), &p.registers].concat();
        for (v, position) in first.iter_mut().zip(before) {
            *v += position;
        }
        self.steps.push(self.product(&p.patch, &self.patches, &self.normed, self.batch * n, 0, &[]));
        let params = Params {
            rows: self.rows(),
            columns: d,
            tokens: config.tokens(),
            first: config.prefix(),
            ..Params::default()
        };
        let (first, positions) = (self.gpu.upload(&first), self.gpu.upload(positions));
        let buffers = [&self.normed, &first, &positions, &self.none, &self.x];
        self.steps.push(self.gpu.step(Kernel::Assemble, params, buffers, [self.rows(), 1, 1]));
    }

    /// As `BlockParameters::forward`.
    fn block(&mut self, block: &BlockParameters) {
        let (config, rows) = (self.config, self.rows());
        let (d, t) = (config.width, config.tokens());
        let norm = |norm| normalise(self.gpu, config, norm, (&self.x, d, rows), &self.normed, &self.none);
        let mut steps = vec![norm(&block.norm1)];
        steps.push(self.product(&block.qkv, &self.normed, &self.qkv, rows, 0, &[]));
        let head = config.head_width();
        let real = 1.0 / (head as f32).sqrt();
        let params = Params { inner: head, columns: d, tokens: t, real, ..Params::default() };
        let buffers = [&self.qkv, &self.none, &self.none, &self.none, &self.mixed];
        steps.push(self.gpu.step(Kernel::Attend, params, buffers, [t, config.heads, self.batch]));
        steps.push(self.product(&block.proj, &self.mixed, &self.x, rows, ACCUMULATE, &block.scale1));
        steps.push(norm(&block.norm2));
        let activated = match config.mlp {
            Mlp::Gelu => {
                steps.push(self.product(&block.fc1, &self.normed, &self.expanded, rows, GELU, &[]));
                &self.expanded
            }
            Mlp::SwiGlu => {
                steps.push(self.product(&block.fc1, &self.normed, &self.expanded, rows, 0, &[]));
                let params = Params { columns: config.hidden, ..Params::default() };
                let buffers = [&self.expanded, &self.none, &self.none, &self.none, &self.gated];
                steps.push(self.gpu.step(Kernel::Gate, params, buffers, [rows, 1, 1]));
                &self.gated
            }
        };
        steps.push(self.product(&block.fc2, activated, &self.x, rows, ACCUMULATE, &block.scale2));
        self.steps.extend(steps);
    }

    /// `out (+)= scale · act(x·W + b)` over `rows` rows.
    fn product(
        &self,
        layer: &Linear,
        x: &Buffer,
        out: &Buffer,
        rows: usize,
        flags: u32,
        scale: &[f32],
    ) -> Step {
        let mut merged = std::borrow::Cow::Borrowed(layer);
        if layer.adapter.is_some() {
            merged.to_mut().merge_adapter();
        }
        let given = |values: &[f32], flag| if values.is_empty() { 0 } else { flag };
        let flags = flags | given(&layer.bias, BIAS) | given(scale, SCALE);
        let (inner, columns) = (layer.inputs, layer.outputs);
        let params = Params { rows, inner, columns, flags, stride: inner, ..Params::default() };
        let (weight, bias) = (self.gpu.upload(&merged.weight), self.gpu.upload(&layer.bias));
        let scale = self.gpu.upload(scale);
        let groups = [columns.div_ceil(64), rows.div_ceil(64), 1];
        self.gpu.step(Kernel::Product, params, [x, &weight, &bias, &scale, out], groups)
    }
}

/// `out = LayerNorm(x)` for rows of `x` that are `stride` values apart.
fn normalise(
    gpu: &Gpu,
    config: &Config,
    norm: &Norm,
    (x, stride, rows): (&Buffer, usize, usize),
    out: &Buffer,
    none: &Buffer,
) -> Step {
    let params =
        Params { rows, columns: config.width, stride, real: config.norm_epsilon, ..Params::default() };
    let (gamma, beta) = (gpu.upload(&norm.gamma), gpu.upload(&norm.beta));
    gpu.step(Kernel::Normalise, params, [x, &gamma, &beta, none, out], [rows, 1, 1])
}
