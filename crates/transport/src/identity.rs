//! Who is at the other end: the key of its certificate, not the name in it.

use std::fmt;
use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a certificate's `SubjectPublicKeyInfo`. A renewed certificate of the same key has the same identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 32]);

/// `SubjectPublicKeyInfo` of an Ed25519 key up to the key's 32 bytes (RFC 8410).
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PeerId {
    /// The identity that a certificate of this Ed25519 key has.
    pub fn of_ed25519(key: &[u8; 32]) -> Self {
        Self(Sha256::new().chain_update(ED25519_PREFIX).chain_update(key).finalize().into())
    }

    /// The identity of a certificate; `None` when it is not one.
    pub(crate) fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        Some(Self(Sha256::digest(parsed.subject_public_key_info()).into()))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// The other end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub id: PeerId,
    /// Where it calls from; for logs only.
    pub address: SocketAddr,
}
