//! Bytes that the steps of a job move.

use serde::{Deserialize, Serialize};

use super::Job;
use crate::{Error, JobSpec, Result, Study};

/// Bytes that the steps of a job move, known before the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Ciphertexts that one round opens.
    pub openings: u64,
    /// Bytes of a site's answer in phase commit (inference ceremony).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub commit: u64,
    /// Bytes of a site's answer in phase key-share (ceremony).
    pub key_share: u64,
    /// Bytes in phase relin (inference ceremony).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub relin: u64,
    /// Bytes in phases upload and ready.
    pub upload: u64,
    /// Bytes of a sum.
    pub sum: u64,
    /// Bytes in phases share and open.
    pub share: u64,
    /// Bytes in phase trial for each trial committee that the site is in (inference ceremony).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub trial: u64,
    /// Whether each site of a sum evaluates its own upload, instead of adding up everybody's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evaluated: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Sizes {
    /// What the steps of a job move, by the study's parameters.
    ///
    /// # Errors
    /// [`Error::Field`] for a job file whose fields are not those of its kind; [`Error::Aggregate`] with the numbers, where the
    /// job's sums have no room, and [`Error::Threshold`] where its masks have none.
    pub fn of(study: &Study, spec: &JobSpec) -> Result<Self> {
        Job::of(spec)?.kind().sizes(study, spec.id(study))
    }

    /// Refuses other sizes than these, with the first that differs.
    ///
    /// # Errors
    /// [`Error::Announced`] where they differ.
    pub(crate) fn require(&self, announced: &Self) -> Result<()> {
        let of = |s: &Self| {
            [
                ("openings", s.openings),
                ("commit", s.commit),
                ("key_share", s.key_share),
                ("relin", s.relin),
                ("upload", s.upload),
                ("sum", s.sum),
                ("share", s.share),
                ("trial", s.trial),
                ("evaluated", u64::from(s.evaluated)),
            ]
        };
        let both = of(self).into_iter().zip(of(announced));
        for ((field, expected), (_, found)) in both {
            if expected != found {
                return Err(Error::Announced { field, expected, found });
            }
        }
        Ok(())
    }
}
