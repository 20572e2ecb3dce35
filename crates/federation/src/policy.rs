//! What a site takes part in: `local/policy.toml`, read at the site and nowhere else.

use serde::{Deserialize, Serialize};

use crate::words::in_words;
use crate::{Delta, Epsilon, Error, JobKind, JobSpec, PrivacyUnit, Result, Sizes, Study};
use blindscope_wire::Digest;

/// A site's own rules. The coordinator never sees the file and cannot override it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Fewest contributions in a sum that this site helps to open.
    pub minimum_cohort: u32,
    /// Of two sets that sums of one kind are over, in how many sites they differ at least unless they are the same: the difference of two
    /// sums is the sum of those who are in one alone. Without it, as many as may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_difference: Option<u32>,
    /// SHA-256 of the backbone that may see this site's images.
    #[serde(with = "crate::text")]
    pub backbone: Digest,
    /// Kinds of jobs that this site takes part in.
    pub jobs: Vec<JobKind>,
    /// Most ciphertexts that others can open with what this site sends, or that it helps to open, all jobs together.
    pub maximum_decryptions: u64,
    /// Most rounds of one job.
    pub maximum_rounds: u64,
    /// Largest `ε` of one job. With it no job takes part whose results carry no noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_epsilon: Option<Epsilon>,
    /// Largest `δ` of one job with noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delta: Option<Delta>,
    /// `ε` that this site's data may give away in its life, all jobs together. With it, too, none without noise takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_epsilon: Option<Epsilon>,
    /// Whose presence noise has to hide at least: a job that hides single tiles is refused where it says `patient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_unit: Option<PrivacyUnit>,
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
    /// A set that is nearly one that a sum of this kind was over before.
    MinimumDifference {
        /// Sites that are in one of them alone.
        found: u32,
        /// This site's least.
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
    /// A job of this site's data without noise.
    NoNoise {
        /// Its kind.
        kind: JobKind,
    },
    /// A larger `ε` than allowed in one job.
    MaxEpsilon {
        /// The job's.
        found: Epsilon,
        /// This site's limit.
        most: Epsilon,
    },
    /// A larger `δ` than allowed in one job.
    MaxDelta {
        /// The job's.
        found: Delta,
        /// This site's limit.
        most: Delta,
    },
    /// More than the site's data may give away in its life.
    LifetimeEpsilon {
        /// With this job's.
        found: Epsilon,
        /// This site's limit.
        most: Epsilon,
    },
    /// Noise that hides single tiles where patients are to be hidden.
    PrivacyUnit,
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

    /// Whether this site's data may give away what a job promises, where other jobs have `spent` so much of it before.
    ///
    /// Of kinds that are not of its data (keys) it says nothing. A sum of integers that sites bring themselves is of its data, too.
    ///
    /// # Errors
    /// The first rule that the job breaks.
    pub fn allows_privacy(&self, spec: &JobSpec, spent: Epsilon) -> std::result::Result<(), Rule> {
        let wants = self.max_epsilon.is_some()
            || self.max_delta.is_some()
            || self.lifetime_epsilon.is_some()
            || self.privacy_unit.is_some();
        if !wants || spec.kind.is_ceremony() {
            return Ok(());
        }
        let privacy = spec.privacy.as_deref().ok_or(Rule::NoNoise { kind: spec.runs() })?;
        if self.privacy_unit == Some(PrivacyUnit::Patient) && privacy.unit == PrivacyUnit::Tile {
            return Err(Rule::PrivacyUnit);
        }
        if let Some(most) = self.max_epsilon.filter(|most| privacy.epsilon > *most) {
            return Err(Rule::MaxEpsilon { found: privacy.epsilon, most });
        }
        if let Some(most) = self.max_delta.filter(|most| privacy.delta > *most) {
            return Err(Rule::MaxDelta { found: privacy.delta, most });
        }
        let found = spent.and(privacy.epsilon);
        match self.lifetime_epsilon.filter(|most| found > *most) {
            Some(most) => Err(Rule::LifetimeEpsilon { found, most }),
            None => Ok(()),
        }
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
