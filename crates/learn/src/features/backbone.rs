//! The model that turns tiles into class tokens.

use super::FeatureError;
use crate::models::Store;
use blindscope_vision::data::Preprocess;
use blindscope_vision::features::backbone_digest;
use blindscope_vision::vit::{self, Config, Parameters, Vit};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use std::path::{Path, PathBuf};

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
    /// Statistics of the input, when they are not those beside the weights.
    pub preprocess: Option<Preprocess>,
    /// Fetched models, if names are to be looked up.
    pub models: Option<Store>,
}

impl BackboneSource {
    /// The model at a path, as its files tell.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), config: None, heads: None, image: None, preprocess: None, models: None }
    }
}

/// A transformer with the preprocessing that it was trained on.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// The transformer.
    pub model: Vit,
    /// Its input.
    pub preprocess: Preprocess,
}

impl Backbone {
    /// Loads a model.
    ///
    /// # Errors
    /// [`FeatureError::NoModel`] for a name that nothing was fetched under; [`FeatureError::Vision`] for files that do not
    /// hold a Vision Transformer, with every missing and extra tensor.
    pub fn load(source: &BackboneSource) -> Result<Self, FeatureError> {
        let path = PathBuf::from(&source.model);
        let path = if path.exists() { path } else { fetched(source)? };
        let (weights, mut config) = vit::configuration(&path, source.config.as_deref(), source.heads)?;
        config.image = source.image.unwrap_or(config.image);
        let model = vit::load_with(&weights, config)?;
        let side = model.config().image;
        let preprocess = match &source.preprocess {
            Some(statistics) => Preprocess { side, ..statistics.clone() },
            None => Preprocess::beside(&weights, side)?,
        };
        Ok(Self { model, preprocess })
    }
}

impl Backbone {
    /// A small transformer with random weights, to be trained as a whole: 64 pixels, patches of 8, width 48, three blocks. It
    /// learns synthetic tiles in a minute; it is for machines without a checkpoint and for tests.
    ///
    /// # Errors
    /// None for this shape; the result is passed on.
    pub fn small(seed: u64) -> Result<Self, FeatureError> {
        let config = Config { hidden: 96, ..Config::plain(64, 8, 48, 3, 3) };
        let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(seed));
        Ok(Self { preprocess: Preprocess::half(config.image), model: Vit::new(config, parameters)? })
    }

    /// Writes the weights, with their configuration, and the preprocessing beside them.
    ///
    /// # Errors
    /// [`FeatureError::Vision`] and [`FeatureError::Write`].
    pub fn save(&self, weights: &Path) -> Result<(), FeatureError> {
        vit::save(&self.model, weights)?;
        let path = weights.with_file_name("preprocessor_config.json");
        let Preprocess { mean, std, .. } = &self.preprocess;
        let card = serde_json::json!({ "image_mean": mean, "image_std": std });
        std::fs::write(&path, card.to_string()).map_err(|source| FeatureError::Write { path, source })
    }

    /// What a class token depends on beside the image: weights, shape and preprocessing.
    pub fn digest(&self) -> [u8; 32] {
        backbone_digest(&self.model, &self.preprocess)
    }

    /// Parameters of the transformer.
    pub fn parameters(&self) -> usize {
        self.model.parameters().tensors().iter().map(|tensor| tensor.len()).sum()
    }
}

fn fetched(source: &BackboneSource) -> Result<PathBuf, FeatureError> {
    let found = source.models.as_ref().and_then(|models| models.find(&source.model));
    found.ok_or_else(|| FeatureError::NoModel {
        name: source.model.clone(),
        models: source.models.as_ref().map(|models| models.folder().to_owned()).unwrap_or_default(),
    })
}
