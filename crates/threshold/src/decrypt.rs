//! Collective decryption, and re-encryption to an asker's public key.
//!
//! A session opens the ciphertexts of one (job, round), once: the mark is handed to a [`Ledger`], which makes it durable
//! before the first share exists. Each share consumes the session and gives back the one for the next ciphertext.
//!
//! **Opening rule.** A site must never give two shares of one `c_1`. Under two committees they are `λ·S·c_1 + m` and
//! `λ'·S·c_1 + m'` with public factors modulo `Q`, so `λ'·m − λ·m'` is known: a lattice problem of dimension two a
//! coefficient. Where `λ/λ'` is no quotient of numbers as small as the masks, its short solution is unique and the key share
//! follows (`tests/opening_rule.rs` does it); where it is one, in small rosters, a linear combination of the masks is still
//! given away. Under one committee two shares average the masks. So the mark of a round is spent before its first share,
//! whatever the committee, and a retry opens a ciphertext with another `c_1`: the sum refreshed by new encryptions of zero.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::keys::add_error;
use crate::masks::Masks;
use crate::message::tag;
use crate::pads::Pads;
use crate::shamir::require_session;
use crate::transcript::require_params;
use crate::{Collector, Committee, Error, Flooding, KeyShare, Message, PartyId, Result, Shape, Transcript};
use blindscope_ckks::{Ciphertext, Level, Parameters, Plaintext, PublicKey};
use blindscope_ring::{Basis, Ntt, Poly, sample};
use blindscope_wire::{Digest, Hasher, Header};

/// Where spent rounds are remembered.
pub trait Ledger {
    /// Marks a round as spent, durably, before returning.
    ///
    /// # Errors
    /// [`Error::Spent`] if it was; [`Error::Ledger`] if the mark cannot be stored.
    fn spend(&mut self, mark: Digest) -> Result<()>;
}

/// A ledger that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryLedger(BTreeSet<Digest>);

impl Ledger for MemoryLedger {
    fn spend(&mut self, mark: Digest) -> Result<()> {
        if self.0.insert(mark) { Ok(()) } else { Err(Error::Spent { mark: mark.fingerprint().to_string() }) }
    }
}

/// One site's part in opening the ciphertexts of one round.
pub struct DecryptionSession {
    transcript: Transcript,
    party: PartyId,
    summand: Zeroizing<Poly<Ntt>>,
    pads: Pads,
    masks: Masks,
    flooding: Flooding,
    next: u64,
    declared: u64,
}

/// What an opening is held to: how it is masked, how much room the message leaves, how many ciphertexts there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening {
    /// The masks.
    pub flooding: Flooding,
    /// `log2` of the largest error that still rounds away; masks that would reach it are refused.
    pub room_log2: f64,
    /// Ciphertexts of the round.
    pub ciphertexts: u64,
}

impl DecryptionSession {
    /// Begins an opening in the round of `round`, with the key made in the session `ceremony`. Whatever is refused is refused
    /// before the round is spent.
    ///
    /// # Timing
    /// Depends on parameters and committee alone; what is refused is told by public fields.
    ///
    /// # Errors
    /// [`Error::NoRoom`] where the flooding outweighs the room under the message; [`Error::NotInCommittee`] for one
    /// that is not in the committee; [`Error::Transcript`] for a key of another ceremony; [`Error::Foreign`] for a round of another
    /// roster or other parameters than the ceremony's; [`Error::Spent`] where
    /// this job and round was opened before; [`Error::Ledger`] where that could not be written down for good.
    pub fn begin(
        ceremony: &Transcript,
        round: &Transcript,
        key: &KeyShare,
        committee: &Committee,
        opening: Opening,
        ledger: &mut impl Ledger,
    ) -> Result<Self> {
        opening.flooding.require_room(opening.room_log2)?;
        require_session("decrypt", ceremony, key.session)?;
        // Another roster or threshold would be another mark for the same job and round.
        require_params("decrypt", ceremony, round.params())?;
        if round.roster() != ceremony.roster() {
            let (expected, found) = (ceremony.roster().to_string(), round.roster().to_string());
            return Err(Error::Foreign { op: "decrypt", what: "roster", expected, found });
        }
        let summand = key.summand(round.params(), committee)?;
        let pads = Pads::new(round, committee, key.party, &key.pairs);
        let own = &key.pairs[usize::from(key.party.0)];
        let masks = Masks::new(round, committee, key.party, own);
        ledger.spend(round.digest())?;
        let (transcript, party) = (round.clone(), key.party);
        let Opening { flooding, ciphertexts: declared, .. } = opening;
        Ok(Self { transcript, party, summand, pads, masks, flooding, next: 0, declared })
    }

    /// The round.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whose session it is.
    pub fn party(&self) -> PartyId {
        self.party
    }

    /// The masks.
    pub fn flooding(&self) -> &Flooding {
        &self.flooding
    }

    /// Ciphertexts that are still to be answered.
    pub fn remaining(&self) -> u64 {
        self.declared - self.next
    }

    /// This site's `s_i·c_1 + pads + mask` for the next ciphertext. The same ciphertext in the same round gives the same bytes.
    ///
    /// # Timing
    /// Depends on parameters, level and committee alone.
    ///
    /// # Errors
    /// [`Error::Exhausted`] where all declared ciphertexts are answered; [`Error::Shape`] for a ciphertext of other than two components;
    /// [`Error::Foreign`] for one of other parameters. The session is gone either way.
    pub fn share(mut self, ciphertext: &Ciphertext) -> Result<(Message, Self)> {
        let index = self.step()?;
        let decryption = Decryption::new(&self.transcript, ciphertext, index)?;
        let rng = &mut self.masks.generator(&decryption.shape.tag);
        let (basis, mut h) = self.masked(ciphertext, index, rng);
        basis.mul_add_assign(&mut h, &ciphertext.components()[1], &self.summand);
        Ok((self.message(decryption.shape.tag, vec![h]), self))
    }

    /// This site's `(s_i·c_1 + u_i·p_0 + pads + mask, u_i·p_1 + e_i)` for the next ciphertext: only the holder of the secret key
    /// behind `asker` can open the sum. Derived as in [`Self::share`].
    ///
    /// # Timing
    /// Depends on parameters, level and committee alone.
    ///
    /// # Errors
    /// As [`Self::share`]; [`Error::Foreign`] also for an asker's key of other parameters.
    pub fn share_for(self, ciphertext: &Ciphertext, asker: &PublicKey) -> Result<(Message, Self)> {
        self.share_covered(ciphertext, asker, None)
    }

    /// As [`Self::share_for`], and of all coefficients but those at the places `shown` the member covers the message with residues
    /// that are uniform and its own: whoever opens the sum, and knows what all others know, sees what stands at these places.
    ///
    /// # Timing
    /// As [`Self::share_for`], and on the places.
    ///
    /// # Errors
    /// As [`Self::share_for`]; [`Error::Shape`] also for a place that the ring does not have.
    pub fn share_shown(
        self,
        ciphertext: &Ciphertext,
        asker: &PublicKey,
        shown: &[usize],
    ) -> Result<(Message, Self)> {
        self.share_covered(ciphertext, asker, Some(shown))
    }

    fn share_covered(
        mut self,
        ciphertext: &Ciphertext,
        asker: &PublicKey,
        shown: Option<&[usize]>,
    ) -> Result<(Message, Self)> {
        let index = self.step()?;
        let decryption = Decryption::to_asker(&self.transcript, ciphertext, index, asker)?;
        let rng = &mut self.masks.generator(&decryption.shape.tag);
        let (basis, mut h0) = self.masked(ciphertext, index, rng);
        basis.mul_add_assign(&mut h0, &ciphertext.components()[1], &self.summand);
        let u = Zeroizing::new(sample::ternary_poly(&basis, rng));
        basis.mul_add_assign(&mut h0, asker.b(), &u);
        if let Some(shown) = shown {
            let cover = self.masks.cover(&basis, &decryption.shape.tag, shown)?;
            basis.add_assign(&mut h0, &cover);
        }
        let mut h1: Poly<Ntt> = basis.zero();
        basis.mul_add_assign(&mut h1, asker.a(), &u);
        add_error(&basis, &mut h1, rng);
        Ok((self.message(decryption.shape.tag, vec![h0, h1]), self))
    }

    fn step(&mut self) -> Result<u64> {
        if self.next >= self.declared {
            return Err(Error::Exhausted { declared: self.declared });
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// The mask and the pads.
    fn masked(&self, ciphertext: &Ciphertext, index: u64, rng: &mut impl CryptoRng) -> (Basis, Poly<Ntt>) {
        let basis = self.transcript.params().q().prefix(ciphertext.level().limbs());
        let mut mask = Zeroizing::new(vec![0; basis.n()]);
        self.flooding.sample(rng, &mut mask);
        let mut coefficients = basis.from_signed(&mask);
        let mut h = basis.to_ntt(coefficients.clone());
        coefficients.zeroize();
        self.pads.add(&basis, &mut h, index);
        (basis, h)
    }

    fn message(&self, tag: Digest, polys: Vec<Poly<Ntt>>) -> Message {
        Message { transcript: self.transcript.digest(), tag, party: self.party, polys }
    }
}

impl std::fmt::Debug for DecryptionSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DecryptionSession({}, {} of {} answered)", self.party, self.next, self.declared)
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
    /// [`Error::Shape`] unless it has two components; [`Error::Foreign`] where its parameters are not the session's.
    pub fn new(round: &Transcript, ciphertext: &Ciphertext, index: u64) -> Result<Self> {
        Self::build(round, ciphertext, index, 1, None)
    }

    /// The re-encryption of the `index`-th ciphertext of a round to a public key.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Error::Foreign`] also for an asker's key of other parameters.
    pub fn to_asker(
        round: &Transcript,
        ciphertext: &Ciphertext,
        index: u64,
        asker: &PublicKey,
    ) -> Result<Self> {
        Self::build(round, ciphertext, index, 2, Some(asker))
    }

    /// Bytes of one member's share of a re-encryption at a level.
    pub fn asker_share_len(params: &Parameters, level: Level) -> usize {
        let shape = Shape { basis: params.q().prefix(level.limbs()), polys: 2, tag: Digest([0; 32]) };
        Header::LEN + shape.payload_len()
    }

    fn build(
        round: &Transcript,
        c: &Ciphertext,
        index: u64,
        polys: usize,
        asker: Option<&PublicKey>,
    ) -> Result<Self> {
        for params in [c.params()].into_iter().chain(asker.map(PublicKey::params)) {
            require_params("decrypt", round, params)?;
        }
        if c.components().len() != 2 {
            let found = format!("{} components", c.components().len());
            return Err(Error::Shape { op: "decrypt", expected: "2 components".to_owned(), found });
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
    /// [`Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish(self, collector: Collector) -> Result<Plaintext> {
        let mut m = collector.finish()?.swap_remove(0);
        self.shape.basis.add_assign(&mut m, &self.ciphertext.components()[0]);
        Ok(Plaintext::from_polynomial(self.transcript.params(), m, self.ciphertext.scale()))
    }

    /// The ciphertext under the asker's key.
    ///
    /// # Errors
    /// [`Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish_for(self, collector: Collector) -> Result<Ciphertext> {
        let mut halves = collector.finish()?;
        self.shape.basis.add_assign(&mut halves[0], &self.ciphertext.components()[0]);
        Ok(Ciphertext::from_components(self.transcript.params(), halves, self.ciphertext.scale()))
    }
}
