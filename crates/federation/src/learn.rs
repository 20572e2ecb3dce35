//! Where learning meets the protocol: what a site contributes, and what follows from a sum. Implemented by the application;
//! this crate knows neither images nor models.

use crate::{Blobs, Evaluation, JobSpec, Study};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_ckks::{Ciphertext, Plaintext};

/// What learning code says when it fails. It stays in the log of the machine where it happened.
pub type LearnError = Box<dyn std::error::Error + Send + Sync>;

/// A question to an encrypted head, added up and encrypted: what has to be evaluated, by coordinator and sites alike.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The study.
    pub study: &'a Study,
    /// The question's job file.
    pub job: &'a JobSpec,
    /// The head.
    pub evaluation: &'a Evaluation,
    /// The question's ciphertexts at the top level, scale one.
    pub question: Vec<Ciphertext>,
}

fn no_heads(job: &JobSpec) -> LearnError {
    format!("job {}: there is no learning code for kind {} here", job.name, job.kind).into()
}

/// At a site.
pub trait Contribution {
    /// This site's integers for a round, exactly `job.values` of them, each at most `job.max`.
    ///
    /// `input` is what the round starts from, empty in the first. Called once a (job, round), and once more when the site
    /// stopped before it kept the encrypted result.
    ///
    /// # Errors
    /// Whatever makes a contribution impossible; the site then declines the step.
    fn values<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
    ) -> Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError>;

    /// The same with this site's share of noise in them, for a job with a `[privacy]` table: so bounded that whatever is opened keeps
    /// what the table promises as long as the noise of [`NoiseKey::honest`] sites is in the sum. A function of job, data and key alone:
    /// asked again it gives the same integers.
    ///
    /// # Errors
    /// Whatever makes a contribution impossible. So it is of learning code that knows no bound.
    fn noised<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        noise: &NoiseKey,
    ) -> Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        let _ = (round, input, noise);
        Err(format!("job {}: nothing bounds what one patient adds to kind {}; leave [privacy] out, or take kind statistics, auto or cls-mean", job.name, job.kind).into())
    }

    /// What follows from an opened sum: to the last bit what [`Advance::advance`] gives at the coordinator, whose word for what a later round
    /// starts from a site does not take.
    ///
    /// # Errors
    /// Whatever makes the next step impossible; the site then takes no part in the next round. So it is of learning code that has
    /// one round only.
    fn follow(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> Result<Advanced, LearnError> {
        let _ = (round, input, sums, committed);
        Err(format!(
            "job {}: what a later round of kind {} starts from cannot be made here",
            job.name, job.kind
        )
        .into())
    }

    /// This site's part of an encrypted head, as it is to be encrypted: one plaintext for each of the job's levels.
    ///
    /// # Errors
    /// As [`Self::values`]; learning code without encrypted heads has none.
    fn plaintexts(&self, job: &JobSpec, input: &[u8]) -> Result<Vec<Plaintext>, LearnError> {
        let _ = input;
        Err(no_heads(job))
    }

    /// The answer to a question, `question.ciphertexts` ciphertexts at level 0: the same as [`Advance::evaluate`] gives at the
    /// coordinator, to the last bit. Only then does a site open it.
    ///
    /// # Errors
    /// As [`Self::values`]; learning code without encrypted heads has none.
    fn evaluate(&self, asked: Asked<'_>, blobs: &dyn Blobs) -> Result<Vec<Ciphertext>, LearnError> {
        let _ = blobs;
        Err(no_heads(asked.job))
    }

    /// Of each ciphertext of a question's answer the coefficients that hold logits: what this site lets its asker see. It covers all others.
    ///
    /// # Errors
    /// As [`Self::values`]; learning code without encrypted heads has none.
    fn shown(
        &self,
        study: &Study,
        job: &JobSpec,
        evaluation: &Evaluation,
        blobs: &dyn Blobs,
    ) -> Result<Vec<Vec<usize>>, LearnError> {
        let _ = (study, evaluation, blobs);
        Err(no_heads(job))
    }
}

/// What follows from an opened sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advanced {
    /// What the next round starts from.
    Next(Vec<u8>),
    /// The job's result.
    Final(Vec<u8>),
}

/// At the coordinator.
pub trait Advance {
    /// What follows from the sum of `committed` sites' integers in a round that started from `input`.
    ///
    /// Must be a function of its arguments alone: after a crash it is called again, and the answer has to be the same
    /// bytes. [`Advanced::Final`] in the last round (`round + 1 == job.rounds`), [`Advanced::Next`] before or, to stop
    /// early, [`Advanced::Final`].
    ///
    /// # Errors
    /// Whatever makes the next step impossible; the job then fails.
    fn advance(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> Result<Advanced, LearnError>;

    /// The answer to a question, `question.ciphertexts` ciphertexts at level 0. A function of its arguments alone, as
    /// [`Self::advance`]: sites compute it again.
    ///
    /// # Errors
    /// Whatever makes the evaluation impossible; the job then fails.
    fn evaluate(&self, asked: Asked<'_>, blobs: &dyn Blobs) -> Result<Vec<Ciphertext>, LearnError> {
        let _ = blobs;
        Err(no_heads(asked.job))
    }
}
