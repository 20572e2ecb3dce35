//! What a site says of a change.

use serde::{Deserialize, Serialize};

use crate::sums::{Epoch, successor_digest};
use crate::{Signature, Signer, SiteId};
use blindscope_wire::{Digest, Hasher};

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// People at the site want the change. It binds nobody: another one may be approved instead.
    Approve,
    /// They do not.
    Refuse,
    /// The site signs the next version, and nothing new under the one before. It signs no other successor, ever.
    Sign,
}

/// A site's signed word on the next version of its roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Whose.
    pub site: SiteId,
    /// What it says.
    pub says: Says,
    /// The version that it is on, by its digest.
    #[serde(with = "crate::text")]
    pub next: Digest,
    /// The site's.
    pub signature: Signature,
}

fn digest(says: Says, old: &Epoch, next: &Digest) -> Digest {
    let said: &[u8] = match says {
        Says::Approve => b"approve",
        Says::Refuse => b"refuse",
        Says::Sign => return successor_digest(&old.digest(), next),
    };
    Hasher::new("blindscope/roster/word/v1").absorb(said).absorb(&old.digest().0).absorb(&next.0).finish()
}

impl Word {
    /// A word of this site. That it signs is on its disk before ([`crate::sums::SumSite::judge_successor`]).
    pub fn say(says: Says, site: SiteId, (old, next): (&Epoch, &Epoch), signer: &dyn Signer) -> Self {
        let next = next.digest();
        Self { site, says, next, signature: signer.sign(&digest(says, old, &next)) }
    }

    /// Whether a member of the old version has said it of this one.
    pub fn is_of(&self, old: &Epoch, next: &Epoch) -> bool {
        let signed = |identity: &crate::PublicIdentity| {
            identity.verifies(&digest(self.says, old, &self.next), &self.signature)
        };
        self.next == next.digest() && old.member(self.site).is_some_and(|m| signed(&m.entry.identity))
    }
}
