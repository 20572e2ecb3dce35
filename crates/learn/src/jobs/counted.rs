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
        Self::by(spec, study)?.require(spec, settings)
    }

    fn require(self, spec: &JobSpec, settings: &EncryptedHeadSettings) -> Result<()> {
        let pairs = [
            ("settings.sites", settings.sites, self.sites),
            ("settings.cohort", settings.cohort, self.cohort),
            ("settings.encryptions", settings.encryptions, self.encryptions),
        ];
        let differing = pairs.into_iter().find(|(_, found, expected)| found != expected);
        differing.map_or(Ok(()), |(field, found, expected)| {
            let (found, expected) = (found.to_string(), expected.to_string());
            Err(Error::Announced { job: spec.name.clone(), field, found, expected })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A coordinator that counts one encryption makes masks smaller than the noise that they are to hide.
    #[test]
    fn numbers_of_another_study_are_refused_by_name() {
        let counted = Counted { sites: 5, cohort: 3, encryptions: 10, holders: 5 };
        let spec = JobSpec::named("head");
        let settings = EncryptedHeadSettings {
            sites: 5,
            cohort: 3,
            encryptions: 10,
            ..EncryptedHeadSettings::default()
        };
        assert!(counted.require(&spec, &settings).is_ok());
        for (field, other) in [
            ("settings.sites", EncryptedHeadSettings { sites: 3, ..settings.clone() }),
            ("settings.cohort", EncryptedHeadSettings { cohort: 5, ..settings.clone() }),
            ("settings.encryptions", EncryptedHeadSettings { encryptions: 1, ..settings.clone() }),
        ] {
            let refused = counted.require(&spec, &other).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refused.contains(field), "{field}: {refused}");
        }
    }
}
