//! What the protocol of sums refuses, each with what to do.

use thiserror::Error;

use crate::SiteId;

/// Why a step of a sum's round is not taken: a sentence with what was found and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SumRefusal {
    /// A roster's version that does not hold together.
    #[error("roster: {what} is {found}, expected {expected}; correct the study")]
    Roster {
        /// The field.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A message that names another round than the receiver's own roster and job give.
    #[error("{what}: it is of another round; compare roster, holders, job and plan")]
    OtherRound {
        /// Kind of message.
        what: &'static str,
    },
    /// A signature that is not its sender's.
    #[error("{what}: the signature is not that of {site}; it was altered or made by somebody else")]
    Signature {
        /// Kind of message.
        what: &'static str,
        /// Whom it names.
        site: SiteId,
    },
    /// A site that is not of the roster, or no holder where one is needed.
    #[error("{what}: {site} is no {role} of this roster; check who sent it")]
    Stranger {
        /// Kind of message.
        what: &'static str,
        /// The stranger.
        site: SiteId,
        /// What it would have to be.
        role: &'static str,
    },
    /// Bytes that their digest in the signed header does not name.
    #[error("upload of {site}: {what} is not what its header names; ask for it again")]
    OtherBytes {
        /// Whose upload.
        site: SiteId,
        /// Body, or which part.
        what: &'static str,
    },
    /// The site has uploaded in this round: a key is used once.
    #[error("upload: job and round have an upload already; its stored bytes are sent again, or nothing")]
    Uploaded,
    /// The same input stands in a round that may still be opened over another set.
    #[error(
        "upload: this input is in another round that was neither declared void nor settled without this site; have its holders \
         sign it void"
    )]
    SpentInput,
    /// The same input was opened over another set.
    #[error(
        "agree: this input was summed over other sites before; a sum over these would tell one of them apart"
    )]
    OtherSetOfInput,
    /// A committed set that is not sorted, or names a site twice.
    #[error("commitment: sites are to be in order, each once; {site} is not")]
    Order {
        /// The first that is not.
        site: SiteId,
    },
    /// A header that is not where its inclusion path leads.
    #[error("commitment: the upload of {site} is not in the set whose root is shown; nothing is signed")]
    Inclusion {
        /// Whose.
        site: SiteId,
    },
    /// Fewer uploads than roster or policy want.
    #[error("commitment: {found} uploads, at least {least} are summed; wait for more sites")]
    Cohort {
        /// Uploads.
        found: u64,
        /// Fewest.
        least: u64,
    },
    /// A set that is nearly the one of an earlier sum of this kind.
    #[error(
        "agree: the set differs from that of an earlier sum of this kind in {found} sites, whom the difference of the two would tell; this \
         site's policy wants none or {least}"
    )]
    NearCohort {
        /// Sites in one of them alone.
        found: u32,
        /// Fewest.
        least: u32,
    },
    /// A header in this site's name that it does not know: a second copy of the site is at work.
    #[error(
        "commitment: an upload in this site's name is not in its marks: a second copy of it is at work. It stops for good; \
         enrol with new keys"
    )]
    Copied,
    /// The site's own upload was sent and is missing from what is said to be complete, or the other way round.
    #[error("this site has stopped taking part in sums since a copy of it was seen; enrol with new keys")]
    Stopped,
    /// The sum is not that of the bodies.
    #[error("agree: the named sum is not the sum of the committed bodies; nothing is signed")]
    OtherSum,
    /// Another set was signed in this round.
    #[error("{what}: another set or sum is stored for this round; that one stands")]
    OtherSet {
        /// The step.
        what: &'static str,
    },
    /// Fewer signers than the roster wants.
    #[error("open: {found} sites have signed this set, {needed} are needed; ask more")]
    Quorum {
        /// Distinct signers.
        found: u64,
        /// The quorum.
        needed: u64,
    },
    /// An evaluation is missing or named twice.
    #[error("open: no one evaluation of the body of {site}; ask it, or another site for it")]
    Evaluation {
        /// Whose.
        site: SiteId,
    },
    /// The round was declared void here.
    #[error("open: this holder has declared the round void; its parts stay closed")]
    Void,
    /// The round was opened here, so it cannot be declared void.
    #[error("void: this holder has opened the round; its result stands")]
    Opened,
    /// Too few declarations.
    #[error("void: {found} holders have signed, {needed} are needed; ask more")]
    VoidQuorum {
        /// Distinct holders.
        found: u64,
        /// `m − t + f + 1`
        needed: u64,
    },
    /// A part that does not open or is not on its polynomial.
    #[error("open: the part of {site} is not usable here; other holders can open")]
    Part {
        /// Its dealer.
        site: SiteId,
    },
    /// Too few holders can open.
    #[error("{found} of {needed} openings that agree; ask other holders")]
    Openings {
        /// Usable ones.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// The evaluations do not add up to the sum's.
    #[error(
        "result: the evaluations of the bodies are not that of the sum: it is another sum; nothing is released"
    )]
    NotTheSum,
    /// The site's own body does not decrypt.
    #[error(
        "upload: what was encrypted does not decrypt to the values; nothing is sent. Check this machine's memory"
    )]
    Broken,
    /// A later round is said to start from something else than follows from the sum before it, or nothing shows that it does.
    #[error(
        "start: what this round is said to start from does not follow from the sum that was opened before it; nothing is uploaded or \
         signed. Use the same release everywhere; if it stays, the coordinator shows a start of its own"
    )]
    OtherStart,
    /// Signed statements on earlier rounds that contradict what this site remembers, or each other.
    #[error(
        "upload: what is shown of an earlier round contradicts this site's marks ({reason}): more sites deviate than the study \
         withstands. Nothing of it is kept; stop, and compare the coordinator's log with the sites' receipts"
    )]
    Contradiction {
        /// What contradicts.
        reason: &'static str,
    },
    /// More rounds in one task than a site is told of.
    #[error(
        "upload: {found} earlier rounds are shown at once, at most {most} are; use the same release on both sides"
    )]
    Told {
        /// Rounds shown.
        found: u64,
        /// Most.
        most: u64,
    },
    /// A round that is shown twice in one task.
    #[error("upload: an earlier round is shown twice; use the same release on both sides")]
    ToldTwice,
    /// Another successor of a roster version was signed, or it does not follow.
    #[error("roster: {reason}; one successor a version is signed")]
    Successor {
        /// What is wrong.
        reason: &'static str,
    },
}
