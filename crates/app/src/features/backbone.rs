//! The model that turns tiles into class tokens.

use super::FeatureError;
use crate::models::Store;
use blindscope_vision::data::Preprocess;
use blindscope_vision::vit::{self, Vit};
use std::path::PathBuf;

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

fn fetched(source: &BackboneSource) -> Result<PathBuf, FeatureError> {
    let found = source.models.as_ref().and_then(|models| models.find(&source.model));
    found.ok_or_else(|| FeatureError::NoModel {
        name: source.model.clone(),
        models: source.models.as_ref().map(|models| models.folder().to_owned()).unwrap_or_default(),
    })
}
