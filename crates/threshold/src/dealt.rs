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
//! [`Holding`] is who holds which share: with `h = p + f + 1` holders one share for each set of `p` holders that does *not* have it
//! (replicated sharing; Ito, Saito, Nishizeki, 1987). Any `p` holders lack a share; each share has `f + 1` holders, so `f` that
//! deviate cannot pass another ciphertext as its encryption.

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use crate::message::read_poly;
use crate::{Error, Result};
use blindscope_ckks::{Ciphertext, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Digest, Hasher, Reader, Writer, packed_len};

/// Most shares of one message: a holder encrypts a part of them for each question.
pub const MAX_SHARES: usize = 128;

/// Who holds which share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    holders: usize,
    colluders: usize,
    /// For each share the holders that have it, rising.
    of: Vec<Vec<usize>>,
}

impl Holding {
    /// The holding of a roster in which fewer than `threshold` of `parties` learn nothing of a message (as of the key), and as many
    /// as possible may deviate: `f <= min(parties − threshold, threshold − 1)`, at least one, with no more than [`MAX_SHARES`].
    ///
    /// # Errors
    /// [`Error::Holders`] for a roster without any.
    pub fn of_roster(parties: usize, threshold: usize) -> Result<Self> {
        let refuse = || Error::Holders { parties, threshold, most: MAX_SHARES };
        let private = threshold.checked_sub(1).ok_or_else(refuse)?;
        let most = private.min(parties.saturating_sub(threshold));
        let fits = |f: &usize| binomial(private + f + 1, private) <= MAX_SHARES;
        let colluders = (1..=most).rev().find(fits).ok_or_else(refuse)?;
        Ok(Self::new(private, colluders))
    }

    /// Range: no more than [`MAX_SHARES`] shares.
    fn new(private: usize, colluders: usize) -> Self {
        let holders = private + colluders + 1;
        let lacking = |set: &u64| set.count_ones() as usize == private;
        let has = |set: u64| (0..holders).filter(|h| set >> h & 1 == 0).collect();
        Self { holders, colluders, of: (0..1u64 << holders).filter(lacking).map(has).collect() }
    }

    /// How many holders.
    pub fn holders(&self) -> usize {
        self.holders
    }

    /// Holders that may deviate.
    pub fn colluders(&self) -> usize {
        self.colluders
    }

    /// How many shares.
    pub fn shares(&self) -> usize {
        self.of.len()
    }

    /// The shares that a holder has, rising: as many for each.
    pub fn held(&self, holder: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|&k| self.of[k].contains(&holder)).collect()
    }

    /// The holders of a share, rising.
    pub fn holders_of(&self, share: usize) -> &[usize] {
        self.of.get(share).map_or(&[], Vec::as_slice)
    }

    /// The holder that sends a share's encryption; the others send its digest alone.
    pub fn sender(&self, share: usize) -> usize {
        let of = self.holders_of(share);
        of.get(share % of.len().max(1)).copied().unwrap_or(0)
    }

    /// The shares whose encryptions a holder sends, rising.
    pub fn sent(&self, holder: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|&k| self.sender(k) == holder).collect()
    }
}

fn binomial(n: usize, k: usize) -> usize {
    // Stops where it is too large for anybody.
    (0..k).fold(1usize, |acc, i| acc.saturating_mul(n - i) / (i + 1)).min(1 << 20)
}

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

    fn piece(&self, params: &Parameters, index: usize) -> Zeroizing<Poly<Ntt>> {
        Zeroizing::new(sample::uniform_secret(params.q(), &self.share, index as u64))
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
        let mut rng = ChaCha20Rng::from_seed(h.finish().0);
        let (params, encryptor) = (key.params(), PublicEncryptor::new(key));
        let one = |i| {
            let piece = Plaintext::from_polynomial(params, (*self.piece(params, i)).clone(), Scale::ONE);
            Ok(encryptor.encrypt(&piece, &mut rng)?)
        };
        (0..pieces).map(one).collect()
    }
}

impl std::fmt::Debug for Dealt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dealt(..)")
    }
}

/// What is left of a message once its shares are taken off: public, and uniform to whoever lacks a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder(Vec<Poly<Ntt>>);

impl Remainder {
    /// The remainder of these plaintexts at the top level.
    ///
    /// # Timing
    /// Depends on the parameters, on how many plaintexts and shares there are, and on skipped words as [`Dealt::encrypt`].
    ///
    /// # Errors
    /// [`Error::Foreign`] for a plaintext of other parameters; [`Error::Shape`] for one below the top level.
    pub fn of(params: &Parameters, message: &[Plaintext], dealt: &[Dealt]) -> Result<Self> {
        let q = params.q();
        let one = |(i, m): (usize, &Plaintext)| {
            const OP: &str = "deal";
            if m.params() != params {
                let (expected, found) =
                    (params.fingerprint().to_string(), m.params().fingerprint().to_string());
                return Err(Error::Foreign { op: OP, what: "parameters", expected, found });
            }
            if m.level() != params.top_level() {
                let at = |level| format!("a plaintext of level {level}");
                let (expected, found) = (at(params.top_level()), at(m.level()));
                return Err(Error::Shape { op: OP, expected, found });
            }
            let mut x = m.poly().clone();
            for d in dealt {
                q.sub_assign(&mut x, &d.piece(params, i));
            }
            Ok(x)
        };
        message.iter().enumerate().map(one).collect::<Result<_>>().map(Self)
    }

    /// Bytes of one of so many pieces.
    pub fn byte_len(params: &Parameters, pieces: usize) -> usize {
        let q = params.q();
        pieces * q.primes().iter().map(|p| packed_len(q.n(), p.modulus().bits())).sum::<usize>()
    }

    /// The remainder as bytes: piece after piece, limb after limb at its prime's width.
    pub fn to_bytes(&self, params: &Parameters) -> Vec<u8> {
        let len = Self::byte_len(params, self.0.len());
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        for poly in &self.0 {
            for (limb, prime) in poly.limbs().zip(params.q().primes()) {
                w.packed(limb, prime.modulus().bits());
            }
        }
        w.finish();
        out
    }

    /// The remainder in exactly these bytes.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind; [`Error::Residue`] for a residue that is
    /// not below its prime.
    pub fn from_bytes(params: &Parameters, pieces: usize, bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let polys = (0..pieces).map(|_| read_poly(&mut r, params.q())).collect::<Result<_>>()?;
        r.finish()?;
        Ok(Self(polys))
    }

    /// How many pieces.
    pub fn pieces(&self) -> usize {
        self.0.len()
    }

    /// Adds the remainder to the sum of all shares' encryptions: encryptions of the message, scale one.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of ciphertexts than the remainder has pieces; [`Error::Ckks`] where these cannot be added up.
    pub fn add_to(&self, params: &Parameters, sum: &mut [Ciphertext]) -> Result<()> {
        if sum.len() != self.0.len() {
            let (op, found) = ("add remainder", format!("{} ciphertexts", sum.len()));
            return Err(Error::Shape { op, expected: format!("{} ciphertexts", self.0.len()), found });
        }
        let evaluator = blindscope_ckks::Evaluator::new(params);
        for (c, x) in sum.iter_mut().zip(&self.0) {
            let x = Plaintext::from_polynomial(params, x.clone(), Scale::ONE);
            evaluator.add_plain_assign(c, &x)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_private_holders_lacks_a_share_and_every_share_has_an_honest_holder() {
        for (parties, threshold) in [(3, 2), (4, 2), (5, 3), (7, 4), (16, 9), (1000, 2)] {
            let h = Holding::of_roster(parties, threshold).unwrap_or_else(|e| panic!("{e}"));
            assert!(h.holders() <= parties && h.shares() <= MAX_SHARES && h.colluders() >= 1);
            let all = 1u64 << h.holders();
            for set in (0..all).filter(|s| s.count_ones() as usize == threshold - 1) {
                let known = |k: usize| h.holders_of(k).iter().any(|&x| set >> x & 1 == 1);
                assert!((0..h.shares()).any(|k| !known(k)), "{set:b} know all shares");
            }
            for k in 0..h.shares() {
                assert_eq!(h.holders_of(k).len(), h.colluders() + 1);
                assert!(h.holders_of(k).contains(&h.sender(k)));
            }
            let held: Vec<_> = (0..h.holders()).map(|x| h.held(x).len()).collect();
            assert!(held.windows(2).all(|w| w[0] == w[1]), "{held:?}");
        }
        for (parties, threshold) in [(1, 1), (2, 2), (3, 3), (5, 1), (40, 30)] {
            assert!(Holding::of_roster(parties, threshold).is_err(), "{threshold} of {parties}");
        }
    }
}
