//! What the coordinator's runner computes outside of the state machine. All of it is a function of blobs: after a crash the
//! same work is named again and gives the same bytes.

use serde::{Deserialize, Serialize};

use super::Coordinator;
use super::asked::Closed;
use super::progress::{Progress, State};
use crate::job::KeyUse;
use crate::{
    Blob, Cause, Evaluation, Event, Failure, Input, JobId, JobSpec, Missing, NamedSet, Output, Phase,
    Refusal, SignedHeader, SiteId, Step,
};
use blindscope_wire::Digest;

/// Payloads to be combined. Plain data, so that it can be handed to somebody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Lay seeds and sealed parts together by receiver.
    Commit {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// Everybody's payload, in the sites' order.
        commitments: Vec<(SiteId, Blob)>,
        /// The common string that follows.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// Add up key shares into the public key.
    Key {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// Everybody's payload, in the sites' order.
        shares: Vec<(SiteId, Blob)>,
        /// The common string.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// Make the evaluation keys of an inference ceremony.
    Relin {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// Everybody's payload of phase key-share, in the sites' order.
        first: Vec<(SiteId, Blob)>,
        /// The sum of the first round.
        sum: Blob,
        /// Everybody's payload of this phase, in the sites' order.
        shares: Vec<(SiteId, Blob)>,
        /// The common string.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// Open known values under a new key.
    Trial {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// The new public key.
        public_key: Blob,
        /// Everybody's payload, in the sites' order.
        shares: Vec<(SiteId, Blob)>,
        /// The common string.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// Add up uploads: those of a question's holders, or what is left of a head's parts.
    Sum {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// The committed payloads, in the sites' order.
        uploads: Vec<(SiteId, Blob)>,
        /// Of a question: what its answer is computed from. The sum is that answer.
        evaluation: Option<Box<Evaluation>>,
    },
    /// Add up a head: what is left of its parts, and its holders' encryptions of what they were dealt.
    Encrypted {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// The signed parts that it is made of, in the sites' order.
        parts: Vec<SignedHeader>,
        /// The sum of their remainders.
        remainder: Blob,
        /// The holders' payloads, in order.
        encryptions: Vec<(SiteId, Blob)>,
    },
    /// Lay the declarations together that make failed rounds void.
    Voids {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// What the round starts from.
        input: Option<Blob>,
        /// The rounds, by job file and number.
        rounds: Vec<(JobSpec, u64)>,
        /// The declarations, in the sites' order.
        words: Vec<(SiteId, Blob)>,
    },
    /// Read the uploads of a sum and lay together what each holder is given of them.
    Intake {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// What the round starts from.
        input: Option<Blob>,
        /// The uploads, in the sites' order.
        uploads: Vec<(SiteId, Blob)>,
        /// Pair keys that are here from rounds before.
        pairs: Vec<(SiteId, Blob)>,
    },
    /// Name the set of a sum after its holders' findings, and add it up.
    Name {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// What the round starts from.
        input: Option<Blob>,
        /// The uploads, in the sites' order.
        uploads: Vec<(SiteId, Blob)>,
        /// Their signed headers.
        headers: Blob,
        /// The findings, in the holders' order.
        findings: Vec<(SiteId, Blob)>,
        /// Sets that earlier rounds of the same input are opened over: a site of one is in no other.
        earlier: Vec<Vec<SiteId>>,
    },
    /// Lay the signatures on a set together.
    Agreements {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// What the round starts from.
        input: Option<Blob>,
        /// What is signed.
        commitment: Blob,
        /// The sum that it names, whose value is looked at in a large round.
        sum: Blob,
        /// The uploads of the set.
        uploads: Vec<(SiteId, Blob)>,
        /// The signatures, in the sites' order.
        words: Vec<(SiteId, Blob)>,
    },
    /// Complete the agreement with evaluations of uploads whose sites are gone.
    Vouches {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// What the round starts from.
        input: Option<Blob>,
        /// What is signed.
        commitment: Blob,
        /// The signatures on it.
        agreements: Blob,
        /// Uploads of the set whose sites have not signed.
        gone: Vec<(SiteId, Blob)>,
        /// The evaluations, in the sites' order.
        vouches: Vec<(SiteId, Blob)>,
    },
    /// Open an agreed sum and take the next step from it.
    Result(Box<SumWork>),
    /// Add the members' zeros to the sum.
    Refresh {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// The sum.
        sum: Blob,
        /// The members' payloads, in order.
        zeros: Vec<(SiteId, Blob)>,
    },
    /// Open the sum and take the next step from it.
    Open {
        /// The closed step.
        step: Step,
        /// The job's file.
        spec: JobSpec,
        /// The ceremony whose key is used.
        key: JobId,
        /// What the round started from.
        input: Option<Blob>,
        /// The ciphertexts that were shared of.
        target: Blob,
        /// The members' payloads, in order.
        shares: Vec<(SiteId, Blob)>,
        /// Sites whose contributions are in the sum.
        committed: usize,
    },
}

/// An agreed sum and its openings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumWork {
    /// The closed step.
    pub step: Step,
    /// The job's file.
    pub spec: JobSpec,
    /// What the round started from.
    pub input: Option<Blob>,
    /// The set and its sum's name.
    pub commitment: Blob,
    /// The sum.
    pub sum: Blob,
    /// The signatures on it.
    pub agreements: Blob,
    /// Evaluations of uploads whose sites are gone.
    pub vouches: Option<Blob>,
    /// The openings, in the holders' order.
    pub openings: Vec<(SiteId, Blob)>,
    /// Sites whose contributions are in the sum.
    pub committed: usize,
}

/// What an opened sum gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What the next round starts from.
    Next(Blob),
    /// The job's result.
    Final(Blob),
}

impl Work {
    /// The closed step whose payloads these are.
    pub fn step(&self) -> Step {
        match self {
            Self::Commit { step, .. }
            | Self::Trial { step, .. }
            | Self::Key { step, .. }
            | Self::Relin { step, .. }
            | Self::Sum { step, .. }
            | Self::Encrypted { step, .. }
            | Self::Refresh { step, .. }
            | Self::Voids { step, .. }
            | Self::Intake { step, .. }
            | Self::Name { step, .. }
            | Self::Agreements { step, .. }
            | Self::Vouches { step, .. }
            | Self::Open { step, .. } => *step,
            Self::Result(work) => work.step,
        }
    }

    /// What a sum's round starts from; nothing in the first, and of other jobs.
    pub(crate) fn starts_from(&self) -> Option<Blob> {
        match self {
            Self::Voids { input, .. }
            | Self::Intake { input, .. }
            | Self::Name { input, .. }
            | Self::Agreements { input, .. }
            | Self::Vouches { input, .. } => *input,
            Self::Result(work) => work.input,
            _ => None,
        }
    }

    /// The file of the job that they belong to.
    pub fn spec(&self) -> &JobSpec {
        match self {
            Self::Commit { spec, .. }
            | Self::Trial { spec, .. }
            | Self::Key { spec, .. }
            | Self::Relin { spec, .. }
            | Self::Sum { spec, .. }
            | Self::Encrypted { spec, .. }
            | Self::Refresh { spec, .. }
            | Self::Voids { spec, .. }
            | Self::Intake { spec, .. }
            | Self::Name { spec, .. }
            | Self::Agreements { spec, .. }
            | Self::Vouches { spec, .. }
            | Self::Open { spec, .. } => spec,
            Self::Result(work) => &work.spec,
        }
    }
}

impl Coordinator {
    /// The first of the [`Self::works`] at hand.
    pub fn work(&self) -> Option<Work> {
        self.works().next()
    }

    /// The work at hand, of each job that waits for some. Each is the same until its result is handled, whatever other jobs do.
    pub fn works(&self) -> impl Iterator<Item = Work> + '_ {
        self.running().filter_map(|job| self.work_of(job))
    }

    /// The work that a job waits for.
    pub(super) fn work_of(&self, job: &Progress) -> Option<Work> {
        let closed = job.pending()?;
        let (step, spec, blobs) = (closed.step, job.spec.clone(), closed.blobs());
        match step.phase {
            Phase::Commit => Some(Work::Commit { step, spec, commitments: blobs, string: job.string(step) }),
            Phase::Trial => {
                let (public_key, string) = (job.output.as_ref()?.shared, job.string(step));
                Some(Work::Trial { step, spec, public_key, shares: blobs, string })
            }
            Phase::KeyShare => Some(Work::Key { step, spec, shares: blobs, string: job.string(step) }),
            Phase::Relin => {
                let sum = job.output.as_ref()?.second.as_ref()?.sum;
                let (first, string) = (job.key_shares(step), job.string(step));
                Some(Work::Relin { step, spec, first, sum, shares: blobs, string })
            }
            Phase::Promise | Phase::Parts => None,
            Phase::Upload if job.kind().key() == KeyUse::Rounds => {
                let pairs = job.pairs.iter().map(|(site, blob)| (*site, *blob)).collect();
                Some(Work::Intake { step, spec, input: job.input, uploads: blobs, pairs })
            }
            Phase::Void => {
                let of = |(id, round): &(JobId, u64)| Some((self.jobs.get(id)?.spec.clone(), *round));
                let rounds = job.voiding.iter().flatten().filter_map(of).collect();
                Some(Work::Voids { step, spec, input: job.input, rounds, words: blobs })
            }
            Phase::Findings => {
                let sum = job.sum.as_ref()?;
                let (uploads, headers) = (sum.uploads.clone(), sum.headers);
                let earlier = self.earlier_sets(step.job);
                Some(Work::Name { step, spec, input: job.input, uploads, headers, findings: blobs, earlier })
            }
            Phase::Agree => {
                let sum = job.sum.as_ref()?;
                let (input, uploads, (named, commitment)) = (job.input, sum.committed(), sum.named.as_ref()?);
                let (commitment, sum) = (*commitment, named.sum);
                Some(Work::Agreements { step, spec, input, commitment, sum, uploads, words: blobs })
            }
            Phase::Vouch => {
                let sum = job.sum.as_ref()?;
                let (commitment, agreements) = (sum.named.as_ref()?.1, sum.agreements?);
                let (input, gone) = (job.input, sum.gone());
                Some(Work::Vouches { step, spec, input, commitment, agreements, gone, vouches: blobs })
            }
            Phase::Open => job.sum_work(step, blobs).map(|work| Work::Result(work.into())),
            Phase::Upload => {
                let evaluation = self.evaluation(job).map(Box::new);
                Some(Work::Sum { step, spec, uploads: blobs, evaluation })
            }
            Phase::Encrypt => {
                let opening = job.opening.as_ref()?;
                let (parts, remainder) = (opening.committed.clone(), opening.sum);
                Some(Work::Encrypted { step, spec, parts, remainder, encryptions: blobs })
            }
            Phase::Ready => Some(Work::Refresh { step, spec, sum: job.opening.as_ref()?.sum, zeros: blobs }),
            Phase::Share => Some(Work::Open {
                step,
                spec,
                key: closed.key,
                input: job.input,
                target: job.target?,
                shares: blobs,
                committed: job.opening.as_ref()?.committed.len(),
            }),
        }
    }

    /// What the end of work records.
    pub(super) fn work_done(&self, input: &Input, now_ms: u64) -> Result<Event, Refusal> {
        let (Input::Combined { step, .. }
        | Input::Opened { step, .. }
        | Input::Unusable { step, .. }
        | Input::Spoiled { step }
        | Input::Stuck { step }) = input
        else {
            return Err(Refusal::NoSuchWork { step: self.nowhere() });
        };
        let step = *step;
        let refusal = Refusal::NoSuchWork { step };
        let progress = self.at_work(step.job).ok_or_else(|| refusal.clone())?;
        let closed = progress.pending().filter(|c| c.step == step).ok_or_else(|| refusal.clone())?;
        let job = step.job;
        let last = progress.round + 1 >= progress.spec.rounds;
        let opens = matches!(step.phase, Phase::Share | Phase::Open);
        let sums = progress.kind().key() == KeyUse::Rounds;
        match input {
            Input::Combined { output, .. } if !opens => {
                if !self.fits(step, output) {
                    return Err(refusal);
                }
                Ok(Event::Combined { step, output: output.clone() })
            }
            Input::Opened { outcome: Outcome::Final(result), .. } if opens => {
                Ok(Event::Done { job, result: *result })
            }
            Input::Opened { outcome: Outcome::Next(input), .. } if opens && !last => {
                Ok(Event::Advanced { job, round: step.round, input: *input })
            }
            // A question is evaluated before it is opened.
            Input::Stuck { .. } if !opens && progress.is_question() => {
                Ok(Event::Failed { job, failure: Failure::Advance { round: step.round } })
            }
            Input::Opened { .. } | Input::Stuck { .. } if opens => {
                Ok(Event::Failed { job, failure: Failure::Advance { round: step.round } })
            }
            Input::Spoiled { .. } if sums => self.spoiled(step, now_ms).ok_or(refusal),
            Input::Unusable { sites, .. } => {
                let cause = if step.phase == Phase::Trial { Cause::Trial } else { Cause::Payload };
                let missing: Vec<Missing> = closed
                    .sites()
                    .into_iter()
                    .filter(|site| sites.contains(site))
                    .map(|site| Missing { site, cause })
                    .collect();
                if missing.is_empty() { Err(refusal) } else { Ok(Event::Excluded { step, missing }) }
            }
            _ => Err(refusal),
        }
    }

    /// Whether an output has what its step combines, and nothing else.
    fn fits(&self, step: Step, output: &Output) -> bool {
        let Some(job) = self.at_work(step.job) else { return false };
        let each = match step.phase {
            Phase::Commit => self.study.roster().parties(),
            Phase::Upload if job.kind().key() == KeyUse::Rounds => self.study.holders().len(),
            Phase::Void => job.voiding.as_ref().map_or(0, Vec::len),
            _ => 0,
        };
        output.each.len() == each
            && output.second.is_some() == (step.phase == Phase::KeyShare)
            && output.named.is_some() == (step.phase == Phase::Findings)
            && output.named.as_ref().is_none_or(|named| self.shows(job, named))
    }

    /// Whether a named set has what its signers are to be shown: with the root, where some do not hold, their inclusions.
    pub(super) fn shows(&self, job: &Progress, named: &NamedSet) -> bool {
        let by_root = job.sizes.evaluated && self.study.has_committee();
        let others = named.sites.iter().filter(|site| !self.study.signs(**site));
        named
            .inclusions
            .as_ref()
            .map_or(!by_root, |shown| by_root && shown.each.iter().map(|(site, _)| site).eq(others))
    }

    /// A step that no job has, for a refusal about no step.
    fn nowhere(&self) -> Step {
        let job = JobId(self.study.digest());
        Step { job, round: 0, attempt: 0, phase: Phase::KeyShare }
    }
}

impl Progress {
    /// The closed step whose payloads are not combined yet. Too few never stay here: a step or the job follows at once.
    fn pending(&self) -> Option<&Closed> {
        match &self.state {
            State::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    fn sum_work(&self, step: Step, openings: Vec<(SiteId, Blob)>) -> Option<SumWork> {
        let sum = self.sum.as_ref()?;
        let (named, commitment) = sum.named.as_ref()?;
        Some(SumWork {
            step,
            spec: self.spec.clone(),
            input: self.input,
            commitment: *commitment,
            sum: named.sum,
            agreements: sum.agreements?,
            vouches: sum.vouches,
            openings,
            committed: named.sites.len(),
        })
    }
}
