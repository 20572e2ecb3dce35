//! Which part of the backbone is trained.

use rand::Rng;

use crate::error::{Error, Result};
use crate::vit::{Adapter, BlockParameters, Config, Linear, Parameters, Vit};

/// The trained part of the backbone; the head is trained in every case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tuning {
    /// Nothing but the head: features stay as they are.
    Head,
    /// The last blocks and the final normalisation.
    LastBlocks(usize),
    /// Low-rank adapters of rank `rank` on every block's attention layers (arXiv 2106.09685), weighted `scale`.
    Lora {
        /// Rank of each adapter.
        rank: usize,
        /// Factor of each adapter (α/rank in the paper).
        scale: f32,
    },
    /// Every parameter.
    Whole,
}

impl Tuning {
    /// Gives the model what this tuning needs: adapters with a random A and B = 0, so that its output does not change.
    /// Adapters of the rank that it has already are kept, so that training can go on in rounds.
    ///
    /// # Errors
    /// [`Error::Config`] for a rank of zero or above the width, or more blocks than the model has.
    pub fn prepare(self, model: &mut Vit, rng: &mut impl Rng) -> Result<()> {
        let config = model.config().clone();
        self.check(&config)?;
        if let Self::Lora { rank, scale } = self {
            for block in &mut model.parameters_mut().blocks {
                for layer in [&mut block.qkv, &mut block.proj] {
                    if layer.adapter.as_ref().is_some_and(|a| a.rank == rank) {
                        continue;
                    }
                    let mut down = vec![0.0; layer.inputs * rank];
                    crate::vit::fill_normal(&mut down, 1.0 / (layer.inputs as f32).sqrt(), rng);
                    layer.adapter = Some(Adapter { down, up: vec![0.0; rank * layer.outputs], rank, scale });
                }
            }
        }
        Ok(())
    }

    fn check(self, config: &Config) -> Result<()> {
        let (field, value, most) = match self {
            Self::Head | Self::Whole => return Ok(()),
            Self::LastBlocks(n) => ("trained blocks", n, config.depth),
            Self::Lora { rank, .. } => ("adapter rank", rank, config.width),
        };
        if (1..=most).contains(&value) {
            return Ok(());
        }
        Err(Error::Config { field, value: value.to_string(), rule: format!("it must lie in 1..={most}") })
    }

    /// Folds adapters into their weights, once training is over.
    pub fn merge(model: &mut Vit) {
        for block in &mut model.parameters_mut().blocks {
            let layers: [&mut Linear; 4] = [&mut block.qkv, &mut block.proj, &mut block.fc1, &mut block.fc2];
            layers.into_iter().for_each(Linear::merge_adapter);
        }
    }

    /// A zero gradient that holds exactly the trained tensors.
    pub fn gradient(self, parameters: &Parameters) -> Parameters {
        if self == Self::Whole {
            return parameters.gradient();
        }
        let mut gradient = parameters.untrained();
        match self {
            Self::LastBlocks(n) => {
                let first = parameters.blocks.len().saturating_sub(n);
                for (at, block) in parameters.blocks.iter().enumerate().skip(first) {
                    gradient.blocks[at] = block.gradient();
                }
                gradient.norm = parameters.norm.gradient();
            }
            Self::Lora { .. } => {
                gradient.blocks = parameters.blocks.iter().map(BlockParameters::adapter_gradient).collect();
            }
            Self::Head | Self::Whole => {}
        }
        gradient
    }

    /// The first block whose activations the backward pass needs.
    pub fn first_block(self, depth: usize) -> usize {
        match self {
            Self::Head => depth,
            Self::LastBlocks(n) => depth.saturating_sub(n),
            Self::Lora { .. } | Self::Whole => 0,
        }
    }
}
