//! The model that turns tiles into CLS tokens.

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::Error;
use crate::models::Store;
use blindscope_vision::data::Preprocess;
use blindscope_vision::features::backbone_digest;
use blindscope_vision::vit::card::{self, Pooling};
use blindscope_vision::vit::{self, Config, Parameters, Vit};

/// Where a backbone comes from and what its files do not tell.
#[derive(Debug, Clone)]
pub struct BackboneSource {
    /// A `safetensors` file, a folder with `model.safetensors`, or the name of a fetched model.
    pub model: String,
    /// A `config.json`, when it does not lie beside the weights.
    pub config: Option<PathBuf>,
    /// Attention heads, when neither the configuration nor the width tells.
    pub heads: Option<usize>,
    /// Side of the input when it is not the checkpoint's; positions are resampled.
    pub image: Option<usize>,
    /// Mean and deviation of each channel in 0..1, when they are not those beside the weights.
    pub statistics: Option<[[f32; 3]; 2]>,
    /// Which tokens make a feature, when it is not what the configuration tells, or the CLS token.
    pub pooling: Option<Pooling>,
    /// Fetched models, if names are to be looked up.
    pub models: Option<Store>,
}

impl BackboneSource {
    /// The model at a path, as its files tell.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            config: None,
            heads: None,
            image: None,
            statistics: None,
            pooling: None,
            models: None,
        }
    }
}

/// A transformer with the preprocessing that it was trained on.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// The transformer.
    pub model: Vit,
    /// Its input.
    pub preprocess: Preprocess,
    /// The file that told the input; none where nothing did and it is assumed.
    pub preprocess_from: Option<PathBuf>,
}

impl Backbone {
    /// Loads a model.
    ///
    /// # Errors
    /// [`Error::NoModel`] for a name that nothing was fetched under; [`Error::Vision`] for files that do not
    /// hold a Vision Transformer, with every missing and extra tensor.
    pub fn load(source: &BackboneSource) -> Result<Self, Error> {
        let path = PathBuf::from(&source.model);
        let path = if path.exists() { path } else { fetched(source)? };
        let vit::Described { weights, mut config, mut preprocess, preprocess_from } =
            vit::describe(&path, source.config.as_deref(), source.heads)?;
        if let Some(side) = source.image {
            config.image = side;
            preprocess = preprocess.at(side);
        }
        if let Some([mean, std]) = source.statistics {
            preprocess = Preprocess { mean, std, ..preprocess };
        }
        config.pooling = source.pooling.unwrap_or(config.pooling);
        Ok(Self { model: vit::load_with(&weights, config)?, preprocess, preprocess_from })
    }
}

impl Backbone {
    /// A small transformer with random weights, to be trained as a whole: 64 pixels, patches of 8, width 48, three blocks. It
    /// learns synthetic tiles in a minute; it is for machines without a checkpoint and for tests.
    ///
    /// # Errors
    /// None for this shape; the result is passed on.
    pub fn small(seed: u64) -> Result<Self, Error> {
        let config = Config { hidden: 96, ..Config::plain(64, 8, 48, 3, 3) };
        let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(seed));
        let preprocess = Preprocess::half(config.image);
        Ok(Self { preprocess, model: Vit::new(config, parameters)?, preprocess_from: None })
    }

    /// Writes the weights, with their configuration, and the preprocessing beside them.
    ///
    /// # Errors
    /// [`Error::Vision`] where the folder cannot be written.
    pub fn save(&self, weights: &Path) -> Result<(), Error> {
        vit::save(&self.model, weights)?;
        Ok(card::save_preprocess(&self.preprocess, weights)?)
    }

    /// The backbone's identity, which is all that a feature depends on beside the image: weights, shape, pooling and
    /// preprocessing.
    pub fn digest(&self) -> [u8; 32] {
        backbone_digest(&self.model, &self.preprocess)
    }

    /// Parameters of the transformer.
    pub fn parameters(&self) -> usize {
        self.model.parameters().tensors().iter().map(|tensor| tensor.len()).sum()
    }
}

fn fetched(source: &BackboneSource) -> Result<PathBuf, Error> {
    let found = source.models.as_ref().and_then(|models| models.find(&source.model));
    found.ok_or_else(|| Error::NoModel {
        name: source.model.clone(),
        models: source.models.as_ref().map(|models| models.folder().to_owned()).unwrap_or_default(),
    })
}
