//! Every parameter of a Vision Transformer, in one order and with one set of names.

use rand::Rng;
use rand::distr::Distribution;
use rand_distr::StandardNormal;

use super::block::BlockParameters;
use super::config::Config;
use super::linear::Linear;
use super::norm::Norm;

/// The parameters of a model, or a gradient with respect to them. In a gradient an empty tensor is not trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// CLS token: `[d]`.
    pub class: Vec<f32>,
    /// Register tokens: `[registers, d]`.
    pub registers: Vec<f32>,
    /// Learned positions: `[positions, d]`, those of the tokens before the patches first.
    pub positions: Vec<f32>,
    /// Patch embedding: `[3·patch², d]`, a patch's values ordered channel, row, column.
    pub patch: Linear,
    /// The blocks.
    pub blocks: Vec<BlockParameters>,
    /// Final normalisation.
    pub norm: Norm,
    /// The checkpoint's own head: `[d, classes]`, of no output when `classes` is zero.
    pub head: Linear,
}

/// Name and shape of a tensor as timm writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// timm's name.
    pub name: String,
    /// timm's shape.
    pub shape: Vec<usize>,
    /// Whether our values are the transpose, `[inputs, outputs]` for timm's `[outputs, inputs]`.
    pub transposed: bool,
}

impl TensorSpec {
    fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), transposed: false }
    }

    fn matrix(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { transposed: true, ..Self::new(name, shape) }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether weight decay is customary: matrices, and nothing else.
    pub fn decays(&self) -> bool {
        self.transposed
    }
}

impl Parameters {
    /// Zeros with identity normalisations: what a checkpoint is read into.
    pub fn zeros(config: &Config) -> Self {
        let d = config.width;
        Self {
            class: vec![0.0; d],
            registers: vec![0.0; config.registers * d],
            positions: vec![0.0; config.positions() * d],
            patch: Linear::zeros(config.patch_values(), d, true),
            blocks: (0..config.depth).map(|_| BlockParameters::zeros(config)).collect(),
            norm: Norm::identity(d),
            head: Linear::zeros(d, config.classes, config.classes > 0),
        }
    }

    /// A random start: matrices N(0, 1/inputs), which keeps a small model's signal alive, and embeddings N(0, 0.02²), all
    /// cut at two standard deviations; the rest as in [`Parameters::zeros`].
    pub fn random(config: &Config, rng: &mut impl Rng) -> Self {
        let mut parameters = Self::zeros(config);
        let specs = parameters.specs(config);
        for (spec, values) in specs.iter().zip(parameters.tensors_mut()) {
            if spec.transposed {
                let inputs = spec.len() / spec.shape[0].max(1);
                fill_normal(values, 1.0 / (inputs.max(1) as f32).sqrt(), rng);
            } else if spec.name.ends_with("token") || spec.name == "pos_embed" {
                fill_normal(values, 0.02, rng);
            }
        }
        parameters
    }

    /// A zero gradient of every parameter.
    #[must_use]
    pub fn gradient(&self) -> Self {
        Self {
            class: vec![0.0; self.class.len()],
            registers: vec![0.0; self.registers.len()],
            positions: vec![0.0; self.positions.len()],
            patch: self.patch.gradient(),
            blocks: self.blocks.iter().map(BlockParameters::gradient).collect(),
            norm: self.norm.gradient(),
            head: self.head.untrained(),
        }
    }

    /// A gradient in which nothing is trained: same structure, empty tensors.
    #[must_use]
    pub fn untrained(&self) -> Self {
        Self {
            patch: self.patch.untrained(),
            blocks: self.blocks.iter().map(BlockParameters::untrained).collect(),
            head: self.head.untrained(),
            ..Self::default()
        }
    }

    /// The same tensors, all zero.
    pub(crate) fn zeroed(&self) -> Self {
        let mut zero = self.clone();
        for tensor in zero.tensors_mut() {
            tensor.fill(0.0);
        }
        zero
    }

    /// Names and shapes in the order of [`Parameters::tensors`].
    pub fn specs(&self, config: &Config) -> Vec<TensorSpec> {
        let (d, p) = (config.width, config.patch);
        let mut specs = vec![
            TensorSpec::new("cls_token", &[1, 1, d]),
            TensorSpec::new("reg_token", &[1, config.registers, d]),
            TensorSpec::new("pos_embed", &[1, config.positions(), d]),
            TensorSpec::matrix("patch_embed.proj.weight", &[d, 3, p, p]),
            TensorSpec::new("patch_embed.proj.bias", &[d]),
        ];
        for (i, block) in self.blocks.iter().enumerate() {
            block_specs(&mut specs, config, &format!("blocks.{i}."), block);
        }
        specs.push(TensorSpec::new("norm.weight", &[d]));
        specs.push(TensorSpec::new("norm.bias", &[d]));
        linear_specs(&mut specs, "head", &self.head);
        specs
    }

    /// Every tensor, empty ones included, in the order of [`Parameters::specs`].
    pub fn tensors(&self) -> Vec<&Vec<f32>> {
        let mut all =
            vec![&self.class, &self.registers, &self.positions, &self.patch.weight, &self.patch.bias];
        for b in &self.blocks {
            all.extend([&b.norm1.gamma, &b.norm1.beta, &b.scale1, &b.norm2.gamma, &b.norm2.beta, &b.scale2]);
            for layer in [&b.qkv, &b.proj, &b.fc1, &b.fc2] {
                all.extend([&layer.weight, &layer.bias]);
                all.extend(layer.adapter.iter().flat_map(|a| [&a.down, &a.up]));
            }
        }
        all.extend([&self.norm.gamma, &self.norm.beta, &self.head.weight, &self.head.bias]);
        all
    }

    /// As [`Parameters::tensors`], to be changed.
    pub fn tensors_mut(&mut self) -> Vec<&mut Vec<f32>> {
        let patch = &mut self.patch;
        let mut all = vec![
            &mut self.class,
            &mut self.registers,
            &mut self.positions,
            &mut patch.weight,
            &mut patch.bias,
        ];
        for b in &mut self.blocks {
            all.extend([&mut b.norm1.gamma, &mut b.norm1.beta, &mut b.scale1]);
            all.extend([&mut b.norm2.gamma, &mut b.norm2.beta, &mut b.scale2]);
            for layer in [&mut b.qkv, &mut b.proj, &mut b.fc1, &mut b.fc2] {
                all.extend([&mut layer.weight, &mut layer.bias]);
                all.extend(layer.adapter.iter_mut().flat_map(|a| [&mut a.down, &mut a.up]));
            }
        }
        all.extend([&mut self.norm.gamma, &mut self.norm.beta, &mut self.head.weight, &mut self.head.bias]);
        all
    }

    /// Adds another gradient of the same structure, tensor by tensor.
    pub fn add_assign(&mut self, other: &Self) {
        for (a, b) in self.tensors_mut().into_iter().zip(other.tensors()) {
            crate::kernels::lanes::add_scaled(a, b, 1.0);
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.tensors().iter().map(|t| t.len()).sum()
    }

    /// Whether there is no value, as in [`Parameters::untrained`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn block_specs(specs: &mut Vec<TensorSpec>, config: &Config, prefix: &str, block: &BlockParameters) {
    let d = [config.width];
    let scale = [if config.layer_scale { config.width } else { 0 }];
    let vectors = [
        ("norm1.weight", d),
        ("norm1.bias", d),
        ("ls1.gamma", scale),
        ("norm2.weight", d),
        ("norm2.bias", d),
        ("ls2.gamma", scale),
    ];
    specs.extend(vectors.iter().map(|(name, shape)| TensorSpec::new(format!("{prefix}{name}"), shape)));
    let layers = [
        ("attn.qkv", &block.qkv),
        ("attn.proj", &block.proj),
        ("mlp.fc1", &block.fc1),
        ("mlp.fc2", &block.fc2),
    ];
    for (name, layer) in layers {
        linear_specs(specs, &format!("{prefix}{name}"), layer);
    }
}

fn linear_specs(specs: &mut Vec<TensorSpec>, name: &str, layer: &Linear) {
    specs.push(TensorSpec::matrix(format!("{name}.weight"), &[layer.outputs, layer.inputs]));
    specs.push(TensorSpec::new(format!("{name}.bias"), &[layer.bias.len()]));
    if let Some(a) = &layer.adapter {
        specs.push(TensorSpec::matrix(format!("{name}.lora_a"), &[a.rank, layer.inputs]));
        specs.push(TensorSpec::matrix(format!("{name}.lora_b"), &[layer.outputs, a.rank]));
    }
}

/// N(0, `deviation`²), redrawn beyond two standard deviations.
pub(crate) fn fill_normal(values: &mut [f32], deviation: f32, rng: &mut impl Rng) {
    for value in values {
        *value = loop {
            let x: f32 = StandardNormal.sample(rng);
            if x.abs() <= 2.0 {
                break x * deviation;
            }
        };
    }
}
