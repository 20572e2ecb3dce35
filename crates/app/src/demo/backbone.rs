//! The backbone that all sites share.
//!
//! Without weights from outside, a small transformer is trained on public tiles, drawn from another seed with stains that no
//! site has, and then left as it is: it stands for a published model.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::error::{Error, Result};
use super::options::{DemoOptions, Size};
use blindscope_learn::features::{Backbone, BackboneSource};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{CLASSES, SyntheticPlan};
use blindscope_vision::train::{Classifier, Epoch, FitPlan, TrainingTile, Tuning, fit};
use blindscope_vision::vit::{self, Config, Parameters, Vit};

/// Keeps public tiles apart from the sites' own.
const PUBLIC: u64 = 0x7075_626c_6963;

/// Trains the synthetic backbone and writes it to `path`; `progress` hears of epochs done and of the training accuracy.
pub(super) fn train(
    options: &DemoOptions,
    size: &Size,
    path: &Path,
    progress: &mut dyn FnMut(usize, f32),
    cancel: &AtomicBool,
) -> Result<()> {
    let seed = options.seed ^ PUBLIC;
    let plan = SyntheticPlan { side: size.side, patients: size.public_patients, tiles: 1, sites: 4, seed };
    let tile = |index| TrainingTile { image: plan.draw(index), label: index.class };
    let tiles: Vec<TrainingTile> = plan.tiles().map(tile).collect();
    let width = size.width;
    let config = Config { hidden: 2 * width, ..Config::plain(size.side, 8, width, size.depth, 4) };
    let mut model =
        Vit::new(config.clone(), Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(seed)))?;
    let classes = CLASSES.len();
    let head = LinearHead { weight: vec![0.0; classes * width], bias: vec![0.0; classes], width };
    let mut head = Classifier::Linear(head);
    let fit_plan = FitPlan {
        tuning: Tuning::Whole,
        epochs: size.public_epochs,
        batch: 16,
        rate: 1e-3,
        seed,
        ..FitPlan::default()
    };
    let mut each = |epoch: &Epoch| {
        progress(epoch.number, epoch.accuracy);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    fit(&mut model, &mut head, &tiles, &preprocess(size), &fit_plan, &mut each)?;
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Stopped { folder: options.folder.clone() });
    }
    Ok(vit::save(&model, path)?)
}

/// The statistics that a checkpoint without a card is taken to have.
fn preprocess(size: &Size) -> Preprocess {
    Preprocess::imagenet(size.side)
}

/// Where the shared backbone is.
pub(super) fn source(options: &DemoOptions, path: &Path) -> BackboneSource {
    match &options.own {
        Some(own) => own.backbone.clone(),
        None => BackboneSource::new(path.display().to_string()),
    }
}

/// Loads it.
pub(super) fn load(options: &DemoOptions, path: &Path) -> Result<Backbone> {
    Ok(Backbone::load(&source(options, path))?)
}
