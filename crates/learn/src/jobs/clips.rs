//! Values that a site clipped to a job's bound: counted at the site, said in its log, summed under encryption with everything else,
//! and part of the result. A head of clipped values is another head, and nobody would see it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::model::{MOST_BYTES, Model};
use super::{Result, kind};
use blindscope_federation::JobKind;
use blindscope_vision::values::Values;

/// How many of how many values were clipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clips {
    /// Values beyond the bound.
    pub clipped: u64,
    /// All values.
    pub values: u64,
}

/// Bytes of a count behind a round's values.
const LEN: usize = 16;

impl Clips {
    /// The share that was clipped, 0 to 1.
    pub fn share(self) -> f64 {
        self.clipped as f64 / self.values.max(1) as f64
    }

    /// How many of these values lie beyond `±bound`, of which the site's log hears.
    pub(super) fn count(job: &'static str, what: &'static str, values: &Values, bound: f64) -> Result<u64> {
        let clipped = values.count(|v| f64::from(v.abs()) > bound)?;
        Ok(Self::told(job, what, (clipped, values.len()), bound))
    }

    /// As [`Self::count`], of values whose number beyond the bound is known, among how many.
    pub(super) fn told(job: &'static str, what: &'static str, counted: (usize, usize), bound: f64) -> u64 {
        Self::tell(job, what, counted, bound);
        counted.0 as u64
    }

    /// As [`Self::count`], of values that are in memory.
    pub(super) fn count_in(job: &'static str, what: &'static str, values: &[f32], bound: f64) -> u64 {
        let clipped = values.iter().filter(|v| f64::from(v.abs()) > bound).count();
        Self::tell(job, what, (clipped, values.len()), bound);
        clipped as u64
    }

    /// Tells the site's log of values that are clipped.
    pub(super) fn tell(job: &'static str, what: &'static str, (clipped, of): (usize, usize), bound: f64) {
        if clipped > 0 {
            tracing::warn!(job, what, clipped, of, bound, "values beyond the job's bound are clipped to it");
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            clipped: self.clipped.saturating_add(other.clipped),
            values: self.values.saturating_add(other.values),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.clipped.to_le_bytes());
        bytes[8..].copy_from_slice(&self.values.to_le_bytes());
        bytes
    }

    /// The count at the end of `bytes`, and what stands before it; nothing where they are too few.
    pub(super) fn split_from(bytes: &[u8]) -> Option<(&[u8], Self)> {
        let (rest, counts) = bytes.split_last_chunk::<LEN>()?;
        let [clipped, values] = [0, 8].map(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&counts[at..at + 8]);
            u64::from_le_bytes(number)
        });
        Some((rest, Self { clipped, values }))
    }
}

impl std::fmt::Display for Clips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} values were clipped ({:.3} %)", self.clipped, self.values, 100.0 * self.share())
    }
}

/// Where the results of a kind say how much was clipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ClipsAt {
    /// They do not: nothing is clipped.
    Nowhere,
    /// In the model file.
    Model,
    /// Behind values of four bytes: `UpdateState::to_bytes`.
    End,
}

impl ClipsAt {
    /// Those of a kind. Results of logs from before plain sums were a kind of their own say nothing that is found.
    fn of(kind: JobKind) -> Self {
        kind::of(kind).map_or(Self::Nowhere, |row| row.clips)
    }
}

/// Whether results of a kind say how much was clipped.
pub fn says_clips(kind: JobKind) -> bool {
    ClipsAt::of(kind) != ClipsAt::Nowhere
}

/// How much the sites clipped on the way to a job's result, where it says so.
pub fn clips_in(kind: JobKind, result: &[u8]) -> Option<Clips> {
    match ClipsAt::of(kind) {
        ClipsAt::Nowhere => None,
        ClipsAt::Model => Model::from_json(result).ok()?.clipped,
        ClipsAt::End => {
            let (values, clips) = Clips::split_from(result)?;
            (values.len().is_multiple_of(4) && clips.clipped <= clips.values).then_some(clips)
        }
    }
}

/// As [`clips_in`], of a result that lies on the disk: of a long one the end alone is read.
///
/// # Errors
/// Those of the disk.
pub fn clips_in_file(kind: JobKind, path: &Path) -> std::io::Result<Option<Clips>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let from = match ClipsAt::of(kind) {
        ClipsAt::Nowhere => return Ok(None),
        ClipsAt::Model if len > MOST_BYTES as u64 => return Ok(None),
        ClipsAt::Model => 0,
        // The remainder of the values' length by four stays what it is.
        ClipsAt::End => len.saturating_sub(LEN as u64) / 4 * 4,
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut bytes)?;
    Ok(clips_in(kind, &bytes))
}
