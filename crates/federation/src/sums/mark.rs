//! What a site writes down of sums.

use serde::{Deserialize, Serialize};

use crate::{JobId, SiteId};
use blindscope_wire::Digest;

fn nothing() -> Digest {
    Digest([0; 32])
}

fn is_nothing(digest: &Digest) -> bool {
    *digest == nothing()
}

/// What a site remembers of sums for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SumMark {
    /// An upload is about to be sent: a job's round has one, ever.
    Uploaded {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
        /// The job.
        job: JobId,
        /// Its round.
        number: u64,
        /// Digest of the signed header.
        #[serde(with = "crate::text")]
        header: Digest,
        /// What was put in: job kind, settings, version of the data.
        #[serde(with = "crate::text")]
        input: Digest,
        /// Names the integers themselves, whatever the job calls them; zeros in marks of older releases.
        #[serde(with = "crate::text", default = "nothing", skip_serializing_if = "is_nothing")]
        values: Digest,
    },
    /// A set is about to be signed.
    Agreed {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
        /// Digest of set and sum.
        #[serde(with = "crate::text")]
        commitment: Digest,
        /// The body's value that is signed with it.
        #[serde(with = "crate::text")]
        evaluation: [u8; 32],
        /// Its sites; none in marks of older releases.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sites: Vec<SiteId>,
        /// What kind of sum it is, from which start; zeros in marks of older releases.
        #[serde(with = "crate::text", default = "nothing", skip_serializing_if = "is_nothing")]
        about: Digest,
    },
    /// Parts are about to be opened.
    Opened {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
        /// Digest of set and sum.
        #[serde(with = "crate::text")]
        commitment: Digest,
        /// Digest of the evaluations.
        #[serde(with = "crate::text")]
        list: Digest,
    },
    /// A quorum was seen for this set: no other can have one.
    Settled {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
        /// Its sites.
        sites: Vec<SiteId>,
    },
    /// The round is about to be declared void: nothing of it is opened here.
    Void {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
    },
    /// Enough holders have declared the round void.
    Voided {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
    },
    /// A second copy of this site was seen: it takes part in nothing any more.
    Copied {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
    },
    /// The next version of the roster is about to be signed, and nothing new under the one before.
    Successor {
        /// The version before.
        version: u64,
        /// Digest of the next.
        #[serde(with = "crate::text")]
        next: Digest,
    },
}
