//! The closed form on one image's gradient.

use std::time::Instant;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use super::{Error, Tile};
use blindscope_audit::closed::{Recovered, from_attention, from_positions};
use blindscope_audit::metrics::Similarity;
use blindscope_audit::{Picture, label};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

/// A model under attack, with the head it is trained with.
#[derive(Clone, Debug)]
pub struct ClosedTarget {
    /// The transformer.
    pub model: Vit,
    /// Its head.
    pub head: Classifier,
    /// Its preprocessing.
    pub preprocess: Preprocess,
}

impl ClosedTarget {
    /// A model at the start of training: every weight drawn from the seed.
    ///
    /// # Errors
    /// [`Error::Vision`] for an impossible configuration.
    pub fn at_random_start(config: Config, classes: usize, seed: u64) -> Result<Self, Error> {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let parameters = Parameters::random(&config, &mut rng);
        Ok(Self::with_new_head(Vit::new(config, parameters)?, classes, seed))
    }

    /// A trained backbone with a new head.
    pub fn with_new_head(model: Vit, classes: usize, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed ^ 0x4845_4144);
        let width = model.config().width;
        let bound = 1.0 / (width as f32).sqrt();
        let weight = (0..classes * width).map(|_| rng.random_range(-bound..bound)).collect();
        let head = Classifier::Linear(LinearHead { weight, bias: vec![0.0; classes], width });
        let preprocess = Preprocess::imagenet(model.config().image);
        Self { model, head, preprocess }
    }

    /// The picture that the model sees of a tile.
    pub fn picture(&self, tile: &Tile) -> Picture {
        Picture::from_rgb(&tile.fitted(self.preprocess.side))
    }
}

/// One image recovered by a closed form.
#[derive(Clone, Debug)]
pub struct ClosedForm {
    /// What the model was given.
    pub original: Picture,
    /// What the attack found.
    pub found: Picture,
    /// How alike they are.
    pub similarity: Similarity,
    /// Seconds of the attack alone, without the gradient.
    pub seconds: f64,
    /// Independent equations, and unknown patches.
    pub rank: (usize, usize),
    /// Whether the label was recovered as well.
    pub label_found: bool,
}

/// Attacks the gradient of one tile; without `positions` dL/dE is withheld and attention's gradient must do.
///
/// # Errors
/// [`Error`] when model and tile do not fit.
pub fn closed_form(target: &ClosedTarget, tile: &Tile, positions: bool) -> Result<ClosedForm, Error> {
    let original = target.picture(tile);
    let pixels = original.normalised(&target.preprocess);
    let mut gradient = batch_gradient(&target.model, &target.head, &pixels, &[tile.label])?;
    let start = Instant::now();
    let recovered: Recovered = if positions {
        from_positions(target.model.config(), &gradient.backbone)?
    } else {
        gradient.backbone.positions.clear();
        from_attention(&target.model, &gradient.backbone)?
    };
    let seconds = start.elapsed().as_secs_f64();
    let found = Picture::from_normalised(&recovered.pixels, &target.preprocess);
    Ok(ClosedForm {
        similarity: Similarity::of(&original, &found)?,
        original,
        found,
        seconds,
        rank: (recovered.rank, recovered.patches),
        label_found: label::single(&gradient.head_bias) == Some(tile.label),
    })
}
