//! Jobs as files, and the two ends of the protocol.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::encrypted_head::CommonHead;
use super::evaluate::EncryptedHeads;
use super::labels::Terms;
use super::{EpochFigures, Error, Learning, Result, SiteData, kind};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_ckks::{Ciphertext, Plaintext};
use blindscope_federation::{
    Advance, Advanced, Asked, Blobs, Contribution, Evaluation, JobKind, JobSpec, LearnError, Study,
};

/// A job file with rounds, values and largest integer as its settings need them.
///
/// # Errors
/// [`Error::Settings`] for settings of another kind, [`Error::Setting`] for one out of range.
pub fn job(name: &str, kind: JobKind, settings: &impl Serialize) -> Result<JobSpec> {
    let settings = serde_json::to_value(settings).map_err(|e| Error::Settings {
        job: name.to_owned(),
        kind: kind.name(),
        reason: e.to_string(),
    })?;
    let name = name.to_owned();
    sized(JobSpec { kind, settings, ..JobSpec::named(&name) })
}

/// A job file that says nothing of rounds, values and largest integer, with these as its settings need them.
///
/// # Errors
/// As [`job`]; [`Error::Announced`] where it says something of them, and something else.
pub fn sized(mut spec: JobSpec) -> Result<JobSpec> {
    let learning = read(&spec)?;
    // One round, no values, nothing at most: what a file says that says nothing.
    for (field, found, silent, expected) in [
        ("rounds", spec.rounds, 1, learning.rounds()),
        ("values", spec.values, 0, learning.values()),
        ("max", spec.max, 0, learning.max()),
    ] {
        if found != silent && found != expected {
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(Error::Announced { job: spec.name, field, found, expected });
        }
    }
    (spec.rounds, spec.values, spec.max) = (learning.rounds(), learning.values(), learning.max());
    Ok(spec)
}

/// Refuses a job of a sum whose announced size is not what its settings need; of other kinds it has nothing to say.
///
/// # Errors
/// As [`job`]; [`Error::Announced`] for the first size that differs.
pub fn check_sizes(spec: &JobSpec) -> Result<()> {
    let summed = spec.kind.is_sum() && kind::of(spec.runs()).is_some();
    if summed { learning(spec).map(drop) } else { Ok(()) }
}

/// The learning of a job file, without a look at its announced size.
fn read(spec: &JobSpec) -> Result<Box<dyn Learning>> {
    let kind = kind::of(spec.kind).ok_or(Error::Kind { kind: spec.kind.name() })?;
    if spec.privacy.is_some() && !kind.bounded {
        return Err(Error::Unbounded { kind: spec.kind.name() });
    }
    (kind.learning)(spec)
}

pub(super) fn settings<T: DeserializeOwned>(spec: &JobSpec) -> Result<T> {
    serde_json::from_value(spec.settings.clone()).map_err(|e| {
        let said = e.to_string();
        let key = wrong_key::<T>(&spec.settings, &said).map_or(String::new(), |key| format!("{key}: "));
        let reason = format!("{key}{}", blindscope_federation::in_words(&said));
        Error::Settings { job: spec.name.clone(), kind: spec.kind.name(), reason }
    })
}

/// The key whose value is of the wrong type, which the parser does not name: the one without which it says something else, or nothing.
fn wrong_key<T: DeserializeOwned>(settings: &serde_json::Value, said: &str) -> Option<String> {
    let all = settings.as_object().filter(|_| said.starts_with("invalid "))?;
    let is_culprit = |key: &&String| {
        let mut rest = all.clone();
        rest.remove(*key);
        serde_json::from_value::<T>(rest.into()).err().is_none_or(|other| other.to_string() != said)
    };
    all.keys().find(is_culprit).cloned()
}

/// The learning of a job file whose announced size is what its settings need.
pub(super) fn learning(spec: &JobSpec) -> Result<Box<dyn Learning>> {
    let learning = read(spec)?;
    let sizes = [
        ("rounds", spec.rounds, learning.rounds()),
        ("values", spec.values, learning.values()),
        ("max", spec.max, learning.max()),
    ];
    for (field, found, expected) in sizes {
        if found != expected {
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(Error::Announced { job: spec.name.clone(), field, found, expected });
        }
    }
    Ok(learning)
}

/// A site's end: its data, and who is told about its training.
pub struct SiteLearner {
    data: SiteData,
    watch: Box<dyn Fn(&EpochFigures) + Send + Sync>,
    heads: EncryptedHeads,
}

impl SiteLearner {
    /// Learns from `data`; `watch` is told about every epoch of local training.
    pub fn new(data: SiteData, watch: impl Fn(&EpochFigures) + Send + Sync + 'static) -> Self {
        Self { data, watch: Box::new(watch), heads: EncryptedHeads::default() }
    }

    /// The same under the terms of a study: a job that contradicts them is refused.
    #[must_use]
    pub fn under(mut self, terms: Terms) -> Self {
        self.data.terms = Some(terms);
        self
    }

    fn check(&self, job: &JobSpec) -> Result<()> {
        self.data.terms.as_ref().map_or(Ok(()), |terms| terms.check_job(job))
    }

    /// The data.
    pub fn data(&self) -> &SiteData {
        &self.data
    }
}

impl Contribution for SiteLearner {
    fn values<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        self.check(job)?;
        Ok(learning(job)?.contribute(&self.data, round, input, &self.watch)?)
    }

    fn noised<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        noise: &NoiseKey,
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        self.check(job)?;
        Ok(learning(job)?.noised(&self.data, round, input, noise)?)
    }

    fn follow(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        self.check(job)?;
        Ok(learning(job)?.advance(round, input, sums, committed)?)
    }

    fn plaintexts(&self, job: &JobSpec, input: &[u8]) -> std::result::Result<Vec<Plaintext>, LearnError> {
        self.check(job)?;
        Ok(CommonHead::of(job, input)?.contribute(job, &self.data, &self.watch)?)
    }

    fn evaluate(
        &self,
        asked: Asked<'_>,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Vec<Ciphertext>, LearnError> {
        self.heads.evaluate(asked, blobs)
    }

    fn shown(
        &self,
        study: &Study,
        job: &JobSpec,
        evaluation: &Evaluation,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Vec<Vec<usize>>, LearnError> {
        self.heads.shown(study, job, evaluation, blobs)
    }
}

/// The coordinator's end: a function of its arguments alone; encrypted heads are kept ready.
#[derive(Default)]
pub struct CoordinatorLearner {
    heads: EncryptedHeads,
}

impl Advance for CoordinatorLearner {
    fn advance(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        let advanced = learning(job).and_then(|learning| learning.advance(round, input, sums, committed));
        if let Err(reason) = &advanced {
            tracing::error!(job = job.name, round = round + 1, %reason, "no result follows from the sum");
        }
        Ok(advanced?)
    }

    fn evaluate(
        &self,
        asked: Asked<'_>,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Vec<Ciphertext>, LearnError> {
        self.heads.evaluate(asked, blobs)
    }
}
