//! What a site writes down of sums.

use serde::{Deserialize, Serialize};

use super::naming::NamingSecret;
use crate::{JobId, PublicIdentity, SiteId};
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
    /// What integers are named with from now on, under whichever keys. Stored with the first upload.
    Naming {
        /// The site's own.
        secret: NamingSecret,
    },
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
        /// The name that older releases gave them, at a site that has such names; else zeros.
        #[serde(with = "crate::text", default = "nothing", skip_serializing_if = "is_nothing")]
        former: Digest,
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
    /// A second copy of this site was seen: under the keys that both have it takes part in nothing any more.
    Copied {
        /// `ρ`
        #[serde(with = "crate::text")]
        round: Digest,
        /// The identity that the site had in that round; in marks of older releases nothing, which stops it under any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<PublicIdentity>,
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
