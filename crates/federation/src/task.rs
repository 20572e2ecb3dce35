//! What the coordinator asks of one site.

use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::{Blob, Evaluation, JobId, JobSpec, Promised, Result, SignedHeader, SiteId, Sizes, Step, message};
use blindscope_wire::{Digest, Hasher};

/// One site's part in a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The study.
    #[serde(with = "crate::text")]
    pub study: Digest,
    /// The version of the roster in force.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// The key in use: its ceremony.
    pub key: JobId,
    /// The step.
    pub step: Step,
    /// The job's file.
    pub spec: JobSpec,
    /// What its steps move.
    pub sizes: Sizes,
    /// When the step closes at the latest, by the coordinator's clock.
    pub deadline_ms: u64,
    /// What to do.
    pub ask: Ask,
    /// Of a sum's later steps: what its round starts from, as in the upload's; nothing in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Blob>,
    /// Of a later round: what its start follows from, for whoever uploads or signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Box<Grounds>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The opened sum of a round, from which the next one's start follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// What that round started from; nothing in the first.
    pub start: Option<Blob>,
    /// Its set, and the signatures on it.
    pub proof: SettledProof,
    /// Its sum.
    pub sum: Blob,
    /// The openings, in the holders' order.
    pub openings: Vec<(SiteId, Blob)>,
}

impl Grounds {
    /// Its blobs.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        let openings = self.openings.iter().map(|(_, blob)| *blob);
        self.start.into_iter().chain(self.proof.blobs()).chain([self.sum]).chain(openings)
    }
}

/// What a site does in a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Draw a secret, send a sealed part to each site.
    Commit,
    /// Say which shares will be revealed.
    Promise {
        /// The site's own seed and the parts for it, sealed.
        bundle: Blob,
        /// Everybody's signed answer in phase commit, in order: the common string follows.
        commitments: Vec<SignedHeader>,
    },
    /// Reveal them.
    Reveal {
        /// As above.
        bundle: Blob,
        /// What everybody has said before.
        promised: Promised,
    },
    /// Send a share of the relinearisation key's second round.
    Relin {
        /// The sum of the first.
        sum: Blob,
        /// The site's own seed and the parts for it, sealed.
        bundle: Blob,
        /// Everybody's signed answer to the first, in order: the site adds them up itself.
        shares: Vec<SignedHeader>,
        /// What everybody had said before it.
        promised: Promised,
    },
    /// Open and add up the parts, and say so.
    Parts {
        /// The collective public key.
        public_key: Blob,
        /// The parts sealed to this site, one a sender.
        bundle: Blob,
        /// Everybody's signed answer in phase key-share, in order: the site makes the public key of them itself.
        shares: Vec<SignedHeader>,
        /// The evaluation keys, which the site makes itself too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation: Option<Box<EvaluationShares>>,
    },
    /// Send shares of known values.
    Trial {
        /// The collective public key.
        public_key: Blob,
        /// The common string.
        #[serde(with = "crate::text")]
        string: Digest,
    },
    /// Contribute.
    Upload {
        /// The public key of encrypted inference; nothing in a sum, whose keys live for the round.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_key: Option<Blob>,
        /// What the round starts from; nothing in the first.
        input: Option<Blob>,
        /// Whether the site's pair keys are to go with it: the coordinator has none of it yet.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pairs: bool,
        /// Rounds of the same input that failed, and the declarations that make each void.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        voids: Vec<VoidRound>,
        /// Rounds of the same input that were opened, so that a site which did not open them knows of which set.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        settled: Vec<SettledRound>,
    },
    /// Declare these rounds void, which failed.
    Void {
        /// By job file and round.
        rounds: Vec<(JobSpec, u64)>,
    },
    /// Look at the parts of a sum's keys, before its set is named.
    Findings {
        /// The signed headers of all uploads.
        headers: Blob,
        /// What this site is given of them.
        bundle: Blob,
    },
    /// Sign the set that is summed.
    Agree {
        /// The signed headers of the set, and the sum's name; to a site that does not hold, of a large sum, its
        /// [`Inclusion`](crate::sums::Inclusion).
        commitment: Blob,
        /// Uploads that this site looks at: all of the set where it adds them up, else its own.
        uploads: Vec<(SiteId, Blob)>,
    },
    /// Evaluate uploads of sites that did not agree in time.
    Vouch {
        /// The signed headers of the set, and the sum's name.
        commitment: Blob,
        /// Whose uploads.
        uploads: Vec<(SiteId, Blob)>,
    },
    /// Open the sum of this site's parts.
    Open {
        /// As in findings.
        headers: Blob,
        /// As in findings.
        bundle: Blob,
        /// The signed headers of the set, and the sum's name.
        commitment: Blob,
        /// The signatures on it.
        agreements: Blob,
        /// Evaluations of uploads whose sites are gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vouches: Option<Blob>,
    },
    /// Encrypt the sums of what was dealt to this site for a head.
    Encrypt {
        /// The public key of encrypted inference.
        public_key: Blob,
        /// The signed parts that the head is made of, in the sites' order.
        parts: Vec<SignedHeader>,
    },
    /// Send encryptions of zero.
    Ready {
        /// The collective public key.
        public_key: Blob,
        /// What is to be opened.
        opening: Opening,
    },
    /// Send a decryption share.
    Share {
        /// What is to be opened.
        opening: Opening,
        /// The sites that open it, in order.
        committee: Vec<SiteId>,
        /// The members' encryptions of zero, in order; none in the first attempt.
        zeros: Vec<SignedHeader>,
        /// The ciphertexts to share of: the sum, with the zeros added.
        target: Blob,
        /// What a question's answer is computed from, besides the question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation: Option<Box<Evaluation>>,
    },
}

/// A round of a sum that failed and will never be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidRound {
    /// The job's file.
    pub spec: JobSpec,
    /// Its round.
    pub round: u64,
    /// The version of the roster that it was of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// What enough of its holders have signed.
    pub declared: Blob,
}

/// A round of a sum that was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettledRound {
    /// The job's file.
    pub spec: JobSpec,
    /// Its round.
    pub round: u64,
    /// The version of the roster that it was of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// That a quorum signed its set.
    pub proof: SettledProof,
}

/// A set, and the signatures on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettledProof {
    /// The signed headers of the set, and the sum's name; of a set that is signed by its root, that.
    pub commitment: Blob,
    /// The signatures on it.
    pub agreements: Blob,
    /// Evaluations of uploads whose sites are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouches: Option<Blob>,
}

impl SettledProof {
    /// Its blobs.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> + use<> {
        [self.commitment, self.agreements].into_iter().chain(self.vouches)
    }
}

/// What the evaluation keys of an inference key are made of, beside the shares of phase key-share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationShares {
    /// The evaluation keys.
    pub keys: Blob,
    /// The sum of the relinearisation key's first round.
    pub sum: Blob,
    /// Everybody's signed answer in phase relin, in order.
    pub shares: Vec<SignedHeader>,
    /// What everybody had said before anything was revealed.
    pub promised: Promised,
}

/// What a round opens. It never changes between attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The signed uploads that the sum is over, in the sites' order.
    pub committed: Vec<SignedHeader>,
    /// Of a head: its holders' signed encryptions of what those have dealt, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted: Vec<SignedHeader>,
    /// Their sum; of a head, until its holders have encrypted, the sum of what is left once shares are taken off.
    pub sum: Blob,
}

impl Opening {
    /// What a site remembers of it.
    pub fn digest(&self) -> Digest {
        let mut h = Hasher::new("blindscope/federation/opened/v1");
        h.absorb(&self.sum.digest.0).absorb_u64(self.sum.len);
        for upload in self.committed.iter().chain(&self.encrypted) {
            h.absorb(&upload.header.digest().0);
        }
        h.finish()
    }
}

impl Task {
    /// Most bytes of one: a thousand sites' headers three times, and a job file.
    pub const MAX_LEN: usize = 4 << 20;

    /// The task as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        message::to_text(self).into_bytes()
    }

    /// The task of these bytes.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than such a message has; [`crate::Error::Message`] for bytes that
    /// are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        message::from_text("task", bytes, Self::MAX_LEN)
    }

    /// The parts and encryptions that the head of a question is made of: a site that has added them up before needs them no more.
    pub fn head_uploads(&self) -> Vec<Blob> {
        self.ask.head_uploads()
    }

    /// What a sum's round starts from; nothing in the first.
    pub fn starts_from(&self) -> Option<Blob> {
        match &self.ask {
            Ask::Upload { input, .. } => *input,
            _ => self.start,
        }
    }

    /// What stands for the values that a sum's task is about; nothing for other jobs. What a site may do with values depends on what became
    /// of them before, so it does such tasks one after the other.
    pub fn values(&self) -> Option<Digest> {
        self.spec.kind.is_sum().then(|| self.spec.input(self.starts_from().as_ref()))
    }

    /// The blobs that a site fetches before it can do this; none of a job that does not hold together, which no site takes.
    pub fn inputs(&self) -> Vec<Blob> {
        let Ok(job) = Job::of(&self.spec) else { return Vec::new() };
        let mut inputs = job.kind().inputs(&self.ask);
        if let Some(grounds) = &self.grounds {
            // What the round starts from is made here, not fetched.
            inputs.retain(|blob| Some(*blob) != self.starts_from());
            inputs.extend(grounds.blobs());
        }
        inputs
    }
}

impl Ask {
    /// The blobs that it names, as far as most kinds need them.
    pub(crate) fn blobs(&self) -> Vec<Blob> {
        match self {
            Self::Commit | Self::Void { .. } => Vec::new(),
            Self::Promise { bundle, .. } | Self::Reveal { bundle, .. } => vec![*bundle],
            Self::Parts { public_key, bundle, shares, evaluation } => {
                let second = evaluation.iter().flat_map(|e| &e.shares);
                let shares = shares.iter().chain(second).filter_map(SignedHeader::payload);
                let sum = evaluation.iter().map(|e| e.sum);
                [*public_key, *bundle].into_iter().chain(sum).chain(shares).collect()
            }
            Self::Upload { public_key, input, voids, settled, .. } => {
                let voids = voids.iter().map(|void| void.declared);
                let settled = settled.iter().flat_map(|s| s.proof.blobs());
                public_key.iter().chain(input).copied().chain(voids).chain(settled).collect()
            }
            Self::Findings { headers, bundle } => vec![*headers, *bundle],
            Self::Agree { commitment, uploads } | Self::Vouch { commitment, uploads } => {
                std::iter::once(*commitment).chain(uploads.iter().map(|(_, b)| *b)).collect()
            }
            Self::Open { headers, bundle, commitment, agreements, vouches } => {
                [*headers, *bundle, *commitment, *agreements].into_iter().chain(*vouches).collect()
            }
            Self::Relin { sum, bundle, shares, .. } => {
                [*sum, *bundle].into_iter().chain(shares.iter().filter_map(SignedHeader::payload)).collect()
            }
            Self::Encrypt { public_key, parts } => {
                std::iter::once(*public_key).chain(parts.iter().filter_map(SignedHeader::payload)).collect()
            }
            Self::Trial { public_key, .. } | Self::Ready { public_key, .. } => vec![*public_key],
            Self::Share { opening, zeros, .. } => {
                let zeros = zeros.iter().filter_map(SignedHeader::payload);
                std::iter::once(opening.sum).chain(zeros).collect()
            }
        }
    }

    /// The parts and encryptions of the head that a question is answered from.
    pub(crate) fn head_uploads(&self) -> Vec<Blob> {
        let Self::Share { evaluation: Some(evaluation), .. } = self else { return Vec::new() };
        let Opening { committed, encrypted, .. } = &evaluation.opening;
        committed.iter().chain(encrypted).filter_map(SignedHeader::payload).collect()
    }
}
