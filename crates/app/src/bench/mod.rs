//! `blindscope bench`: measures the project's figures on the machine at hand, beside peers where they are installed.
//!
//! Nothing here prints a number that was not measured in the same call. Figures whose peer is missing are left out and
//! named in [`Report::missing`].

mod audit;
mod core;
pub mod federation;
mod figure;
mod inference;
mod input;
mod learn;
mod memory;
mod part;
mod peers;
mod runtime;
mod scratch;
mod slides;
mod sum;
mod timing;
mod trust;
mod vision;

pub use audit::AuditBench;
pub use blindscope_ring::Arithmetic;
pub use figure::{Better, Figure, Report};
pub use part::{OnPart, Part};
pub use peers::Peers;
pub use slides::SlidesBench;

use std::path::Path;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The scheme refused; a defect, since the parameters are presets.
    #[error("bench: {0}")]
    Ckks(#[from] blindscope_ckks::Error),
    /// The ring refused; a defect likewise.
    #[error("bench: {0}")]
    Ring(#[from] blindscope_ring::Error),
    /// Encrypted inference refused; a defect likewise.
    #[error("bench: {0}")]
    Classify(#[from] blindscope_classify::Error),
    /// The vision layer refused: real tiles that cannot be read, most often.
    #[error("bench: {0}")]
    Vision(#[from] blindscope_vision::Error),
    /// Features could not be made.
    #[error("bench: {0}")]
    Features(#[from] blindscope_learn::features::Error),
    /// No thread could be started.
    #[error("bench: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
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
    Threshold(#[from] blindscope_threshold::Error),
    /// The state machines refused; a defect likewise.
    #[error("bench: {0}")]
    Federation(#[from] blindscope_federation::Error),
    /// The sums refused; a defect likewise.
    #[error("bench: {0}")]
    Aggregate(#[from] blindscope_aggregate::Error),
    /// A job's settings, a model or a site's rows were refused; a defect, since the bench made them.
    #[error("bench: {0}")]
    Jobs(#[from] blindscope_learn::jobs::Error),
    /// A site's part of a job, or what follows from its sum, failed.
    #[error("bench: {0}")]
    Learning(blindscope_federation::LearnError),
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
    Audit(#[from] crate::audit::Error),
    /// An attack of `bench trust` came to nothing for another reason than that it was fended off.
    #[error("bench trust, {what}: {reason}; nothing is reported")]
    Attack {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
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

/// Encrypted sums, on no faster path than `arithmetic`: bytes, what a site sends and opens, a whole update of 86.6 million values with its memory, a small sum beside TenSEAL.
///
/// # Errors
/// [`Error::Io`] where the temporary folder is too small or read-only; [`Error::WrongSum`] for an opened sum that is not the
/// clear one; an error of the layer that refuses.
pub fn sum(arithmetic: Arithmetic, runs: usize, peers: &Peers) -> Result<Report, Error> {
    sum::run(arithmetic, runs, peers)
}

/// The attacks of a hostile reader, run against the old ways and ours, at toy sizes and through real services; times that askers see;
/// whether times tell secrets.
///
/// # Errors
/// [`Error::Attack`] where an attack or a service could not be run to its end; an error of the layer that refuses.
pub fn trust(runs: usize) -> Result<Report, Error> {
    trust::run(runs)
}

/// The arithmetic core, one thread, on no faster path than `arithmetic`: encryption, products, rotations, transforms, sizes,
/// precision.
///
/// # Errors
/// [`Error::Wrong`] for a product or rotation with fewer correct bits than promised; an error of the scheme where it refuses.
pub fn core(arithmetic: Arithmetic, runs: usize, peers: &Peers) -> Result<Report, Error> {
    core::run(arithmetic, runs, peers)
}

/// CLS tokens: speed beside ONNX Runtime, agreement with reference outputs, a linear probe on real tiles, memory.
///
/// `data` is a folder with `vit/deit-tiny-patch16-224` and `lung-histology`; without it the figures that need it are named as
/// missing.
///
/// # Errors
/// [`Error`] for a model or tiles of `data` that cannot be read, and for a peer that was asked for and cannot be run.
pub fn vision(runs: usize, data: Option<&Path>, peers: &Peers) -> Result<Report, Error> {
    vision::run(runs, data, peers)
}

/// A model's input: CLS tokens of JPEG tiles, as large as the model takes and larger, beside Pillow and a transformer in numpy; speed
/// of decoding and resizing.
///
/// # Errors
/// [`Error`] where the tiles that are drawn cannot be decoded again, and for a peer that was asked for and cannot be run.
pub fn input(runs: usize, peers: &Peers) -> Result<Report, Error> {
    input::run(runs, peers)
}

/// Slides: pixels, coordinates and CLS tokens beside `OpenSlide`, Pillow, CLAM and TRIDENT; speed and memory; runs that are killed;
/// features larger than memory; attention on slides of real tiles. `tell` hears of each part before it is measured.
///
/// # Errors
/// [`Error`] where the data are missing or hold a slide or model that cannot be read, and for a peer that cannot be run.
pub fn slides(bench: &SlidesBench, peers: &Peers, tell: OnPart<'_>) -> Result<Report, Error> {
    slides::run(bench, peers, tell)
}

/// Encrypted inference, one thread, on no faster path than `arithmetic`: latency, throughput, bytes, memory, and agreement with the clear class on the real tiles
/// of `data`. `tell` hears of each part before it is measured.
///
/// # Errors
/// [`Error::Wrong`] for logits with fewer correct bits than promised; [`Error`] for tiles of `data` that cannot be read, and
/// where the scheme refuses.
pub fn inference(
    arithmetic: Arithmetic,
    runs: usize,
    peers: &Peers,
    data: Option<&Path>,
    tell: OnPart<'_>,
) -> Result<Report, Error> {
    // One thread, also where a batch would be shared among several.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| inference::run(arithmetic, runs, peers, data, tell))
}

/// The attacks of the audit on real tiles, or on synthetic ones.
///
/// # Errors
/// [`Error::Audit`] where tiles or model cannot be read, or an attack cannot be run on them.
pub fn audit(plan: &AuditBench, progress: crate::audit::OnProgress<'_>) -> Result<Report, Error> {
    audit::run(plan, progress)
}

/// Learning through encrypted sums on the real tiles of `data`: what is chosen, beside scikit-learn on the same folds; the paper's own
/// split, marked as leaky; what noise costs. `tell` hears of each part before it is measured.
///
/// # Errors
/// [`Error`] for tiles or a model of `data` that cannot be read; [`Error::WrongSum`] for an opened sum that is not the clear one; an error of
/// the layer that refuses.
pub fn learn(data: Option<&Path>, peers: &Peers, tell: OnPart<'_>) -> Result<Report, Error> {
    learn::run(data, peers, tell)
}
