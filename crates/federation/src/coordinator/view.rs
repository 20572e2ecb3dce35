//! What people and programs see of jobs.

use serde::{Deserialize, Serialize};

use super::Coordinator;
use super::progress::{Progress, State};
use crate::{
    Blob, Confirmed, Event, Failure, JobId, JobKind, JobSpec, Missing, Phase, Record, SignedHeader, SiteId,
    Step,
};

/// One job, as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// What it computes.
    pub kind: JobKind,
    /// When it was submitted, by the coordinator's clock.
    pub submitted_ms: u64,
    /// When it ended, if it did.
    pub ended_ms: Option<u64>,
    /// The version of the roster that it runs or ran under.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// The round at work, from 0.
    pub round: u64,
    /// Rounds planned.
    pub rounds: u64,
    /// How far it is.
    pub status: JobStatus,
    /// Who was missing when and why, oldest first.
    pub missing: Vec<(Step, Missing)>,
    /// Of a question that was answered, the shares that the answer is made of, as their sites signed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<SignedHeader>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobStatus {
    /// It waits for its turn.
    Waiting,
    /// Sites are asked.
    Asking(StepView),
    /// Payloads are combined.
    Combining {
        /// Of this step.
        step: Step,
    },
    /// It ended well.
    Done {
        /// The result.
        result: Blob,
    },
    /// It ended without a result.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// An open step, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepView {
    /// The step.
    pub step: Step,
    /// When it closes at the latest.
    pub deadline_ms: u64,
    /// Who is asked.
    pub expected: Vec<SiteId>,
    /// Who has answered, in the order of arrival.
    pub answered: Vec<SiteId>,
    /// Answers that the step needs.
    pub needed: usize,
}

impl StepView {
    /// Who is asked and has not answered.
    pub fn awaited(&self) -> impl Iterator<Item = SiteId> + '_ {
        self.expected.iter().copied().filter(|site| !self.answered.contains(site))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl JobView {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.status, JobStatus::Done { .. } | JobStatus::Failed { .. })
    }
}

impl Coordinator {
    /// Every job, oldest first.
    pub fn jobs(&self) -> Vec<JobView> {
        let mut jobs: Vec<JobView> = self.jobs.values().map(|job| self.view(job)).collect();
        jobs.sort_by_key(|job| (job.submitted_ms, job.id));
        jobs
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Option<JobView> {
        self.jobs.get(&id).map(|job| self.view(job))
    }

    /// What every site has signed about the inference key in use.
    pub fn confirmed(&self) -> Vec<Confirmed> {
        let job = self.inference.as_deref().and_then(|key| self.jobs.get(&key.ceremony));
        let Some(job) = job else { return Vec::new() };
        let of = |((step, site), record): (&(Step, SiteId), &Record)| match &record.body.event {
            Event::Accepted { answer } if step.phase == Phase::Parts => {
                let (bundle, evaluation_keys) =
                    (*job.bundles.get(self.study.place(*site)?)?, job.evaluation_keys);
                Some(Confirmed { answer: answer.clone(), bundle, evaluation_keys })
            }
            _ => None,
        };
        job.receipts.iter().filter_map(of).collect()
    }

    /// A job's file.
    pub fn spec(&self, id: JobId) -> Option<&JobSpec> {
        self.jobs.get(&id).map(|job| &job.spec)
    }

    /// The job of this name.
    pub fn job_named(&self, name: &str) -> Option<JobId> {
        self.names.get(name).copied()
    }

    fn view(&self, job: &Progress) -> JobView {
        let status = match &job.state {
            State::Waiting | State::Between(None) => JobStatus::Waiting,
            State::Open(open) => JobStatus::Asking(StepView {
                step: open.step,
                deadline_ms: open.deadline_ms,
                expected: open.expected.clone(),
                answered: open.answers.iter().map(|a| a.header.site).collect(),
                needed: self.needed(job, open.step.phase),
            }),
            State::Between(Some(closed)) | State::Closed(closed) => {
                JobStatus::Combining { step: closed.step }
            }
            State::Done(result) => JobStatus::Done { result: *result },
            State::Failed(failure) => JobStatus::Failed { failure: failure.clone() },
        };
        JobView {
            id: job.id,
            name: job.spec.name.clone(),
            kind: job.spec.runs(),
            submitted_ms: job.submitted_ms,
            ended_ms: job.ended_ms,
            version: job.version,
            round: job.round,
            rounds: job.spec.rounds,
            status,
            missing: job.missing.clone(),
            shares: shares(job),
        }
    }
}

/// The shares that a question's answer was made of.
fn shares(job: &Progress) -> Vec<SignedHeader> {
    if !job.is_question() || !matches!(job.state, State::Done(_)) {
        return Vec::new();
    }
    let shares = job.receipts.iter().filter(|((step, _), _)| step.phase == Phase::Share);
    let of = |((step, _), record): (&(Step, SiteId), &Record)| match &record.body.event {
        Event::Accepted { answer } => Some((step.attempt, answer.clone())),
        _ => None,
    };
    let shares: Vec<_> = shares.filter_map(of).filter(|(_, share)| share.payload().is_some()).collect();
    let last = shares.iter().map(|(attempt, _)| *attempt).max();
    shares.into_iter().filter(|(attempt, _)| Some(*attempt) == last).map(|(_, share)| share).collect()
}
