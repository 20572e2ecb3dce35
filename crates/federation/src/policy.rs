//! What a site takes part in: `local/policy.toml`, read at the site and nowhere else.

use serde::{Deserialize, Serialize};

use crate::words::in_words;
use crate::{Error, JobKind, JobSpec, Result, Sizes, Study};
use blindscope_wire::Digest;

/// A site's own rules. The coordinator never sees the file and cannot override it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Fewest contributions in a sum that this site helps to open.
    pub minimum_cohort: u32,
    /// SHA-256 of the backbone that may see this site's images.
    #[serde(with = "crate::text")]
    pub backbone: Digest,
    /// Kinds of jobs that this site takes part in.
    pub jobs: Vec<JobKind>,
    /// Most ciphertexts that others can open with what this site sends, or that it helps to open, all jobs together.
    pub maximum_decryptions: u64,
    /// Most rounds of one job.
    pub maximum_rounds: u64,
}

/// A rule of a site's policy that a task breaks, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Rule {
    /// Too few contributions.
    MinimumCohort {
        /// In the sum, or the study's minimum.
        found: u32,
        /// This site's.
        least: u32,
    },
    /// Another backbone than the allowed one.
    Backbone,
    /// A kind of job that is not allowed.
    JobKind {
        /// The kind.
        kind: JobKind,
    },
    /// More openings than allowed.
    MaximumDecryptions {
        /// With this job's.
        found: u64,
        /// This site's limit.
        most: u64,
    },
    /// Somebody at the site has refused this very job.
    Refused,
    /// More rounds than allowed.
    MaximumRounds {
        /// The job's.
        found: u64,
        /// This site's limit.
        most: u64,
    },
}

impl Policy {
    /// The policy of this file's text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text)
            .map_err(|e| Error::File { file: "policy.toml", reason: in_words(&e.to_string()) })
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::File { file: "policy.toml", reason: e.to_string() })
    }

    /// Whether this site takes part in a job, `opened` ciphertexts being counted in its life so far, this round's left out.
    ///
    /// # Errors
    /// The first rule that the job breaks.
    pub fn allows(
        &self,
        study: &Study,
        spec: &JobSpec,
        sizes: &Sizes,
        opened: u64,
    ) -> std::result::Result<(), Rule> {
        if !self.jobs.contains(&spec.runs()) {
            return Err(Rule::JobKind { kind: spec.runs() });
        }
        if self.backbone != study.literal().backbone {
            return Err(Rule::Backbone);
        }
        if spec.rounds > self.maximum_rounds {
            return Err(Rule::MaximumRounds { found: spec.rounds, most: self.maximum_rounds });
        }
        if spec.kind.is_ceremony() {
            return Ok(());
        }
        let found = opened.saturating_add(sizes.openings);
        // The masks were made for the study's number; what a site allows beyond it does not count.
        let most = self.maximum_decryptions.min(study.literal().decryptions);
        if found > most {
            return Err(Rule::MaximumDecryptions { found, most });
        }
        // Once a contribution is sent, others can open a sum, or ask a head, over as few as the study allows.
        self.allows_cohort(study.literal().minimum_cohort as usize)
    }

    /// Whether this site helps to open a sum over `cohort` contributions.
    ///
    /// # Errors
    /// [`Rule::MinimumCohort`] where it is fewer than the policy wants.
    pub fn allows_cohort(&self, cohort: usize) -> std::result::Result<(), Rule> {
        let found = u32::try_from(cohort).unwrap_or(u32::MAX);
        if found < self.minimum_cohort {
            return Err(Rule::MinimumCohort { found, least: self.minimum_cohort });
        }
        Ok(())
    }
}
