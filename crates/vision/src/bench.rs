//! Measuring extraction on the machine at hand. Weights are random: speed does not depend on them.

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
    /// Draws weights for `config` and a batch of images.
    ///
    /// # Errors
    /// [`Error::Config`] for an impossible configuration, [`Error::Data`] for an empty batch.
    pub fn new(config: Config, batch: usize) -> Result<Self> {
        if batch == 0 {
            return Err(Error::data("bench", "a batch needs at least one image"));
        }
        config.check()?;
        let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1));
        let pixels = (0..batch * config.pixels()).map(|i| ((i % 255) as f32 / 127.0) - 1.0).collect();
        Ok(Self { model: Vit::new(config, parameters)?, pixels, batch })
    }

    /// One forward pass of the batch to class tokens.
    ///
    /// # Errors
    /// None for a bench that was built; the result is passed on.
    pub fn once(&self) -> Result<Duration> {
        let start = Instant::now();
        let class = self.model.class_tokens(&self.pixels)?;
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
