//! Measuring extraction on the machine at hand. Weights are random: speed does not depend on them.

mod input;
mod probe;
mod reference;

pub use input::{tile_pixels, tile_pixels_before};
pub use probe::{Probe, linear_probe};
pub use reference::reference_error;

use std::path::Path;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::error::{Error, Result};
use crate::vit::{Config, Parameters, Vit};

/// A model with random weights and a batch to run it on, so that a caller can interleave runs with a peer's.
#[derive(Debug)]
pub struct ExtractionBench {
    model: Vit,
    pixels: Vec<f32>,
    batch: usize,
    pool: rayon::ThreadPool,
}

/// Medians of an extraction measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractionFigures {
    /// Images a second at the median run.
    pub images_per_second: f64,
    /// Images a second at the fastest run.
    pub best_images_per_second: f64,
    /// Seconds of every run.
    pub seconds: Vec<f64>,
}

impl ExtractionBench {
    /// Draws weights for `config` and a batch of images, to be worked on by this many threads.
    ///
    /// # Errors
    /// [`Error::Config`] for an impossible configuration, [`Error::Data`] for an empty batch or threads that the system does not
    /// give.
    pub fn new(config: Config, batch: usize, threads: usize) -> Result<Self> {
        if batch == 0 {
            return Err(Error::data("bench", "a batch needs at least one image"));
        }
        config.check()?;
        let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1));
        let pixels = (0..batch * config.pixels()).map(|i| ((i % 255) as f32 / 127.0) - 1.0).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| Error::data("bench", format!("{threads} threads: {e}")))?;
        Ok(Self { model: Vit::new(config, parameters)?, pixels, batch, pool })
    }

    /// The model.
    pub fn model(&self) -> &Vit {
        &self.model
    }

    /// Writes weights (`safetensors`, timm's names) and the batch (raw little-endian f32 `[b, 3, image, image]`) for a peer.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be written.
    pub fn write(&self, weights: &Path, pixels: &Path) -> Result<()> {
        crate::vit::save(&self.model, weights)?;
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(pixels, bytes).map_err(Error::io("writing", pixels))
    }

    /// CLS tokens of the batch: `[b, d]`.
    ///
    /// # Errors
    /// None for a bench that was built; the result is passed on.
    pub fn cls_tokens(&self) -> Result<Vec<f32>> {
        self.pool.install(|| self.model.cls_tokens(&self.pixels))
    }

    /// One forward pass of the batch to CLS tokens.
    ///
    /// # Errors
    /// None for a bench that was built; the result is passed on.
    #[allow(clippy::disallowed_methods, reason = "a duration that is reported; no result depends on it")]
    pub fn once(&self) -> Result<Duration> {
        let start = Instant::now();
        let class = self.cls_tokens()?;
        let elapsed = start.elapsed();
        if class.iter().all(|v| v.is_finite()) {
            Ok(elapsed)
        } else {
            Err(Error::data("bench", "a token is not finite"))
        }
    }

    /// `runs` passes after one that is not counted.
    ///
    /// # Errors
    /// As [`ExtractionBench::once`].
    pub fn run(&self, runs: usize) -> Result<ExtractionFigures> {
        self.once()?;
        let seconds: Vec<f64> =
            (0..runs.max(1)).map(|_| self.once().map(|d| d.as_secs_f64())).collect::<Result<_>>()?;
        Ok(self.figures(seconds))
    }

    /// Figures of runs that the caller timed by [`ExtractionBench::once`], at least one.
    pub fn figures(&self, seconds: Vec<f64>) -> ExtractionFigures {
        let mut sorted = seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let rate = |at: usize| self.batch as f64 / sorted.get(at).copied().unwrap_or(f64::NAN);
        ExtractionFigures {
            images_per_second: rate(sorted.len() / 2),
            best_images_per_second: rate(0),
            seconds,
        }
    }
}

/// Highest resident memory of this process so far in bytes; none where the system does not tell (it is read from
/// `/proc/self/status`). For extraction alone, ask in a process that does nothing else.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
