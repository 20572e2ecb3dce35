//! Encryptions whose uniform half nobody chooses: a message is dealt in shares, and holders encrypt the shares.
//!
//! Whoever may hand in a ciphertext `(c_0, c_1)` of its own making hands in `(0, d)`, an encryption of `d·s`, and what is computed
//! of it and opened gives the secret `s` away. So an asker hands in no ciphertext. It deals its message `m` as
//!
//! ```text
//! m = x + Σ_k Expand(seed_k)   in R_q
//! ```
//!
//! where `x`, the *remainder*, is public, and seed `k` is known to some holders. Each of them derives the very same encryption of
//! share `k` under the collective key, from the seed and the name of the round ([`Dealt::encrypt`]), and vouches for its digest. The
//! sum of `x` and of all shares' encryptions is an encryption of `m` that was formed as encryptions are, as long as each share has
//! *one* holder that follows the protocol. Whoever lacks one of the seeds sees `m` under a uniform pad.
//!
//! Where several deal, as sites do that learn a head together, holders add up what they were dealt before they encrypt: the sum is an
//! encryption of all messages' sum, with as many encryptions as for one ([`Dealt::encrypt_sum`]).
//!
//! [`Holding`](crate::Holding) is who holds which share: with `h = p + f + 1` holders one share for each set of `p` holders that does *not* have it
//! (replicated sharing; Ito, Saito, Nishizeki, 1987). Any `p` holders lack a share; each share has `f + 1` holders, so `f` that
//! deviate cannot pass another ciphertext as its encryption.

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use crate::{Error, Result};
use blindscope_ckks::{Ciphertext, Level, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Digest, Hasher};

/// What the holders of one share know: seeds of the share and of its encryption. Secret.
pub struct Dealt {
    share: SecretSeed,
    randomness: SecretSeed,
}

impl Dealt {
    /// Bytes of one.
    pub const LEN: usize = 64;

    /// Fresh seeds.
    ///
    /// # Timing
    /// Depends on nothing secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { share: SecretSeed::generate(rng), randomness: SecretSeed::generate(rng) }
    }

    /// The bytes, to be sealed to the share's holders.
    ///
    /// # Timing
    /// Copies; depends on nothing secret.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut out = Zeroizing::new([0; Self::LEN]);
        out[..32].copy_from_slice(self.share.as_bytes());
        out[32..].copy_from_slice(self.randomness.as_bytes());
        out
    }

    /// The seeds in these bytes.
    ///
    /// # Timing
    /// Copies; depends on nothing secret.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let half = |at: usize| {
            let mut seed = [0; 32];
            seed.copy_from_slice(&bytes[at..at + 32]);
            SecretSeed::from_bytes(seed)
        };
        Self { share: half(0), randomness: half(32) }
    }

    /// What binds its dealer to these seeds for this share: of 64 random bytes it says nothing.
    ///
    /// # Timing
    /// Hashes; depends on nothing secret.
    pub fn commitment(&self, share: usize) -> Digest {
        let mut h = Hasher::new("blindscope/threshold/dealt/commitment/v1");
        h.absorb(self.randomness.as_bytes()).absorb(self.share.as_bytes()).absorb_u64(share as u64).finish()
    }

    pub(crate) fn piece(&self, params: &Parameters, index: usize, level: Level) -> Zeroizing<Poly<Ntt>> {
        let basis = params.q().prefix(level.limbs());
        Zeroizing::new(sample::uniform_secret(&basis, &self.share, index as u64))
    }

    /// The encryptions of this share's `pieces` polynomials at the top level, scale one: the same whoever derives them in this
    /// round. Another round gives others, so that no uniform half comes twice.
    ///
    /// # Timing
    /// Depends on the parameters, the number of pieces, and how many words of a key stream are skipped, which says nothing of a seed.
    ///
    /// # Errors
    /// [`Error::Ckks`] for a key of other parameters than the share is for.
    pub fn encrypt(
        &self,
        key: &PublicKey,
        round: &Digest,
        share: usize,
        pieces: usize,
    ) -> Result<Vec<Ciphertext>> {
        let mut h = Hasher::new("blindscope/threshold/dealt/randomness/v1");
        h.absorb(self.randomness.as_bytes()).absorb(self.share.as_bytes());
        h.absorb(&round.0).absorb_u64(share as u64);
        let levels = vec![key.params().top_level(); pieces];
        encryptions(key, std::slice::from_ref(self), &levels, &h.finish())
    }

    /// The encryptions of what `dealt` add up to in this share, one polynomial at each of these levels, scale one: the same whoever
    /// derives them in this round from the same seeds in the same order. Whoever lacks one dealer's seeds sees encryptions.
    ///
    /// # Timing
    /// As [`Self::encrypt`], and on how many dealt.
    ///
    /// # Errors
    /// [`Error::Shape`] where nobody dealt: the randomness would be everybody's to derive; [`Error::Ckks`] for a key of other parameters
    /// than the share is for.
    pub fn encrypt_sum(
        dealt: &[Self],
        key: &PublicKey,
        round: &Digest,
        share: usize,
        levels: &[Level],
    ) -> Result<Vec<Ciphertext>> {
        if dealt.is_empty() {
            let (expected, found) = ("seeds of at least one dealer".to_owned(), "none".to_owned());
            return Err(Error::Shape { op: "encrypt shares", expected, found });
        }
        let mut h = Hasher::new("blindscope/threshold/dealt/sum-randomness/v1");
        for seeds in dealt {
            h.absorb(seeds.randomness.as_bytes()).absorb(seeds.share.as_bytes());
        }
        h.absorb_u64(dealt.len() as u64).absorb(&round.0).absorb_u64(share as u64);
        encryptions(key, dealt, levels, &h.finish())
    }
}

/// Encryptions of the sums of these seeds' pieces, drawn from `randomness` alone.
fn encryptions(
    key: &PublicKey,
    dealt: &[Dealt],
    levels: &[Level],
    randomness: &Digest,
) -> Result<Vec<Ciphertext>> {
    let mut rng = ChaCha20Rng::from_seed(randomness.0);
    let (params, encryptor) = (key.params(), PublicEncryptor::new(key));
    let one = |(i, level): (usize, &Level)| {
        let basis = params.q().prefix(level.limbs());
        let mut sum = Zeroizing::new(basis.zero());
        for seeds in dealt {
            basis.add_assign(&mut sum, &seeds.piece(params, i, *level));
        }
        let piece = Plaintext::from_polynomial(params, (*sum).clone(), Scale::ONE);
        Ok(encryptor.encrypt(&piece, &mut rng)?)
    };
    levels.iter().enumerate().map(one).collect()
}

impl std::fmt::Debug for Dealt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dealt(..)")
    }
}
