//! What everybody says before anything of an inference key is revealed.
//!
//! Each site commits to its secret: it sends the parts of it, sealed, and signs their digest. All these signed digests together are
//! the *common string*, from which the ceremony's uniform polynomials follow: nobody knew them before all had committed. Then
//! each site *promises*: it signs the digest of its public shares under that string, and sends them only once it has seen
//! everybody's promise. So the last one that reveals has nothing left to choose.

use serde::{Deserialize, Serialize};

use crate::{Blob, SignedHeader, SiteId};
use blindscope_wire::{Digest, Hasher, Writer};

/// The common string, and everybody's promise under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promised {
    /// What the ceremony's uniform polynomials follow from.
    #[serde(with = "crate::text")]
    pub string: Digest,
    /// Everybody's signed answer in phase promise, in order.
    pub promises: Vec<SignedHeader>,
}

impl Promised {
    /// What a site remembers of it before it reveals anything.
    pub fn digest(&self) -> Digest {
        let mut h = Hasher::new("blindscope/federation/promised/v1");
        h.absorb(&self.string.0);
        for promise in &self.promises {
            h.absorb(&promise.header.digest().0);
        }
        h.finish()
    }

    /// Whether a site promised exactly these shares.
    pub fn holds(&self, site: SiteId, shares: &Blob) -> bool {
        let of_site = self.promises.iter().find(|p| p.header.site == site);
        of_site.and_then(SignedHeader::payload) == Some(Blob::of(&promise_of(shares)))
    }
}

/// The common string of a ceremony: everybody's signed answer in phase commit, in order.
pub fn common_string(commitments: &[SignedHeader]) -> Digest {
    let mut h = Hasher::new("blindscope/federation/common-string/v1");
    for commitment in commitments {
        h.absorb(&commitment.header.digest().0);
    }
    h.finish()
}

/// Bytes of a promise: SHA-256 and length of the shares.
pub(crate) const PROMISE_LEN: u64 = 40;

/// The payload of phase promise: the name of the shares that will be revealed.
pub fn promise_of(shares: &Blob) -> Vec<u8> {
    let mut out = Vec::with_capacity(PROMISE_LEN as usize);
    let mut w = Writer::new(&mut out, PROMISE_LEN as usize);
    w.bytes(&shares.digest.0);
    w.u64(shares.len);
    w.finish();
    out
}
