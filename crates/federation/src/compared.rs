//! What two people compare over the telephone, the same wherever it is shown.

use crate::{PublicIdentity, PublicSealingKey, SiteEntry};
use blindscope_wire::{Digest, Hasher};

/// What a party's request signs: name, role and public keys. A site's is that of its entry in the roster.
pub fn request_digest(
    name: &str,
    role: &str,
    identity: &PublicIdentity,
    sealing: Option<&PublicSealingKey>,
) -> Digest {
    let mut hasher = Hasher::new("blindscope/request/v1");
    hasher.absorb(name.as_bytes()).absorb(role.as_bytes()).absorb(&identity.0);
    hasher.absorb(sealing.map_or(&[], |key| key.0.as_slice())).finish()
}

impl SiteEntry {
    /// The digest of the request that it was made of.
    pub fn digest(&self) -> Digest {
        request_digest(&self.name, "site", &self.identity, Some(&self.sealing))
    }
}

/// What two people compare of a digest: 128 bits, in eight groups of four hexadecimal digits.
pub fn in_groups(digest: &Digest) -> String {
    let text = digest.to_string();
    let groups: Vec<&str> = (0..8).filter_map(|i| text.get(4 * i..4 * i + 4)).collect();
    groups.join("-")
}
