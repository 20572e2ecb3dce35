//! What a site says in a step, signed: the name of its payload, or why there is none.
//!
//! Signed and recorded is its one text; it travels as bytes, since four of them go with each small sum:
//!
//! | bytes | field |
//! | ---: | --- |
//! | 32 each | study, key, job |
//! | 8, 4 | u64 round, u32 attempt |
//! | 1 | phase: its place in [`Phase::ALL`] |
//! | 2 | u16 site |
//! | 64 | signature |
//! | 1 | 0: a payload; 1: declined |
//! | 40 | SHA-256 and u64 length of the payload; or as many as there are: the cause's one text |

use serde::{Deserialize, Serialize};

use crate::{
    Blob, Error, JobId, Phase, PublicIdentity, Result, Rule, Signature, Signer, SiteId, Step, message,
};
use blindscope_wire::{Digest, Reader, Writer};

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
    /// What a site dealt to this one for a head could not be opened: this site's own log says whose it was.
    Dealt,
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
    pub const MAX_LEN: usize = 512;

    /// Bytes before the answer.
    const FIXED: usize = 3 * 32 + 8 + 4 + 1 + 2 + 64 + 1;

    /// The header as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Header { study, key, step, site, answer } = &self.header;
        let cause = match answer {
            Answer::Payload(_) => String::new(),
            Answer::Declined(cause) => message::to_text(cause),
        };
        let len = Self::FIXED + self.payload().map_or(cause.len(), |_| 40);
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        for name in [study, &key.0, &step.job.0] {
            w.bytes(&name.0);
        }
        w.u64(step.round);
        w.u32(step.attempt);
        w.u8(step.phase.place());
        w.u16(site.0);
        w.bytes(&self.signature.0);
        match answer {
            Answer::Payload(blob) => {
                w.u8(0);
                w.bytes(&blob.digest.0);
                w.u64(blob.len);
            }
            Answer::Declined(_) => {
                w.u8(1);
                w.bytes(cause.as_bytes());
            }
        }
        w.finish();
        out
    }

    /// The header of these bytes; its signature is not judged here.
    ///
    /// # Errors
    /// [`Error::Oversize`] for more bytes than such a message has; [`Error::Message`] for bytes that are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > Self::MAX_LEN {
            let (found, max) = (bytes.len() as u64, Self::MAX_LEN as u64);
            return Err(Error::Oversize { what: WHAT, found, max });
        }
        let (fixed, tail) = bytes.split_at(bytes.len().min(Self::FIXED));
        let mut r = Reader::new(fixed);
        let (study, key) =
            (Digest(r.array("study").map_err(wrong)?), JobId(Digest(r.array("key").map_err(wrong)?)));
        let job = JobId(Digest(r.array("job").map_err(wrong)?));
        let (round, attempt) = (r.u64("round").map_err(wrong)?, r.u32("attempt").map_err(wrong)?);
        let phase =
            Phase::at(r.u8("phase").map_err(wrong)?).ok_or_else(|| wrong("there is no such phase"))?;
        let site = SiteId(r.u16("site").map_err(wrong)?);
        let signature = Signature(r.array("signature").map_err(wrong)?);
        let answer = match r.u8("answer").map_err(wrong)? {
            0 => Answer::Payload(payload(tail)?),
            1 => Answer::Declined(message::from_text(WHAT, tail, Self::MAX_LEN)?),
            _ => return Err(wrong("an answer is a payload or declined")),
        };
        let step = Step { job, round, attempt, phase };
        Ok(Self { header: Header { study, key, step, site, answer }, signature })
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

const WHAT: &str = "header";

fn wrong(reason: impl std::fmt::Display) -> Error {
    Error::Message { what: WHAT, reason: reason.to_string() }
}

/// A payload's name.
fn payload(bytes: &[u8]) -> Result<Blob> {
    let mut r = Reader::new(bytes);
    let blob =
        Blob { digest: Digest(r.array("payload").map_err(wrong)?), len: r.u64("length").map_err(wrong)? };
    r.finish().map_err(wrong)?;
    Ok(blob)
}
