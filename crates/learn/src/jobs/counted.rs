//! What of a study an encrypted head's noise follows from: its settings say it, since plans are made of them, and sites hold it against
//! the study, since whoever submits a job could have written anything.

use super::settings::EncryptedHeadSettings;
use super::{Error, Result};
use blindscope_federation::{JobSpec, Study, payload};

/// The numbers.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) sites: u32,
    pub(super) cohort: u32,
    pub(super) encryptions: u32,
    /// Sites to which parts of a head are dealt.
    pub(super) holders: usize,
}

impl Counted {
    /// Those of a study. `spec` is what is refused where it has no holders.
    pub(super) fn by(spec: &JobSpec, study: &Study) -> Result<Self> {
        let refused =
            |reason: String| Error::Settings { job: spec.name.clone(), kind: spec.kind.name(), reason };
        let holding = payload::holding(study).map_err(|e| refused(e.to_string()))?;
        Ok(Self {
            sites: study.members().len() as u32,
            cohort: study.literal().minimum_cohort,
            encryptions: holding.shares() as u32,
            holders: holding.holders(),
        })
    }

    /// Refuses settings that count otherwise than the study does: the noise of answers, and the masks that hide it, follow from them.
    ///
    /// # Errors
    /// [`Error::Announced`] with the first number that differs.
    pub(super) fn check(spec: &JobSpec, settings: &EncryptedHeadSettings, study: &Study) -> Result<()> {
        let expected = Self::by(spec, study)?;
        let pairs = [
            ("settings.sites", settings.sites, expected.sites),
            ("settings.cohort", settings.cohort, expected.cohort),
            ("settings.encryptions", settings.encryptions, expected.encryptions),
        ];
        let differing = pairs.into_iter().find(|(_, found, expected)| found != expected);
        differing.map_or(Ok(()), |(field, found, expected)| {
            let (found, expected) = (found.to_string(), expected.to_string());
            Err(Error::Announced { job: spec.name.clone(), field, found, expected })
        })
    }
}
