//! Bytes for one receiver's eyes, from a known sender: HPKE (RFC 9180) in mode *auth-psk* over DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305, whose pre-shared key is a fresh ML-KEM-768 secret (FIPS 203) to the same receiver.
//!
//! The coordinator carries sealed parts between sites and can neither read nor replace them. They stay sealed as long as
//! either of X25519 and ML-KEM holds: who records them and later breaks X25519 reads nothing. That the sender is who it says
//! rests on X25519 alone, which has to hold only at the time of sealing.
//!
//! Reference: Alwen, Janneck, Kiltz, Lipp, "The Pre-Shared Key Modes of HPKE", ia.cr/2023/1480 (this composition).

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable};
use ml_kem::kem::{Decapsulate as _, Encapsulate as _, KeyExport as _};
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::opened::Opened;
use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Bytes of an X25519 key, public or encapsulated.
const CURVE: usize = 32;
/// Bytes of an ML-KEM-768 encapsulation key.
const LATTICE: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext.
const LATTICE_CIPHERTEXT: usize = 1088;
const TAG: usize = 16;

/// The public half of a sealing key: 32 bytes of X25519, then 1,184 of ML-KEM-768.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicSealingKey(#[serde(with = "crate::text")] pub [u8; CURVE + LATTICE]);

/// A sealing key's secret half. Zeroed on drop, never printed.
pub struct SealingKey {
    seed: Zeroizing<[u8; 32]>,
    secret: Secret,
    public: Public,
    lattice: DecapsulationKey,
    /// Pair keys that it has opened.
    pub(crate) opened: Opened,
}

/// Bytes that sealing adds: both encapsulated keys and the tag.
pub const SEAL_OVERHEAD: usize = CURVE + LATTICE_CIPHERTEXT + TAG;

impl SealingKey {
    /// A new key.
    ///
    /// # Timing
    /// The same for every key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::from_bytes(&seed)
    }

    /// The key of this seed: both secrets are hashed from it, each under a label of its own.
    ///
    /// # Timing
    /// The same for every key.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        let expand = |label: u64| {
            let mut h = Hasher::new("blindscope/federation/sealing-key/v2");
            Zeroizing::new(h.absorb(seed).absorb_u64(label).finish().0)
        };
        let (secret, public) = X25519HkdfSha256::derive_keypair(&*expand(0));
        let mut both = ml_kem::Seed::default();
        both[..32].copy_from_slice(&*expand(1));
        both[32..].copy_from_slice(&*expand(2));
        let lattice = DecapsulationKey::from_seed(both);
        both.zeroize();
        Self { seed: Zeroizing::new(*seed), secret, public, lattice, opened: Opened::default() }
    }

    /// The seed, for the key file that only its owner reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// What others seal to.
    ///
    /// # Timing
    /// The same for every key.
    pub fn public(&self) -> PublicSealingKey {
        let mut bytes = [0; CURVE + LATTICE];
        bytes[..CURVE].copy_from_slice(&self.public.to_bytes());
        bytes[CURVE..].copy_from_slice(&self.lattice.encapsulation_key().to_bytes());
        PublicSealingKey(bytes)
    }

    /// `plain` for the holder of `to` alone, from this key's holder, bound to `context`:
    /// both encapsulated keys, ciphertext, tag; [`SEAL_OVERHEAD`] bytes longer than `plain`.
    ///
    /// # Errors
    /// [`Error::Seal`] where `to` is no key.
    ///
    /// # Timing
    /// Of the length of `plain` alone.
    pub fn seal(
        &self,
        to: &PublicSealingKey,
        context: &Digest,
        plain: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>> {
        let refuse = |_| Error::Seal { op: "seal" };
        let (curve, lattice) = to.halves().ok_or(Error::Seal { op: "seal" })?;
        let (encapped, mut shared) = lattice.encapsulate_with_rng(rng);
        let info = info(context, &self.public(), to, &encapped);
        let psk = PskBundle::new(&shared, &info.0).map_err(refuse)?;
        let mode = OpModeS::AuthPsk((self.secret.clone(), self.public.clone()), psk);
        let (key, mut sender) =
            hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &mode, &curve, &info.0, rng,
            )
            .map_err(refuse)?;
        drop(mode);
        shared.zeroize();
        let mut out = key.to_bytes().to_vec();
        out.extend_from_slice(&encapped);
        out.append(&mut sender.seal(plain, &[]).map_err(refuse)?);
        Ok(out)
    }

    /// What `from` sealed to this key under `context`.
    ///
    /// # Errors
    /// [`Error::Seal`] for anything else; nothing is returned of it.
    ///
    /// # Timing
    /// Of the length of `sealed`, and of whether it opens.
    pub fn open(
        &self,
        from: &PublicSealingKey,
        context: &Digest,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let wrong = || Error::Seal { op: "open sealed part" };
        // Of the sender's key the curve's half is enough: taking the lattice's apart would cost more than the rest.
        let sender = Public::from_bytes(&from.0[..CURVE]).map_err(|_| wrong())?;
        let (key, rest) = sealed.split_at_checked(CURVE).ok_or_else(wrong)?;
        let (encapped, body) = rest.split_at_checked(LATTICE_CIPHERTEXT).ok_or_else(wrong)?;
        let key = Encapped::from_bytes(key).map_err(|_| wrong())?;
        let encapped = encapped.try_into().map_err(|_| wrong())?;
        let mut shared = self.lattice.decapsulate(encapped);
        let info = info(context, from, &self.public(), encapped);
        let psk = PskBundle::new(&shared, &info.0).map_err(|_| wrong())?;
        let receiver = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::AuthPsk(sender, psk),
            &self.secret,
            &key,
            &info.0,
        );
        shared.zeroize();
        let mut receiver = receiver.map_err(|_| wrong())?;
        receiver.open(body, &[]).map(Zeroizing::new).map_err(|_| wrong())
    }
}

/// What a seal is bound to: whose it is, and the lattice's ciphertext, which the curve's key schedule does not see otherwise.
fn info(context: &Digest, from: &PublicSealingKey, to: &PublicSealingKey, encapped: &[u8]) -> Digest {
    Hasher::new("blindscope/federation/seal/v2")
        .absorb(&context.0)
        .absorb(&from.0)
        .absorb(&to.0)
        .absorb(encapped)
        .finish()
}

impl PublicSealingKey {
    fn halves(&self) -> Option<(Public, EncapsulationKey)> {
        let (curve, lattice) = self.0.split_at(CURVE);
        let lattice = EncapsulationKey::new(lattice.try_into().ok()?).ok()?;
        Some((Public::from_bytes(curve).ok()?, lattice))
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.0[..CURVE] != [0; CURVE] && self.halves().is_some()
    }

    /// The first 16 hexadecimal digits of its digest, for people.
    pub fn fingerprint(&self) -> String {
        let digest = Hasher::new("blindscope/federation/sealing-key/fingerprint/v1").absorb(&self.0).finish();
        blindscope_wire::hex(&digest.0[..8])
    }
}

impl std::fmt::Debug for PublicSealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicSealingKey({})", self.fingerprint())
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}
