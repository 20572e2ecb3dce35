//! What the files beside a checkpoint say about it: `config.json` and `preprocessor_config.json` of `transformers`, and
//! timm's `config.json` with its `model_args` and `pretrained_cfg`.
//!
//! Each field that decides a feature is carried out, or the model is refused with the field's name. Fields that only
//! training or a head use are passed over by name; a field that nobody here knows is refused unless it is null or false.

mod architecture;
mod fields;
mod processor;
mod processors;
mod timm;
mod transformers;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::architecture::Architecture;
pub(crate) use self::timm::{Activation, Told};
use crate::data::Preprocess;
use crate::error::{Error, Result};
use crate::vit::Config;
use fields::Fields;

/// Which tokens make a feature. They are taken after the final normalisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The CLS token: width `d`.
    #[default]
    Cls,
    /// The mean of the patch tokens, registers left out: width `d`.
    Mean,
    /// Both, one after the other: width `2d` (Virchow, `DINOv2`'s linear probes).
    ClsMean,
}

impl Pooling {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
            Self::ClsMean => "cls+mean",
        }
    }

    /// Width of a feature of a model of width `d`.
    pub fn width(self, d: usize) -> usize {
        if self == Self::ClsMean { 2 * d } else { d }
    }
}

/// The shape that a `config.json` tells.
#[derive(Debug)]
pub(crate) enum Shape {
    /// `transformers`: the whole of it.
    Whole {
        /// The shape.
        config: Config,
        /// Whether positions are resampled to whatever size the input has.
        resizable: bool,
    },
    /// timm: a name and overrides; the rest is read from the tensors.
    Timm(Told),
}

/// Everything that the files beside a checkpoint tell.
#[derive(Debug, Default)]
pub(crate) struct Card {
    /// The model's shape.
    pub(crate) shape: Option<Shape>,
    /// The input, and the file that told.
    pub(crate) preprocess: Option<(Preprocess, PathBuf)>,
    /// Which tokens the configuration pools, where it tells.
    pub(crate) pooling: Option<Pooling>,
    /// The `config.json`.
    pub(crate) path: Option<PathBuf>,
}

impl Card {
    /// Reads `json`, or else `config.json` beside the weights, and `preprocessor_config.json` beside them.
    ///
    /// # Errors
    /// [`Error::Setting`] for a field that cannot be carried out, [`Error::Format`] and [`Error::Io`] for damaged files.
    pub(crate) fn read(weights: &Path, json: Option<&Path>) -> Result<Self> {
        let mut card = Self::default();
        let beside = weights.with_file_name("config.json");
        if let Some(path) = json.or(beside.is_file().then_some(beside.as_path())) {
            let fields = Fields::read(path)?;
            card.path = Some(path.to_owned());
            if fields.has("model_type") {
                let (config, resizable) = transformers::config(fields)?;
                card.shape = Some(Shape::Whole { config, resizable });
            } else if fields.has("architecture") {
                let timm = timm::read(fields)?;
                card.preprocess = timm.preprocess.map(|p| (p, path.to_owned()));
                card.pooling = timm.pooling;
                card.shape = Some(Shape::Timm(timm.told));
            } else {
                let reason = "it has neither `model_type` (transformers) nor `architecture` (timm)";
                return Err(Error::format("config.json", path, reason));
            }
        }
        let processor = weights.with_file_name("preprocessor_config.json");
        if processor.is_file() {
            let size = match &card.shape {
                Some(Shape::Whole { config, resizable }) => (Some(config.image), *resizable),
                Some(Shape::Timm(told)) => (told.image, told.resizable),
                None => (None, true),
            };
            card.preprocess = Some((processor::preprocess(Fields::read(&processor)?, size)?, processor));
        }
        Ok(card)
    }
}

/// Writes `preprocessor_config.json` beside the weights, as [`crate::vit::describe`] reads it back.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn save_preprocess(preprocess: &Preprocess, weights: &Path) -> Result<()> {
    let path = weights.with_file_name("preprocessor_config.json");
    let text = format!("{:#}\n", processor::write(preprocess));
    std::fs::write(&path, text).map_err(Error::io("writing", &path))
}
