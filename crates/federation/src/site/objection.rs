//! Why a site does not do what it is asked, in words for its own log.

use thiserror::Error;

use crate::{Cause, Rule, SiteId, Step};

/// What a site found wrong with a task. It stays in the site's log: its answer gives only the [`Cause`], so that a coordinator
/// that probes a site learns no more of what the site remembers than it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Objection {
    /// The site's own policy forbids it.
    #[error("the site's policy forbids it ({0}); agree on the rule, or change local/policy.toml")]
    Policy(Rule),
    /// The job's file lacks what its kind needs, or has what belongs to other kinds.
    #[error("the job's file does not hold together; use the same release on both sides")]
    JobFile,
    /// Work under a version of the roster that has a successor here.
    #[error(
        "it is under version {version} of the roster, which signed changes have replaced: nothing is done under it any more"
    )]
    FormerRoster {
        /// The version.
        version: u64,
    },
    /// A round or attempt that the job or study does not have.
    #[error("the job has no {step}")]
    NoSuchStep {
        /// What was asked.
        step: Step,
    },
    /// What is asked and the phase do not belong together, or jobs of this kind are never asked it.
    #[error("jobs of this kind are not asked this in {step}")]
    OtherPhase {
        /// What was asked.
        step: Step,
    },
    /// A ceremony under the name of another one.
    #[error("the ceremony names another key than its own")]
    OtherCeremony,
    /// The second round of a ceremony in whose first this site sent nothing.
    #[error("this site took no part in the first round of the ceremony")]
    NoFirstRound,
    /// Evaluation keys that are missing.
    #[error("no evaluation keys are shown for the inference key")]
    EvaluationKeys,
    /// Signed answers of fewer or more sites than there are.
    #[error("{found} signed answers are shown where all {expected} sites have to answer")]
    Roster {
        /// Sites of the study.
        expected: usize,
        /// Answers shown.
        found: usize,
    },
    /// Signed answers that are not in the sites' order, each once.
    #[error("signed answers are not in the sites' order, each once")]
    Order,
    /// An answer of somebody who is no site of the study.
    #[error("an answer is of {site}, which is not of the study")]
    Stranger {
        /// Who.
        site: SiteId,
    },
    /// An answer to another step, under another key or of another study.
    #[error("the answer of {site} is not to {step} under this key; compare the coordinator's log")]
    OtherAnswer {
        /// Whose.
        site: SiteId,
        /// The step that it has to be to.
        step: Step,
    },
    /// An answer without a payload, or with one of another length.
    #[error("the answer of {site} has no payload of {expected} bytes")]
    PayloadLength {
        /// Whose.
        site: SiteId,
        /// Bytes by the job's file.
        expected: u64,
    },
    /// An answer without a payload.
    #[error("the answer of {site} has no payload")]
    NoPayload {
        /// Whose.
        site: SiteId,
    },
    /// A signature that is not the site's.
    #[error("the signature of {site} is not its own: somebody speaks in its name")]
    Signature {
        /// In whose name.
        site: SiteId,
    },
    /// This site's own answer, as it did not send it.
    #[error("this site's own answer to {step} is shown otherwise than it was sent")]
    OwnAnswer {
        /// The step.
        step: Step,
    },
    /// Another set of commitments than this site promised under, or than makes the common string.
    #[error("the common string is another than this site promised its shares under")]
    OtherCommitments,
    /// Other promises than this site saw before it revealed its shares.
    #[error("other promises are shown than this site saw before it revealed its shares")]
    OtherPromises,
    /// Shares that are not what their site promised before anybody revealed.
    #[error("{site} reveals other shares than it promised: it may have chosen them after it saw its peers'")]
    BrokenPromise {
        /// Who.
        site: SiteId,
    },
    /// A question or a head whose shares this site does not hold.
    #[error("this site holds no share of what is to be encrypted")]
    NoHolder,
    /// An opening of uploads of other sites than those that hold the shares of question or head.
    #[error("what is added up is of other sites' uploads than those of its holders")]
    OtherHolders,
    /// A sum over fewer contributions than the study allows.
    #[error("the sum is over {found} contributions, the study wants {least}")]
    Cohort {
        /// In the sum.
        found: usize,
        /// The study's least.
        least: u32,
    },
    /// A sum or target of another length than the job's.
    #[error("the ciphertexts to open take {found} bytes, the job's file makes it {expected}")]
    SumLength {
        /// By the job's file.
        expected: u64,
        /// As shown.
        found: u64,
    },
    /// A committee of the wrong size or order, or without this site.
    #[error("the committee is not {threshold} sites in order with this one among them")]
    Committee {
        /// Sites that open.
        threshold: usize,
    },
    /// A first attempt that is not of the sum itself, or a later one without fresh zeros of its members.
    #[error("the ciphertexts to open are not the sum, refreshed by its committee")]
    Target,
    /// A question without what its answer is computed from, or another job with it.
    #[error("what an answer is computed from is missing, or shown for a job that is no question")]
    Evaluation,
    /// Another head than the question's.
    #[error("the head that is shown is not the one that the question names")]
    OtherHead,
    /// A head of an earlier release, for which each site handed in a ciphertext of its own making.
    #[error(
        "the head was learned as earlier releases did it, of ciphertexts that each site made itself: one site and an asker may read \
         the key in its answers. Make a new key and learn the head anew"
    )]
    FormerHead,
    /// A head that starts from something else than this site was shown.
    #[error("the head starts from another result than this site was shown when it contributed")]
    OtherStart,
    /// A first round with a start: the same values would be another input.
    #[error("the first round of a sum starts from nothing, and a start is shown")]
    EarlyStart,
    /// A later round of a sum without what it starts from.
    #[error("a later round of a sum starts from the sum before it, and nothing of it is shown")]
    NoStart,
    /// Something to fetch that is longer than anything of its plan.
    #[error(
        "{found} bytes are to be fetched where nothing of the job has more than {most}; use the same release on both sides"
    )]
    InputLength {
        /// As shown.
        found: u64,
        /// By the job's plan.
        most: u64,
    },
    /// More earlier rounds than a site is told of at once.
    #[error(
        "{found} earlier rounds are shown at once, at most {most} are; use the same release on both sides"
    )]
    Told {
        /// As shown.
        found: usize,
        /// Most.
        most: usize,
    },
    /// Evaluation keys that this site has not made itself.
    #[error("the evaluation keys are not those that this site made of everybody's shares")]
    OtherEvaluationKeys,
    /// No share of the key that is named.
    #[error("this site holds no share of the key that is named; run a ceremony in which it takes part")]
    NoKey,
    /// Another public key than this site holds a share of, or a key for another use.
    #[error("the public key is another than this site holds a share of, or of another use")]
    OtherKey,
    /// Another committed set or sum than this site remembers for the round, or a sum of another round.
    #[error("this site remembers another committed set or sum for the round, or the sum of another round")]
    OtherOpening,
    /// A share that was begun before.
    #[error("the attempt is marked as spent: its share was lost with the process that made it")]
    Spent,
}

impl Objection {
    /// What the answer says.
    pub fn cause(self) -> Cause {
        match self {
            Self::Policy(rule) => Cause::Policy(rule),
            Self::NoKey | Self::OtherKey => Cause::KeyEpoch,
            Self::OtherEvaluationKeys
            | Self::OtherCommitments
            | Self::OtherPromises
            | Self::BrokenPromise { .. } => Cause::OtherKey,
            Self::OtherOpening | Self::OtherStart => Cause::OtherOpening,
            Self::Spent => Cause::Spent,
            _ => Cause::Task,
        }
    }
}
