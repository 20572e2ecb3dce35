//! What is refused outside of the protocol's own answers.

use thiserror::Error;

use crate::sums::SumRefusal;
use crate::{Cause, JobKind, Phase, Rule, SiteId};

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What was refused outside of the protocol's own answers: files, keys, payloads. See [`crate::Refusal`] for those.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A study, job or policy file that is not one.
    #[error("read {file}: {reason}; correct the file")]
    File {
        /// Which kind of file.
        file: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A field of a file outside what is allowed.
    #[error("check {file}: {field} is {found}, expected {expected}; correct the file")]
    Field {
        /// Which kind of file.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A message longer than any of its kind can be.
    #[error("read {what}: {found} bytes, at most {max} are accepted; it is no such message")]
    Oversize {
        /// Kind of message.
        what: &'static str,
        /// Bytes found.
        found: u64,
        /// Most bytes accepted.
        max: u64,
    },
    /// Bytes that go on where they should end.
    #[error("{op}: more follows the {expected} bytes expected; it is of another study or was altered")]
    Trailing {
        /// The operation.
        op: &'static str,
        /// Bytes by the parameters.
        expected: u64,
    },
    /// Text that is no message of its kind, or another text for it than the one form it has.
    #[error("read {what}: {reason}; it was altered or made by another version")]
    Message {
        /// Kind of message.
        what: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// Sealing or opening failed: a wrong key, receiver, sender or context, or altered bytes.
    #[error(
        "{op}: keys, context and bytes do not belong together; run the ceremony again with the study's keys"
    )]
    Seal {
        /// The operation.
        op: &'static str,
    },
    /// A site that is not of the study.
    #[error("{op}: {site} is not among the study's sites; check the study file")]
    ForeignSite {
        /// The operation.
        op: &'static str,
        /// The stranger.
        site: SiteId,
    },
    /// One site's payload is not what its step asks for.
    #[error("{op}: the payload of {site} is not usable: {source}; the step goes on without it")]
    Payload {
        /// The operation.
        op: &'static str,
        /// Who sent it.
        site: SiteId,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// Portions of a work that are not those of its uploads.
    #[error(
        "combine portions: they are not those of the work's uploads, in their order; do the work as a whole"
    )]
    Portions,
    /// A payload of another length than the study's parameters say.
    #[error("{op}: expected {expected} bytes, found {found}; it is of another study or was cut short")]
    Length {
        /// The operation.
        op: &'static str,
        /// Bytes by the parameters.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A ciphertext at another level than its place has.
    #[error(
        "{op}: a ciphertext of level {expected} is expected, found level {found}; it is of another circuit"
    )]
    Level {
        /// The operation.
        op: &'static str,
        /// The level of its place.
        expected: usize,
        /// Its level.
        found: usize,
    },
    /// The coordinator announces another size of a step than follows from the job's file.
    #[error(
        "take task: {field} is announced as {found}, the job's file makes it {expected}; use the same release on both sides"
    )]
    Announced {
        /// Which size.
        field: &'static str,
        /// By the job's file.
        expected: u64,
        /// As announced.
        found: u64,
    },
    /// A task or work without something that its kind of job needs.
    #[error("do a step: it comes without {what}; use the same release on both sides")]
    Incomplete {
        /// What is missing.
        what: &'static str,
    },
    /// A step that jobs of this kind do not have.
    #[error("do a step: jobs of kind {kind} have no phase {phase}; use the same release on both sides")]
    ForeignPhase {
        /// The job's kind.
        kind: JobKind,
        /// The phase that was asked.
        phase: Phase,
    },
    /// The ciphertext to be opened is not the one that this site's own zeros went into.
    #[error("share: the refreshed sum is {found}, recomputed {expected}; no share was made")]
    NotRefreshed {
        /// Recomputed name.
        expected: String,
        /// Name in the task.
        found: String,
    },
    /// What an asker dealt to a holder is not sealed to it for this question: it is of another head, key, remainder or asker's key.
    #[error(
        "encrypt shares of a question: what was dealt is not sealed to {site} for this head, remainder and asker's key; ask \
         anew, and deal anew"
    )]
    Dealt {
        /// The holder.
        site: SiteId,
    },
    /// What a site dealt to a holder of its part of a head is not sealed to it for this job, or is not what the site committed to.
    #[error(
        "encrypt shares of a head: what {dealer} dealt is not sealed to {holder} for this job and remainder, or is not what \
         {dealer} committed to; learn the head anew; if it stays, {dealer} has to refuse that job, or leave the study by a change of the roster"
    )]
    Part {
        /// Who dealt it.
        dealer: SiteId,
        /// The holder.
        holder: SiteId,
    },
    /// The holders of a share do not vouch for the same encryption of it: one of them deviates, or they were shown different things, seeds by
    /// an asker or parts by a coordinator.
    #[error(
        "{op}: holders {} of share {share} do not vouch for one encryption of it: one of them deviates, or they were shown different \
         things, seeds by an asker or parts by the coordinator; do it anew",
        names(.sites)
    )]
    Vouched {
        /// The operation.
        op: &'static str,
        /// The share.
        share: usize,
        /// Its holders.
        sites: Vec<SiteId>,
    },
    /// Known values did not open under a new key.
    #[error("open trial values: no committee with {} opens one; the key is not used, run a new ceremony", names(.sites))]
    Trial {
        /// Sites in no committee that opened its value; all of them where that names nobody.
        sites: Vec<SiteId>,
    },
    /// The answer to be opened is not what the question and the head that this site verified evaluate to.
    #[error(
        "share: the answer is {found}, evaluated here {expected}; no share was made. Compare the versions of coordinator and site"
    )]
    OtherAnswer {
        /// Recomputed name.
        expected: String,
        /// Name in the task.
        found: String,
    },
    /// What the coordinator shows is not what the sites' signed shares add up to.
    #[error(
        "{op}: shown {found}, expected {expected} by what the sites have signed; the coordinator shows another key, do not use it"
    )]
    OtherKey {
        /// The operation.
        op: &'static str,
        /// Recomputed name.
        expected: String,
        /// Name in the task.
        found: String,
    },
    /// A share was asked of a permit for another step, or without one.
    #[error("share: no permit for {step}; the spent mark is stored first, then a share is made")]
    Permit {
        /// The step.
        step: String,
    },
    /// Local learning, or the step from one round to the next, failed.
    #[error("{op}: {source}")]
    Learning {
        /// The operation.
        op: &'static str,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Records or marks that do not follow from one another: altered, cut, or of another study.
    #[error(
        "replay: record {seq}: {reason}; a coordinator takes its newest copy, a site enrols with new keys: an old copy of a site \
         forgets what it has shared"
    )]
    Corrupt {
        /// Its number.
        seq: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A blob could not be read or written.
    #[error("{op}: {source}")]
    Io {
        /// The operation.
        op: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A step of a sum's round that is not taken.
    #[error(transparent)]
    Sum(SumRefusal),
    /// From the sums' layer.
    #[error(transparent)]
    Aggregate(#[from] blindscope_aggregate::Error),
    /// From the protocols' layer.
    #[error(transparent)]
    Threshold(#[from] blindscope_threshold::Error),
    /// From the scheme's layer.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::Error),
}

impl Error {
    /// What a site answers where it could not do what it was asked.
    pub fn cause(&self) -> Cause {
        match self {
            // Values that are not what the job says are the learning code's.
            Self::Learning { .. }
            | Self::Aggregate(
                blindscope_aggregate::Error::Range { .. } | blindscope_aggregate::Error::Mismatch { .. },
            ) => Cause::Contribution,
            Self::Io { .. } => Cause::Store,
            Self::Seal { .. } | Self::Payload { .. } => Cause::KeyEpoch,
            Self::OtherKey { .. } => Cause::OtherKey,
            Self::Permit { .. } => Cause::Spent,
            Self::Part { .. } => Cause::Dealt,
            Self::Sum(refusal) => match refusal {
                SumRefusal::SpentInput | SumRefusal::OtherSetOfInput => Cause::SpentInput,
                SumRefusal::Copied | SumRefusal::Stopped => Cause::Copied,
                SumRefusal::OtherSet { .. } | SumRefusal::Uploaded | SumRefusal::Contradiction { .. } => {
                    Cause::OtherOpening
                }
                SumRefusal::OtherStart => Cause::OtherStart,
                SumRefusal::Part { .. } => Cause::Payload,
                SumRefusal::NearCohort { found, least } => {
                    Cause::Policy(Rule::MinimumDifference { found: *found, least: *least })
                }
                _ => Cause::Task,
            },
            _ => Cause::Task,
        }
    }

    /// Names the operation in which the system failed.
    pub fn io(op: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { op, source }
    }
}

fn names(sites: &[SiteId]) -> String {
    sites.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
