//! What a job file says to the learning code: a file a kind, and what several of them check.

mod encrypted_head;
mod fedavg;
mod metrics;
mod statistics;
mod update;

use super::{Error, Result};

pub use encrypted_head::EncryptedHeadSettings;
pub use fedavg::FedAvgSettings;
pub(in crate::jobs) use fedavg::Setting;
pub use metrics::MetricsSettings;
pub use statistics::StatisticsSettings;
pub use update::{UpdatePart, UpdateSettings};

/// Share of clipped values that a job puts up with unless it says otherwise: outliers, not another unit.
pub(in crate::jobs) const CLIPPED: f64 = 0.001;

/// Most examples of one site unless the job says otherwise: a hundred slides' tiles.
const EXAMPLES: u64 = 1 << 17;

pub(in crate::jobs) fn require(
    fine: bool,
    kind: &'static str,
    field: &'static str,
    found: &impl ToString,
    expected: &'static str,
) -> Result<()> {
    if fine { Ok(()) } else { Err(Error::Setting { kind, field, found: found.to_string(), expected }) }
}

pub(in crate::jobs) fn shape(kind: &'static str, width: usize, classes: usize, examples: u64) -> Result<()> {
    require((1..=4096).contains(&width), kind, "width", &width, "1 to 4096")?;
    require((2..=4096).contains(&classes), kind, "classes", &classes, "2 to 4096")?;
    require((1..=1 << 24).contains(&examples), kind, "examples", &examples, "1 to 16777216")
}

/// A name a class, or none at all.
pub(in crate::jobs) fn names(kind: &'static str, names: &[String], classes: usize) -> Result<()> {
    let fine = names.is_empty() || names.len() == classes;
    require(fine, kind, "names", &names.len(), "a name for each class, or none")
}

pub(in crate::jobs) fn share(kind: &'static str, clipped: f64) -> Result<()> {
    require((0.0..=1.0).contains(&clipped), kind, "clipped", &clipped, "a share from 0 to 1")
}

pub(in crate::jobs) fn fixed_point(kind: &'static str, bits: u32, bound: f64) -> Result<()> {
    require((8..=24).contains(&bits), kind, "bits", &bits, "8 to 24")?;
    require(bound.is_finite() && bound > 0.0, kind, "bound", &bound, "a positive number")
}
