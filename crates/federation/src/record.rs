//! The coordinator's records: what happened, in order, each bound to the one before and signed. The audit log is exactly
//! these records, and the coordinator's state is exactly their fold.

use serde::{Deserialize, Serialize};

use crate::{
    Blob, Cause, Change, JobId, JobSpec, Line, PublicIdentity, Result, Signature, SignedHeader, Signer,
    SiteId, Sizes, Step, Word, message,
};
use blindscope_wire::Digest;

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What is signed.
    pub body: Body,
    /// The coordinator's signature over the digest of `body`.
    pub signature: Signature,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Its number, from 0.
    pub seq: u64,
    /// Digest of the record before; of the study for the first.
    #[serde(with = "crate::text")]
    pub previous: Digest,
    /// The coordinator's clock, milliseconds since 1970. Never used to order records.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What happens in a study's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The log begins.
    Founded {
        /// The study.
        #[serde(with = "crate::text")]
        study: Digest,
    },
    /// A job was accepted.
    Submitted {
        /// Its id.
        job: JobId,
        /// Its file.
        spec: JobSpec,
        /// What its steps move.
        sizes: Sizes,
        /// Of a question, the line of its asker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<Box<Line>>,
    },
    /// A step began.
    Opened {
        /// The step.
        step: Step,
        /// The key in use.
        key: JobId,
        /// Who is asked.
        expected: Vec<SiteId>,
        /// When the step closes at the latest, by the coordinator's clock.
        deadline_ms: u64,
    },
    /// A site's answer was accepted: this record is its receipt.
    Accepted {
        /// The answer.
        answer: SignedHeader,
    },
    /// A step took no further answers.
    Closed {
        /// The step.
        step: Step,
        /// Whose payloads go on, in order.
        committed: Vec<SiteId>,
        /// Who is missing, and why.
        missing: Vec<Missing>,
    },
    /// Payloads turned out unusable when they were combined.
    Excluded {
        /// The step.
        step: Step,
        /// Whose.
        missing: Vec<Missing>,
    },
    /// The committed payloads of a step were combined.
    Combined {
        /// The step.
        step: Step,
        /// Into what.
        output: Output,
    },
    /// The sum was opened and gave the next round's input.
    Advanced {
        /// The job.
        job: JobId,
        /// The round that ended.
        round: u64,
        /// What the next round starts from.
        input: Blob,
    },
    /// The job ended well.
    Done {
        /// The job.
        job: JobId,
        /// Its result.
        result: Blob,
    },
    /// A change of the roster was proposed, in place of one that too few approved.
    Proposed {
        /// What would change.
        change: Change,
    },
    /// The change was withdrawn.
    Withdrawn,
    /// A site said a word on it.
    Said {
        /// The word.
        word: Word,
    },
    /// A quorum has signed: the next version of the roster stands.
    Changed {
        /// Its number.
        version: u64,
        /// Its digest.
        #[serde(with = "crate::text")]
        roster: Digest,
    },
    /// The job ended without a result.
    Failed {
        /// The job.
        job: JobId,
        /// Why.
        failure: Failure,
    },
}

/// A site that a step goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The site.
    pub site: SiteId,
    /// Why.
    pub cause: Cause,
}

/// What combining payloads gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// For everybody: the common string, the public key, the evaluation keys, the sum, the refreshed sum.
    pub shared: Blob,
    /// For one site each, in the sites' order: the parts sealed to it. Empty but where a ceremony lays parts together.
    pub each: Vec<Blob>,
    /// What the second round of an inference ceremony starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondRound>,
    /// Of a sum's uploads: pair keys that came with them, by site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<(SiteId, Blob)>,
    /// Of a sum's findings: the set that is named, whose headers `shared` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<NamedSet>,
}

/// The set of a sum, as it is named once and for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedSet {
    /// The sum of its bodies.
    pub sum: Blob,
    /// Its sites in order.
    pub sites: Vec<SiteId>,
    /// Who can open it, in order.
    pub openers: Vec<SiteId>,
    /// Of a set that is signed by its root: what those are shown who do not see all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusions: Option<Inclusions>,
}

/// The parts of a large sum's set that are shown where a committee signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusions {
    /// Its root, for whoever goes on from it once it is signed.
    pub root: Blob,
    /// By site of the set that does not hold, in order: the root with its own header and the path between them.
    pub each: Vec<(SiteId, Blob)>,
}

/// What the second round of a relinearisation key starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondRound {
    /// The sum of the first.
    pub sum: Blob,
    /// For one site each, in the sites' order: what it sealed to itself. Stands with its parts since sites commit first; only
    /// logs of earlier releases have it here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<Blob>,
}

impl Output {
    /// An outcome that is the same for everybody.
    pub fn shared(shared: Blob) -> Self {
        Self { shared, each: Vec::new(), second: None, pairs: Vec::new(), named: None }
    }

    /// Every blob that it names.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        let second =
            self.second.iter().flat_map(|of| std::iter::once(of.sum).chain(of.seeds.iter().copied()));
        let pairs = self.pairs.iter().map(|(_, blob)| *blob);
        let shown = self.named.iter().flat_map(|of| &of.inclusions);
        let shown =
            shown.flat_map(|of| std::iter::once(of.root).chain(of.each.iter().map(|(_, blob)| *blob)));
        let named = self.named.iter().map(|of| of.sum).chain(shown);
        std::iter::once(self.shared).chain(self.each.iter().copied()).chain(second).chain(pairs).chain(named)
    }
}

/// Why a job ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Failure {
    /// Fewer answers than the step needs. Nothing was opened.
    TooFew {
        /// The step.
        step: Step,
        /// Answers needed.
        needed: u32,
        /// Answers there.
        found: u32,
        /// Who is missing, and why.
        missing: Vec<Missing>,
    },
    /// Every attempt at opening the round lost a member.
    Attempts {
        /// The last step.
        step: Step,
        /// Attempts made.
        made: u32,
        /// Who was missing in the last one, and why.
        missing: Vec<Missing>,
    },
    /// The study's budget of decryptions does not hold another attempt.
    Budget {
        /// Ciphertexts opened so far, every attempt counted.
        used: u64,
        /// Ciphertexts of one attempt.
        asked: u64,
        /// The study's budget.
        most: u64,
    },
    /// There is no key yet, or none of the circuit that the job names.
    NoKey,
    /// The job that this one starts from has no result, or the head that is asked is none.
    NoStart,
    /// Whoever opened, the sum did not: an upload or an opening was none. Nothing of it was released.
    Spoiled {
        /// The last step.
        step: Step,
        /// Attempts made.
        made: u32,
    },
    /// The step from one round to the next failed at the coordinator.
    Advance {
        /// The round.
        round: u64,
    },
    /// Somebody called it off.
    Aborted,
}

impl Body {
    /// What is signed, and what the next record names.
    pub fn digest(&self) -> Digest {
        message::digest("blindscope/federation/record/v1", self)
    }

    pub(crate) fn sign(self, signer: &dyn Signer) -> Record {
        let signature = signer.sign(&self.digest());
        Record { body: self, signature }
    }
}

impl Record {
    /// Most bytes of one.
    pub const MAX_LEN: usize = 1 << 20;

    /// The record as one line of the log, without the line's end.
    pub fn to_line(&self) -> String {
        message::to_text(self)
    }

    /// The record of a line; its place and signature are not judged here.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than such a message has; [`crate::Error::Message`] for bytes that
    /// are no such message.
    pub fn from_line(line: &[u8]) -> Result<Self> {
        message::from_text("record", line, Self::MAX_LEN)
    }

    /// Digest of its body.
    pub fn digest(&self) -> Digest {
        self.body.digest()
    }

    /// Whether `coordinator` signed it.
    pub fn is_by(&self, coordinator: &PublicIdentity) -> bool {
        coordinator.verifies(&self.digest(), &self.signature)
    }

    /// Whether it is the receipt of this answer.
    pub fn acknowledges(&self, answer: &SignedHeader) -> bool {
        matches!(&self.body.event, Event::Accepted { answer: accepted } if accepted == answer)
    }
}
