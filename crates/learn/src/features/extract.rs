//! Extraction, with a flag that stops it between two batches.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Backbone, Error};
use blindscope_vision::data::{Dataset, Limits, Rejected};
use blindscope_vision::features::{self, Extraction, Features, Progress};
use blindscope_vision::vit::{Device, Engine};

/// How tiles become features.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// Folder of features already made, by image and backbone; without one, stopping loses the work.
    pub cache: Option<PathBuf>,
    /// Tiles a batch.
    pub batch: usize,
    /// What an image may cost.
    pub limits: Limits,
    /// What carries the forward pass out.
    pub device: Device,
}

impl Default for ExtractOptions {
    /// No cache; batches of eight, which share the packing of weights well; the processor.
    fn default() -> Self {
        Self { cache: None, batch: 8, limits: Limits::default(), device: Device::Cpu }
    }
}

/// Features and how they were made.
#[derive(Debug, Clone)]
pub struct Extracted {
    /// A row for every readable tile, in the data set's order.
    pub features: Features,
    /// What was listed but could not be used, with reasons.
    pub rejected: Vec<Rejected>,
    /// Rows that the cache knew.
    pub cached: usize,
    /// Time taken.
    pub elapsed: Duration,
    /// The graphics processor that the forward pass ran on, if it was one.
    pub graphics: Option<String>,
}

/// CLS tokens of every readable tile. `progress` is called after each batch; once `cancel` is set, extraction stops after
/// the batch at hand, and what was done stays in the cache.
///
/// # Errors
/// [`Error::Vision`]: stopped by `cancel` ([`Error::stopped`] tells), no readable tile, a cache that cannot be
/// used, no graphics processor where one was asked for.
#[allow(clippy::disallowed_methods, reason = "a duration that is reported; no result depends on it")]
pub fn extract(
    dataset: &Dataset,
    backbone: &Backbone,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> Result<Extracted, Error> {
    let extraction = Extraction {
        model: &backbone.model,
        preprocess: backbone.preprocess.clone(),
        limits: options.limits,
        batch: options.batch,
        cache: options.cache.as_deref(),
    };
    let engine = Engine::choose(options.device, &backbone.model, options.batch)?;
    let start = Instant::now();
    let mut cached = 0;
    let (features, rejected) = features::extract_on(&engine, dataset, &extraction, &mut |now| {
        cached = now.cached;
        progress(now);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let graphics = engine.graphics_name().map(str::to_owned);
    Ok(Extracted { features, rejected, cached, elapsed: start.elapsed(), graphics })
}
