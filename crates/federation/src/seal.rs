//! Bytes for one receiver's eyes, from a known sender: HPKE (RFC 9180) in mode *auth*, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, ChaCha20-Poly1305.
//!
//! The coordinator carries sealed parts between sites and can neither read nor replace them. Not post-quantum: who records
//! them and later breaks X25519 reads them.

use blindscope_wire::Digest;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Error, Result};

type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;

/// The public half of a sealing key: 32 bytes of X25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicSealingKey(#[serde(with = "crate::text")] pub [u8; 32]);

/// A sealing key's secret half. Zeroed on drop, never printed.
pub struct SealingKey {
    secret: Secret,
    public: Public,
}

/// Bytes that sealing adds: the encapsulated key and the tag.
pub const SEAL_OVERHEAD: usize = 32 + 16;

impl SealingKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let (secret, public) = X25519HkdfSha256::gen_keypair_with_rng(rng);
        Self { secret, public }
    }

    /// The key of these bytes.
    ///
    /// # Errors
    /// [`Error::Seal`] for bytes that are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let secret = Secret::from_bytes(bytes).map_err(|_| Error::Seal { op: "read sealing key" })?;
        let public = X25519HkdfSha256::sk_to_pk(&secret);
        Ok(Self { secret, public })
    }

    /// The bytes, for the key file that only its owner reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// What others seal to.
    pub fn public(&self) -> PublicSealingKey {
        PublicSealingKey(self.public.to_bytes().into())
    }

    /// `plain` for the holder of `to` alone, from this key's holder, bound to `context`:
    /// encapsulated key, ciphertext, tag; [`SEAL_OVERHEAD`] bytes longer than `plain`.
    ///
    /// # Errors
    /// [`Error::Seal`] where `to` is no key.
    pub fn seal(
        &self,
        to: &PublicSealingKey,
        context: &Digest,
        plain: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>> {
        let refuse = |_| Error::Seal { op: "seal" };
        let to = Public::from_bytes(&to.0).map_err(refuse)?;
        let mode = OpModeS::Auth((self.secret.clone(), self.public.clone()));
        let (key, mut sender) =
            hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &mode, &to, &context.0, rng,
            )
            .map_err(refuse)?;
        let mut out = key.to_bytes().to_vec();
        out.append(&mut sender.seal(plain, &[]).map_err(refuse)?);
        Ok(out)
    }

    /// What `from` sealed to this key under `context`.
    ///
    /// # Errors
    /// [`Error::Seal`] for anything else; nothing is returned of it.
    pub fn open(
        &self,
        from: &PublicSealingKey,
        context: &Digest,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let refuse = |_| Error::Seal { op: "open sealed part" };
        let mode = OpModeR::Auth(Public::from_bytes(&from.0).map_err(refuse)?);
        let (key, body) = sealed.split_at_checked(32).ok_or(Error::Seal { op: "open sealed part" })?;
        let key = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(key).map_err(refuse)?;
        let mut receiver = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &mode,
            &self.secret,
            &key,
            &context.0,
        )
        .map_err(refuse)?;
        receiver.open(body, &[]).map(Zeroizing::new).map_err(refuse)
    }
}

impl PublicSealingKey {
    pub(crate) fn is_valid(&self) -> bool {
        self.0 != [0; 32] && Public::from_bytes(&self.0).is_ok()
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}
