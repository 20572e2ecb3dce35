//! What a site remembers.

use serde::{Deserialize, Serialize};

use crate::sums::SumMark;
use crate::{Blob, Delta, Epsilon, JobId, Record, Result, SignedHeader, Step, message};
use blindscope_wire::Digest;

/// What a site remembers for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// What a round opens. Stored before the first answer that has to do with opening it; no other is helped with.
    Opening {
        /// The job.
        job: JobId,
        /// The round.
        round: u64,
        /// Digest of committed set and sum.
        #[serde(with = "crate::text")]
        opening: Digest,
        /// The sum, which must not come back under another round.
        sum: Blob,
    },
    /// A share is about to be made in this attempt. Stored before it exists; never made twice.
    Spent {
        /// The attempt.
        step: Step,
        /// Ciphertexts that it opens.
        openings: u64,
        /// The inference key that a question's are under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<JobId>,
    },
    /// A contribution is about to be sent with which others can open so much. Stored before it leaves.
    Sent {
        /// The job.
        job: JobId,
        /// Its round.
        round: u64,
        /// Ciphertexts.
        openings: u64,
    },
    /// What an encrypted head starts from, as this site was shown it. Stored before its contribution.
    Start {
        /// The head's job.
        head: JobId,
        /// The earlier job's result.
        input: Blob,
    },
    /// The common string of an inference ceremony, as this site was shown it. Stored before its promise.
    Committed {
        /// The ceremony.
        ceremony: JobId,
        /// The common string.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// What everybody had promised when this site revealed its shares. Stored before it did.
    Promised {
        /// The ceremony.
        ceremony: JobId,
        /// Digest of common string and promises.
        #[serde(with = "crate::text")]
        promised: Digest,
    },
    /// An encrypted head that this site has added up itself: its signed uploads are of this digest and make this sum.
    Checked {
        /// Digest of uploads and sum.
        #[serde(with = "crate::text")]
        opening: Digest,
        /// What is kept to evaluate it again: start, sum and evaluation keys.
        kept: Vec<Blob>,
    },
    /// Something of a sum ([`SumMark`]), stored with the answer that it goes before.
    Sum {
        /// What.
        mark: SumMark,
        /// Chunks that it opens, or of an upload that others can open with it.
        #[serde(default, skip_serializing_if = "is_zero")]
        openings: u64,
    },
    /// Noised values are about to be sent: what the job may give away of the site's data is spent, whatever becomes of it.
    Privacy {
        /// The job.
        job: JobId,
        /// `ε` of the whole job.
        epsilon: Epsilon,
        /// `δ` of it.
        delta: Delta,
    },
    /// An answer, signed and about to be sent. Its payload is kept until the receipt is there.
    Staged {
        /// The answer.
        answer: SignedHeader,
    },
    /// The site holds a share of this key.
    Key {
        /// The ceremony.
        ceremony: JobId,
        /// The public key.
        public_key: Blob,
        /// The parts, sealed to this site: its share is their sum.
        bundle: Blob,
        /// Whether it is a key of encrypted inference.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        inference: bool,
        /// Its evaluation keys, as this site made them of everybody's shares.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation_keys: Option<Blob>,
        /// The version of the roster whose sites hold the other shares.
        #[serde(default, skip_serializing_if = "is_zero")]
        version: u64,
    },
    /// The coordinator's receipt of an answer. The last one shows later whether the log was cut.
    Receipt {
        /// The record.
        record: Box<Record>,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Mark {
    /// Most bytes of one.
    pub const MAX_LEN: usize = 16 << 10;

    /// The mark as one line.
    pub fn to_text(&self) -> String {
        message::to_text(self)
    }

    /// The mark of a line.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than a mark has; [`crate::Error::Message`] for text that is none.
    pub fn from_text(text: &str) -> Result<Self> {
        message::from_text("mark", text.as_bytes(), Self::MAX_LEN)
    }
}
