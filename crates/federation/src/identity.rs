//! Who signs: Ed25519 (RFC 8032) over digests with a domain.

use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use blindscope_wire::Digest;

/// The public half of an identity: 32 bytes of Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicIdentity(#[serde(with = "crate::text")] pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "crate::text")] pub [u8; 64]);

/// Signs digests. The key may live in the process, in a file or in a device.
pub trait Signer {
    /// The signature over these 32 bytes.
    fn sign(&self, digest: &Digest) -> Signature;
}

/// An identity's secret half. Zeroed on drop, never printed.
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// A new identity.
    ///
    /// # Timing
    /// The same for every key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::from_bytes(&seed)
    }

    /// The identity of this seed.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for the key file that only its owner reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// What others know it by.
    pub fn public(&self) -> PublicIdentity {
        PublicIdentity(self.0.verifying_key().to_bytes())
    }
}

impl Signer for IdentityKey {
    fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(..)")
    }
}

impl PublicIdentity {
    /// Whether this identity made the signature. Keys of small order and malleable signatures are refused.
    pub fn verifies(&self, digest: &Digest, signature: &Signature) -> bool {
        let signature = Ed25519Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(&digest.0, &signature).is_ok())
    }

    /// Whether the bytes are a usable key.
    pub(crate) fn is_valid(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }
}
