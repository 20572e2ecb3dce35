//! What to attack.

use std::path::PathBuf;

use serde::Serialize;

use super::{Error, Source};
use blindscope_vision::vit::{Config, Vit, load};

/// A family of attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Closed forms on the gradient of one image.
    Gradient,
    /// Updates of one image after several local steps.
    Update,
    /// Batches, by spans and by gradient matching.
    Batch,
    /// CLS tokens and their means.
    Token,
    /// Membership in aggregates and heads; extraction through queries.
    Member,
    /// A round of sums before it is opened: bodies, parts of keys, the published sum of keys.
    Sum,
    /// Answers: the token, the members and the head behind them.
    Answer,
    /// Search in pixel space for the image behind a token: the longest of the attacks.
    Search,
}

impl Attack {
    /// Every attack, in the order in which they run.
    pub const ALL: [Self; 8] = [
        Self::Gradient,
        Self::Update,
        Self::Batch,
        Self::Token,
        Self::Member,
        Self::Sum,
        Self::Answer,
        Self::Search,
    ];

    /// Its name on the command line and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::Update => "update",
            Self::Batch => "batch",
            Self::Token => "token",
            Self::Member => "member",
            Self::Sum => "sum",
            Self::Answer => "answer",
            Self::Search => "search",
        }
    }
}

/// An audit to run.
#[derive(Clone, Debug)]
pub struct AuditPlan {
    /// The tiles.
    pub source: Source,
    /// The study's backbone; without one, token attacks run on a small one with drawn weights.
    pub model: Option<PathBuf>,
    /// What to run.
    pub attacks: Vec<Attack>,
    /// Images of the attacks on gradients.
    pub images: usize,
    /// Seed of tiles, weights, searches and the throw-away keys of the ciphertext control.
    pub seed: u64,
    /// Small models and few steps: minutes become seconds.
    pub quick: bool,
    /// Folder for pictures, the report and finished stages; nothing is kept without it.
    pub out: Option<PathBuf>,
}

impl AuditPlan {
    /// The backbone, if one was named.
    pub(super) fn load_model(&self) -> Result<Option<Vit>, Error> {
        Ok(self.model.as_deref().map(load).transpose()?)
    }

    /// The transformer of arXiv 2511.20983, or a small one that stands in for it in a quick audit.
    pub(super) fn paper_shape(&self) -> Config {
        if self.quick { Config::plain(48, 8, 96, 3, 3) } else { Config::paper() }
    }

    /// Seed of keys whose ciphertexts are attacked as bytes. They protect nothing.
    pub(super) fn key_seed(&self) -> [u8; 32] {
        let mut seed = [0x61; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed
    }

    /// What a stage's result depends on, as one line of JSON. Paths that are not Unicode are written with replacement characters.
    pub(super) fn fingerprint(&self) -> String {
        let tiles = match &self.source {
            Source::Folder(folder) => folder.display().to_string(),
            Source::Synthetic => "synthetic".to_owned(),
        };
        let model = self.model.as_ref().map(|model| model.display().to_string());
        serde_json::json!({
            "version": 7, "tiles": tiles, "model": model, "images": self.images, "seed": self.seed, "quick": self.quick,
        })
        .to_string()
    }
}
