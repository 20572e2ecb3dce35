//! `blindscope bench`: measures the project's figures on the machine at hand, beside peers where they are installed.
//!
//! Nothing here prints a number that was not measured in the same call. Figures whose peer is missing are left out and
//! named in [`Report::missing`].

mod clock;
mod core;
pub mod federation;
mod figure;
mod peers;

pub use figure::{Better, Figure, Report};
pub use peers::Peers;

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

/// The arithmetic core, one thread: encryption, products, rotations, transforms, sizes, precision.
///
/// # Errors
/// [`BenchError`]
pub fn core(runs: usize, peers: &Peers) -> Result<Report, BenchError> {
    core::run(runs, peers)
}
