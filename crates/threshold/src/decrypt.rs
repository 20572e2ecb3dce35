//! Collective decryption, and re-encryption to an asker's public key.
//!
//! A session opens the ciphertexts of one (job, round), once: the mark is handed to a [`Ledger`], which makes it durable
//! before the first share exists. Each share consumes the session and gives back the one for the next ciphertext.

use crate::keys::add_error;
use crate::message::tag;
use crate::{Collector, Committee, Flooding, KeyShare, Message, Result, Shape, ThresholdError, Transcript};
use blindscope_ckks::{Ciphertext, Plaintext, PublicKey};
use blindscope_ring::{Basis, Ntt, Poly, sample};
use blindscope_wire::{Digest, Hasher};
use rand_core::CryptoRng;
use std::collections::BTreeSet;
use zeroize::{Zeroize, Zeroizing};

/// Where spent rounds are remembered.
pub trait Ledger {
    /// Marks a round as spent, durably, before returning.
    ///
    /// # Errors
    /// [`ThresholdError::Spent`] if it was; [`ThresholdError::Ledger`] if the mark cannot be stored.
    fn spend(&mut self, mark: Digest) -> Result<()>;
}

/// A ledger that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryLedger(BTreeSet<Digest>);

impl Ledger for MemoryLedger {
    fn spend(&mut self, mark: Digest) -> Result<()> {
        if self.0.insert(mark) {
            Ok(())
        } else {
            Err(ThresholdError::Spent { mark: mark.fingerprint().to_string() })
        }
    }
}

/// One site's part in opening the ciphertexts of one round.
pub struct DecryptionSession {
    transcript: Transcript,
    party: crate::PartyId,
    summand: Zeroizing<Poly<Ntt>>,
    flooding: Flooding,
    next: u64,
    declared: u64,
}

impl DecryptionSession {
    /// Begins opening `ciphertexts` ciphertexts in the round of `round`, with the key made in the session `ceremony`.
    ///
    /// `room_log2` is the largest error that still rounds away; a mask that would reach it is refused before the round
    /// is spent.
    ///
    /// # Errors
    /// [`ThresholdError::NoRoom`], [`ThresholdError::NotInCommittee`], [`ThresholdError::Transcript`],
    /// [`ThresholdError::Spent`], [`ThresholdError::Ledger`].
    #[allow(clippy::too_many_arguments)]
    pub fn begin(
        ceremony: &Transcript,
        round: &Transcript,
        key: &KeyShare,
        committee: &Committee,
        flooding: Flooding,
        room_log2: f64,
        ciphertexts: u64,
        ledger: &mut impl Ledger,
    ) -> Result<Self> {
        flooding.require_room(room_log2)?;
        if key.session != ceremony.digest() {
            let (expected, found) =
                (ceremony.digest().fingerprint().to_string(), key.session.fingerprint().to_string());
            return Err(ThresholdError::Transcript { op: "decrypt", expected, found });
        }
        // Another roster or threshold would be another mark for the same job and round.
        if round.roster() != ceremony.roster() || round.params() != ceremony.params() {
            let (expected, found) = ("the ceremony's roster and parameters", format!("{:?}", round.roster()));
            return Err(ThresholdError::Shape { op: "decrypt", expected, found });
        }
        let summand = key.summand(round.params(), committee)?;
        ledger.spend(round.digest())?;
        let transcript = round.clone();
        Ok(Self { transcript, party: key.party, summand, flooding, next: 0, declared: ciphertexts })
    }

    /// This site's `s_i·c_1 + mask` for the next ciphertext.
    ///
    /// # Errors
    /// [`ThresholdError::Exhausted`], [`ThresholdError::Shape`]; the session is gone either way.
    pub fn share(mut self, ciphertext: &Ciphertext, rng: &mut impl CryptoRng) -> Result<(Message, Self)> {
        let index = self.step()?;
        let decryption = Decryption::new(&self.transcript, ciphertext, index)?;
        let (basis, mut h) = self.masked(ciphertext, rng);
        basis.mul_add_assign(&mut h, &ciphertext.components()[1], &self.summand);
        Ok((self.message(decryption.shape.tag, vec![h]), self))
    }

    /// This site's `(s_i·c_1 + u_i·p_0 + mask, u_i·p_1 + e_i)` for the next ciphertext: only the holder of the secret key
    /// behind `asker` can open the sum.
    ///
    /// # Errors
    /// As [`Self::share`].
    pub fn share_for(
        mut self,
        ciphertext: &Ciphertext,
        asker: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<(Message, Self)> {
        let index = self.step()?;
        let decryption = Decryption::to_asker(&self.transcript, ciphertext, index, asker)?;
        let (basis, mut h0) = self.masked(ciphertext, rng);
        basis.mul_add_assign(&mut h0, &ciphertext.components()[1], &self.summand);
        let u = Zeroizing::new(sample::ternary_poly(&basis, rng));
        basis.mul_add_assign(&mut h0, asker.b(), &u);
        let mut h1: Poly<Ntt> = basis.zero();
        basis.mul_add_assign(&mut h1, asker.a(), &u);
        add_error(&basis, &mut h1, rng);
        Ok((self.message(decryption.shape.tag, vec![h0, h1]), self))
    }

    fn step(&mut self) -> Result<u64> {
        if self.next >= self.declared {
            return Err(ThresholdError::Exhausted { declared: self.declared });
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    fn masked(&self, ciphertext: &Ciphertext, rng: &mut impl CryptoRng) -> (Basis, Poly<Ntt>) {
        let basis = self.transcript.params().q().prefix(ciphertext.level().limbs());
        let mut mask = Zeroizing::new(vec![0; basis.n()]);
        self.flooding.sample(rng, &mut mask);
        let mut coefficients = basis.from_signed(&mask);
        let h = basis.to_ntt(coefficients.clone());
        coefficients.zeroize();
        (basis, h)
    }

    fn message(&self, tag: Digest, polys: Vec<Poly<Ntt>>) -> Message {
        Message { transcript: self.transcript.digest(), tag, party: self.party, polys }
    }
}

/// The opening of one ciphertext, where shares arrive.
#[derive(Debug)]
pub struct Decryption {
    transcript: Transcript,
    ciphertext: Ciphertext,
    shape: Shape,
}

impl Decryption {
    /// The opening of the `index`-th ciphertext of a round.
    ///
    /// # Errors
    /// [`ThresholdError::Shape`] unless it has two components under the session's parameters.
    pub fn new(round: &Transcript, ciphertext: &Ciphertext, index: u64) -> Result<Self> {
        Self::build(round, ciphertext, index, 1, None)
    }

    /// The re-encryption of the `index`-th ciphertext of a round to a public key.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn to_asker(
        round: &Transcript,
        ciphertext: &Ciphertext,
        index: u64,
        asker: &PublicKey,
    ) -> Result<Self> {
        Self::build(round, ciphertext, index, 2, Some(asker))
    }

    fn build(
        round: &Transcript,
        c: &Ciphertext,
        index: u64,
        polys: usize,
        asker: Option<&PublicKey>,
    ) -> Result<Self> {
        let same = asker.is_none_or(|k| k.params() == round.params());
        if c.components().len() != 2 || c.params() != round.params() || !same {
            let expected = "two components and keys under the session's parameters";
            return Err(ThresholdError::Shape { op: "decrypt", expected, found: format!("{c:?}") });
        }
        // All sites have to answer the very same ciphertext (and asker).
        let mut h = Hasher::new("blindscope/threshold/ciphertext/v1");
        let keys = asker.into_iter().flat_map(|k| [k.b(), k.a()]);
        for poly in c.components().iter().chain(keys) {
            let bytes: Vec<u8> = poly.words().iter().flat_map(|w| w.to_le_bytes()).collect();
            h.absorb(&bytes);
        }
        let name = if asker.is_some() { "re-encryption" } else { "decryption" };
        let basis = round.params().q().prefix(c.level().limbs());
        let shape = Shape { basis, polys, tag: tag(name, index, &h.finish().0) };
        Ok(Self { transcript: round.clone(), ciphertext: c.clone(), shape })
    }

    /// Where the committee's shares add up.
    pub fn collector(&self, committee: &Committee) -> Collector {
        Collector::new("decrypt", &self.transcript, self.shape.clone(), committee.iter())
    }

    /// `c_0 + Σ shares`: message, noise and masks. Round it to its fixed point before it is shown.
    ///
    /// # Errors
    /// [`ThresholdError::Missing`].
    pub fn finish(self, collector: Collector) -> Result<Plaintext> {
        let mut m = collector.finish()?.swap_remove(0);
        self.shape.basis.add_assign(&mut m, &self.ciphertext.components()[0]);
        Ok(Plaintext::from_polynomial(self.transcript.params(), m, self.ciphertext.scale()))
    }

    /// The ciphertext under the asker's key.
    ///
    /// # Errors
    /// [`ThresholdError::Missing`].
    pub fn finish_for(self, collector: Collector) -> Result<Ciphertext> {
        let mut halves = collector.finish()?;
        self.shape.basis.add_assign(&mut halves[0], &self.ciphertext.components()[0]);
        Ok(Ciphertext::from_components(self.transcript.params(), halves, self.ciphertext.scale()))
    }
}
