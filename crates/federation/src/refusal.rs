//! Why the coordinator did not take a message. Its state is unchanged then.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Answer, JobId, JobKind, SiteId, Step};
use blindscope_wire::Digest;

/// A refusal, with both values and the repair.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// The sender is not a site of the study.
    #[error("answer: {site} is not among the {sites} sites of the study; check who sent it")]
    ForeignSite {
        /// The stranger.
        site: SiteId,
        /// Sites of the study.
        sites: u32,
    },
    /// The connection belongs to another site than the message names.
    #[error("answer: signed for {found} on the connection of {expected}; each site sends its own answers")]
    Sender {
        /// Whose connection.
        expected: SiteId,
        /// Whom the message names.
        found: SiteId,
    },
    /// The signature is not the site's over this message.
    #[error("answer: the signature is not that of {site}; use the identity that the roster names")]
    Signature {
        /// The site that the message names.
        site: SiteId,
    },
    /// A message of another study.
    #[error("answer: expected study {}, found {}; use the study.toml of this coordinator", short(.expected), short(.found))]
    Study {
        /// This study.
        #[serde(with = "crate::text")]
        expected: Digest,
        /// The message's.
        #[serde(with = "crate::text")]
        found: Digest,
    },
    /// A message made under another key.
    #[error("answer: expected the key of ceremony {}, found {}; fetch the task again", .expected.short(), .found.short())]
    KeyEpoch {
        /// The key in use.
        expected: JobId,
        /// The message's.
        found: JobId,
    },
    /// No such job.
    #[error("job {}: not known to this study; list the jobs", .job.short())]
    UnknownJob {
        /// The name given.
        job: JobId,
    },
    /// The job has ended.
    #[error("job {}: it has ended; submit another under a new name", .job.short())]
    JobOver {
        /// The job.
        job: JobId,
    },
    /// The step is over, or has not begun: another round, attempt or phase is open, or none.
    #[error("answer: for {asked}, but open is {}; fetch the task again", at(.open.as_ref()))]
    NotOpen {
        /// The message's step.
        asked: Step,
        /// The step that is open.
        open: Option<Step>,
    },
    /// The site is not asked in this step.
    #[error("answer: {site} is not asked in {step}; fetch the task again")]
    NotAsked {
        /// The step.
        step: Step,
        /// The site.
        site: SiteId,
    },
    /// The site has answered this step already, otherwise.
    #[error("answer: {site} has answered {step} already; that stands: it {accepted}")]
    Answered {
        /// The step.
        step: Step,
        /// The site.
        site: SiteId,
        /// The answer that stands.
        accepted: Answer,
    },
    /// A payload of another length than the step has.
    #[error(
        "answer: the payload of {step} has {expected} bytes, found {found}; use the same release on both sides"
    )]
    Length {
        /// The step.
        step: Step,
        /// Bytes by the job's plan.
        expected: u64,
        /// Bytes announced.
        found: u64,
    },
    /// A confirmation of other parts than were sent.
    #[error("answer: {site} confirms another key or other parts than were sent; run the ceremony again")]
    OtherParts {
        /// The site.
        site: SiteId,
    },
    /// Shares of an inference key that are not those that the site has promised.
    #[error("answer: {site} reveals other shares than it has promised; run a new ceremony without it")]
    BrokenPromise {
        /// The site.
        site: SiteId,
    },
    /// A job file that does not hold together.
    #[error("submit: {reason}")]
    JobFile {
        /// What is wrong, with values and repair.
        reason: String,
    },
    /// A file of plain sums in the form of an earlier release.
    #[error(
        "submit: plain = true under kind {kind} was the form of an earlier release; write kind = \"sum\" and leave plain out"
    )]
    FormerJob {
        /// The kind that it was filed as.
        kind: JobKind,
    },
    /// A head in the form of an earlier release, in which each site handed in a ciphertext of its own making.
    #[error(
        "submit: {name} names no holders, as heads of an earlier release did, whose parts were ciphertexts of each site's own \
         making; leave circuit, levels and holders out, and they are filled in"
    )]
    FormerHead {
        /// The job's name.
        name: String,
    },
    /// The name belongs to another job.
    #[error("submit: the name {name} belongs to job {} with another content; choose a new name", .job.short())]
    NameTaken {
        /// The name.
        name: String,
        /// Its job.
        job: JobId,
    },
    /// The study's budget of decryptions does not hold the job.
    #[error(
        "submit: the job opens {asked} ciphertexts, {used} of {most} are used; take fewer rounds or values, or found a new study"
    )]
    Budget {
        /// Used so far.
        used: u64,
        /// By this job.
        asked: u64,
        /// The study's budget.
        most: u64,
    },
    /// Too many jobs wait.
    #[error("submit: {waiting} jobs wait, at most {most} may; wait or abort some")]
    ManyJobs {
        /// Waiting now.
        waiting: u64,
        /// Most that may.
        most: u64,
    },
    /// A change of the roster that does not follow from the one in force.
    #[error("change of the roster: {reason}")]
    Change {
        /// What is wrong, with the repair.
        reason: String,
    },
    /// A word, or a withdrawal, where no change is on its way.
    #[error("change of the roster: none is on its way; propose it first")]
    NoChange,
    /// Another change, a refusal or a withdrawal where a quorum has approved.
    #[error(
        "change of the roster: a quorum approves the one on its way, and sites may have signed it; it is carried out first"
    )]
    ChangeApproved,
    /// A word on another change than the one on its way.
    #[error("change of the roster: the word is on version {}, on its way is {}; look at the change again", short(.found), short(.expected))]
    OtherChange {
        /// On its way.
        #[serde(with = "crate::text")]
        expected: Digest,
        /// The word's.
        #[serde(with = "crate::text")]
        found: Digest,
    },
    /// Too many words of one site on one change.
    #[error(
        "change of the roster: {most} words of one site on it were taken, the last stands; withdraw it and propose it anew"
    )]
    ManyWords {
        /// Most that are taken.
        most: u64,
    },
    /// A signature on a change before a quorum approves it and the jobs have ended.
    #[error(
        "change of the roster: it is signed once a quorum approves it and no job or question runs or waits; wait for that"
    )]
    NotSigning,
    /// A job or question while a change is carried out.
    #[error(
        "submit: a change of the roster is approved and waits for the sites' signatures; submit it once the change stands"
    )]
    RosterChanges,
    /// The result of work that is not asked for, or no longer.
    #[error("combine: {step} is not waiting for this; take the work at hand")]
    NoSuchWork {
        /// The step named.
        step: Step,
    },
}

fn short(digest: &Digest) -> String {
    digest.fingerprint().to_string()
}

fn at(step: Option<&Step>) -> String {
    step.map_or_else(|| "no step".to_owned(), ToString::to_string)
}
