//! What a site says in a step, signed: the name of its payload, or why there is none.

use serde::{Deserialize, Serialize};

use crate::{Blob, JobId, PublicIdentity, Result, Rule, Signature, Signer, SiteId, Step, message};
use blindscope_wire::Digest;

/// A site's answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The study.
    #[serde(with = "crate::text")]
    pub study: Digest,
    /// The ceremony whose key is used; a ceremony's own steps name the ceremony.
    pub key: JobId,
    /// The step.
    pub step: Step,
    /// Who answers.
    pub site: SiteId,
    /// The answer.
    pub answer: Answer,
}

/// A payload or a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The payload that goes with this header.
    Payload(Blob),
    /// There is none, and there will be none.
    Declined(Cause),
}

/// Why a site does not contribute to a step. Types only: a text could carry an image's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The deadline passed without an answer.
    Silent,
    /// The site's policy forbids it.
    Policy(Rule),
    /// Local learning failed; the site's own log says why.
    Contribution,
    /// The site holds no share of the key.
    KeyEpoch,
    /// What was shown as the sites' key, or as the sum behind it, is not what their signed shares add up to.
    OtherKey,
    /// The site marked the attempt as spent, then stopped before its share was kept.
    Spent,
    /// The site remembers another committed set, or another sum, for this round.
    OtherOpening,
    /// What the round is said to start from does not follow from the sum that was opened before it.
    OtherStart,
    /// The task's signatures, digests or numbers do not hold together.
    Task,
    /// The payload was not what the step asks for: found when payloads were combined.
    Payload,
    /// No committee with the site opened a known value under a new key: its share is wrong, or a part that a peer gave it.
    Trial,
    /// The same values are in an earlier sum that may still be opened over other sites, or was.
    SpentInput,
    /// The sum's values were summed over an earlier set, which is summed again as a whole or not at all, and the site is not in it, or
    /// others of it are missing.
    OtherCohort,
    /// A second copy of the site was seen at work: it takes part in no sum any more.
    Copied,
    /// The site could not keep what it has to keep.
    Store,
}

/// A header with its site's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHeader {
    /// What is said.
    pub header: Header,
    /// By whom.
    pub signature: Signature,
}

impl Header {
    /// What the site signs.
    pub fn digest(&self) -> Digest {
        message::digest("blindscope/federation/header/v1", self)
    }

    /// The header with its site's signature.
    pub fn sign(self, signer: &dyn Signer) -> SignedHeader {
        let signature = signer.sign(&self.digest());
        SignedHeader { header: self, signature }
    }
}

impl SignedHeader {
    /// Most bytes of one.
    pub const MAX_LEN: usize = 2048;

    /// The header as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        message::to_text(self).into_bytes()
    }

    /// The header of these bytes; its signature is not judged here.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than such a message has; [`crate::Error::Message`] for bytes that
    /// are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        message::from_text("header", bytes, Self::MAX_LEN)
    }

    /// Whether `identity` signed it.
    pub fn is_by(&self, identity: &PublicIdentity) -> bool {
        identity.verifies(&self.header.digest(), &self.signature)
    }

    /// The payload's name, if there is a payload.
    pub fn payload(&self) -> Option<Blob> {
        match self.header.answer {
            Answer::Payload(blob) => Some(blob),
            Answer::Declined(_) => None,
        }
    }
}
