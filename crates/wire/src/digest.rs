//! SHA-256 with a domain and unambiguous absorption.
//!
//! Every absorbed piece is preceded by its length as a 64-bit little-endian integer, the domain first, so no two
//! different sequences of pieces hash the same bytes.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::hex;

/// A SHA-256 digest. Public data: comparison is not constant time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The first 16 bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0[..16]);
        Fingerprint(short)
    }
}

/// The first 16 bytes of a [`Digest`], as carried in every [`Header`](crate::Header).
///
/// It tells honest parties that they use different parameters. It authenticates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

/// Hashes a sequence of pieces under a domain.
///
/// ```
/// use blindscope_wire::Hasher;
/// let mut h = Hasher::new("blindscope/example/v1");
/// h.absorb(b"roster").absorb_u64(3);
/// assert_ne!(h.finish(), Hasher::new("blindscope/example/v2").finish());
/// ```
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash for one purpose. `domain` names the purpose and its version.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.absorb(domain.as_bytes());
        hasher
    }

    /// Absorbs one piece, its length first.
    pub fn absorb(&mut self, piece: &[u8]) -> &mut Self {
        self.0.update((piece.len() as u64).to_le_bytes());
        self.0.update(piece);
        self
    }

    /// Absorbs one integer as a piece of eight bytes.
    pub fn absorb_u64(&mut self, value: u64) -> &mut Self {
        self.absorb(&value.to_le_bytes())
    }

    /// The digest of everything absorbed so far; the hasher can go on.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Debug for Hasher {
    /// Shows nothing: what was absorbed may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}
