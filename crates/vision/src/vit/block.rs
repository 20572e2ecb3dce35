//! The parameters of one block. What they do is in `forward`, what follows from it in `backward`.

use super::config::Config;
use super::linear::Linear;
use super::norm::Norm;

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
}
