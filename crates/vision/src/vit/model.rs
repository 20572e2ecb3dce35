//! The whole model as a value: its shape, its parameters, its digest, its own head.

use sha2::{Digest, Sha256};

use super::config::Config;
use super::parameters::Parameters;
use crate::error::{Error, Result};

/// A Vision Transformer. Inputs are normalised pixels `[b, 3, image, image]`; work is shared among the threads of
/// the current rayon pool by image.
#[derive(Clone, Debug)]
pub struct Vit {
    pub(super) config: Config,
    pub(super) parameters: Parameters,
}

impl Vit {
    /// A model of the given parameters.
    ///
    /// # Errors
    /// [`Error::Config`] for an impossible configuration, [`Error::Shape`] when a tensor's length is not the
    /// configuration's.
    pub fn new(config: Config, parameters: Parameters) -> Result<Self> {
        config.check()?;
        let expected = Parameters::zeros(&config);
        let counts = [
            ("blocks", config.depth, parameters.blocks.len()),
            ("outputs of `head`", expected.head.outputs, parameters.head.outputs),
        ];
        if let Some((what, expected, found)) =
            counts.into_iter().find(|(_, expected, found)| expected != found)
        {
            return Err(Error::shape("building a model", format!("{expected} {what}"), found));
        }
        let specs = parameters.specs(&config);
        let other = specs.iter().zip(parameters.tensors()).find(|(spec, tensor)| spec.len() != tensor.len());
        if let Some((spec, tensor)) = other {
            let expected = format!("{} values in `{}`", spec.len(), spec.name);
            return Err(Error::shape("building a model", expected, tensor.len()));
        }
        Ok(Self { config, parameters })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The parameters, to be trained. Tensors must keep their lengths.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// SHA-256 over the configuration and every tensor: equal digests give equal features whatever file or naming
    /// the weights came from.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"blindscope backbone 2\0");
        hash.update(self.config.identity().as_bytes());
        for (spec, values) in self.parameters.specs(&self.config).iter().zip(self.parameters.tensors()) {
            if !spec.name.starts_with("head.") {
                hash.update((values.len() as u64).to_le_bytes());
                for chunk in values.chunks(4096) {
                    let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
                    hash.update(&bytes);
                }
            }
        }
        hash.finalize().into()
    }

    /// The checkpoint's own head on CLS tokens: `[b, classes]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the model has no head or `class` is no whole number of tokens.
    pub fn logits(&self, class: &[f32]) -> Result<Vec<f32>> {
        let d = self.config.width;
        if self.config.classes == 0 || !class.len().is_multiple_of(d) {
            return Err(Error::shape("the model's own head", format!("a head and rows of {d}"), class.len()));
        }
        Ok(self.parameters.head.forward(class))
    }
}
