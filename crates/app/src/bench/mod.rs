//! `blindscope bench`: measures the project's figures on the machine at hand, beside peers where they are installed.
//!
//! Nothing here prints a number that was not measured in the same call. Figures whose peer is missing are left out and
//! named in [`Report::missing`].

mod audit;
mod clock;
mod core;
pub mod federation;
mod figure;
mod inference;
mod memory;
mod peers;
mod runtime;
mod slides;
mod sum;
mod vision;

pub use audit::AuditBench;
pub use blindscope_ring::Arithmetic;
pub use figure::{Better, Figure, Report};
pub use peers::Peers;

use std::path::Path;
use thiserror::Error;

/// Why a benchmark could not be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The scheme refused; a defect, since the parameters are presets.
    #[error("bench: {0}")]
    Ckks(#[from] blindscope_ckks::CkksError),
    /// The ring refused; a defect likewise.
    #[error("bench: {0}")]
    Ring(#[from] blindscope_ring::RingError),
    /// Encrypted inference refused; a defect likewise.
    #[error("bench: {0}")]
    Classify(#[from] blindscope_classify::ClassifyError),
    /// The vision layer refused: real tiles that cannot be read, most often.
    #[error("bench: {0}")]
    Vision(#[from] blindscope_vision::Error),
    /// A temporary file could not be used.
    #[error("bench, temporary file: {0}")]
    File(#[from] std::io::Error),
    /// A slide of the bench could not be read.
    #[error("bench: {path}: {reason}")]
    Slide {
        /// The slide.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The protocols refused; a defect likewise.
    #[error("bench: {0}")]
    Threshold(#[from] blindscope_threshold::ThresholdError),
    /// The state machines refused; a defect likewise.
    #[error("bench: {0}")]
    Federation(#[from] blindscope_federation::Error),
    /// The sums refused; a defect likewise.
    #[error("bench: {0}")]
    Aggregate(#[from] blindscope_aggregate::AggregateError),
    /// A file for measuring could not be written or read.
    #[error("bench: {path}: {source}; sums need about 400 MB in the folder for temporary files")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// An opened sum is not the sum, so its time means nothing.
    #[error("bench {what}: the opened sum differs from the clear one; nothing is reported")]
    WrongSum {
        /// What was computed.
        what: &'static str,
    },
    /// An attack could not be run.
    #[error("bench: {0}")]
    Audit(#[from] crate::audit::AuditError),
    /// A result is wrong, so its time means nothing.
    #[error(
        "bench {what}: the result has {bits:.1} correct bits, at least {least} are expected; nothing is reported"
    )]
    Wrong {
        /// What was computed.
        what: &'static str,
        /// Bits of the worst slot.
        bits: f64,
        /// Bits expected.
        least: f64,
    },
}

/// Encrypted sums: bytes, what a site sends and opens, a whole update of 86.6 million values with its memory, a small sum beside TenSEAL.
///
/// # Errors
/// [`BenchError`]
pub fn sum(runs: usize, peers: &Peers) -> Result<Report, BenchError> {
    sum::run(runs, peers)
}

/// The arithmetic core, one thread, on no faster path than `arithmetic`: encryption, products, rotations, transforms, sizes,
/// precision.
///
/// # Errors
/// [`BenchError`]
pub fn core(arithmetic: Arithmetic, runs: usize, peers: &Peers) -> Result<Report, BenchError> {
    core::run(arithmetic, runs, peers)
}

/// Class tokens: speed beside ONNX Runtime, agreement with reference outputs, a linear probe on real tiles, memory.
///
/// `data` is a folder with `vit/deit-tiny-patch16-224` and `lung-histology`; without it the figures that need it are named as
/// missing.
///
/// # Errors
/// [`BenchError`]
pub fn vision(runs: usize, data: Option<&Path>, peers: &Peers) -> Result<Report, BenchError> {
    vision::run(runs, data, peers)
}

/// Slides: pixels, coordinates and CLS tokens beside `OpenSlide`, Pillow, CLAM and TRIDENT; speed and memory.
///
/// `data` is a folder with `slides` and `vit/deit-tiny-patch16-224`.
///
/// # Errors
/// [`BenchError`]
pub fn slides(runs: usize, data: Option<&Path>, peers: &Peers) -> Result<Report, BenchError> {
    slides::run(runs, data, peers)
}

/// Encrypted inference, one thread: latency, throughput, bytes, memory, and agreement with the clear class on the real tiles
/// of `data`.
///
/// # Errors
/// [`BenchError`]
pub fn inference(runs: usize, peers: &Peers, data: Option<&Path>) -> Result<Report, BenchError> {
    inference::run(runs, peers, data)
}

/// The attacks of the audit on real tiles, or on synthetic ones.
///
/// # Errors
/// [`BenchError::Audit`]
pub fn audit(plan: &AuditBench, progress: crate::audit::OnProgress<'_>) -> Result<Report, BenchError> {
    audit::run(plan, progress)
}
