//! Trial openings: does every committee open what the collective key encrypts?
//!
//! A site that gave one of its peers a part of another polynomial than it gave the rest makes a key that some committees open and
//! others do not, and nobody sees it before an answer is wrong. So known values are opened before a key is first used, by the
//! committees of `t` neighbours: `n − t + 1` of them, each a site further than the one before. They are enough: two
//! neighbouring committees share `t − 1` shares, and both lines through these end at the same secret, so the two polynomials of
//! degree `t − 1` agree at `t` points and are one. One polynomial through all shares opens under every committee.
//!
//! What is opened is made of public randomness, by everybody alike: nobody chooses a ciphertext. It is an encryption of zero one
//! level higher, rescaled, plus a uniform message; its noise is that of a rounding, less than what masks are derived for. A
//! share of it depends on the site's key share, on ceremony, session and committee alone, so that a site that is asked again
//! makes the same bytes again.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    Collector, Committee, Decryption, DecryptionSession, Flooding, KeyShare, MemoryLedger, Message, Opening,
    PartyId, Result, Roster, Shape, Transcript,
};
use blindscope_ckks::{
    Ciphertext, Evaluator, Level, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale, Seed,
};
use blindscope_ring::{Ntt, Poly, sample};
use blindscope_wire::{Digest, Hasher, Header};

/// The committees whose openings show that every committee opens: `t` neighbours each.
pub fn trial_committees(roster: &Roster) -> Vec<Committee> {
    let parties: Vec<PartyId> = roster.iter().collect();
    let made = parties.windows(roster.threshold()).map(|members| Committee::new(roster, members));
    made.filter_map(Result::ok).collect()
}

/// One trial opening.
pub struct Trial {
    ceremony: Transcript,
    round: Transcript,
    committee: Committee,
    ciphertext: Ciphertext,
    known: Poly<Ntt>,
}

impl Trial {
    /// The opening by the `index`-th of [`trial_committees`] of a value under `key`. `ceremony` is the session of the parts;
    /// `session` is what else the value depends on: chosen by nobody before all have committed.
    ///
    /// # Errors
    /// [`crate::Error::Exhausted`] beyond the last committee; [`crate::Error::Ckks`] for a key of other
    /// parameters, or parameters of one level.
    pub fn new(ceremony: &Transcript, session: &Digest, key: &PublicKey, index: usize) -> Result<Self> {
        let (params, roster) = (ceremony.params(), ceremony.roster());
        let mut committees = trial_committees(roster);
        let declared = committees.len() as u64;
        if index >= committees.len() {
            return Err(crate::Error::Exhausted { declared });
        }
        let committee = committees.swap_remove(index);
        let mut purpose = Hasher::new("blindscope/threshold/trial/v1");
        purpose.absorb(&ceremony.digest().0).absorb(&session.0);
        for half in [key.b(), key.a()] {
            let bytes: Vec<u8> = half.words().iter().flat_map(|w| w.to_le_bytes()).collect();
            purpose.absorb(&bytes);
        }
        let purpose = purpose.absorb_u64(index as u64).finish();
        let round = Transcript::new(params, roster, &purpose.0, index as u64);
        let (ciphertext, known) = value(params, key, &purpose)?;
        Ok(Self { ceremony: ceremony.clone(), round, committee, ciphertext, known })
    }

    /// Who opens it.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Bytes of one member's share.
    pub fn share_len(params: &Parameters) -> usize {
        let shape = Shape { basis: params.q().prefix(Level(0).limbs()), polys: 1, tag: Digest([0; 32]) };
        Header::LEN + shape.payload_len()
    }

    /// A member's share, as bytes. The same whenever it is made: no ledger has to know of it.
    ///
    /// # Timing
    /// As [`DecryptionSession::begin`] and [`DecryptionSession::share`].
    ///
    /// # Errors
    /// As [`DecryptionSession::begin`].
    pub fn share(&self, key: &KeyShare, flooding: Flooding, room_log2: f64) -> Result<Vec<u8>> {
        let opening = Opening { flooding, room_log2, ciphertexts: 1 };
        let mut ledger = MemoryLedger::default();
        let session = DecryptionSession::begin(
            &self.ceremony,
            &self.round,
            key,
            &self.committee,
            opening,
            &mut ledger,
        )?;
        let (message, _) = session.share(&self.ciphertext)?;
        let collector = self.collector()?;
        Ok(message.to_bytes(&self.round, collector.shape()))
    }

    /// Where the committee's shares add up.
    ///
    /// # Errors
    /// As [`Decryption::new`].
    pub fn collector(&self) -> Result<Collector> {
        Ok(Decryption::new(&self.round, &self.ciphertext, 0)?.collector(&self.committee))
    }

    /// The share of these bytes.
    ///
    /// # Errors
    /// As [`Message::from_bytes`].
    pub fn read_share(&self, bytes: &[u8], shape: &Shape) -> Result<Message> {
        Message::from_bytes(bytes, &self.round, shape)
    }

    /// Whether the committee's shares open the known value, up to an error of `2^room_log2` a coefficient. Where a share is
    /// wrong, the difference is uniform, so all of its coefficients are as small only by a chance that nobody lives to see.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] before all shares are there.
    pub fn opens(&self, collector: Collector, room_log2: f64) -> Result<bool> {
        let opened = Decryption::new(&self.round, &self.ciphertext, 0)?.finish(collector)?;
        let basis = self.round.params().q().prefix(Level(0).limbs());
        let mut difference = opened.poly().clone();
        basis.sub_assign(&mut difference, &self.known);
        let difference = basis.to_coeff(difference);
        let small = |(i, limb): (usize, &[u64])| {
            let q = basis.prime(i).value();
            limb.iter().all(|&x| (x.min(q - x) as f64) <= room_log2.exp2())
        };
        Ok(difference.limbs().enumerate().all(small))
    }
}

/// A uniform message at the last level and its encryption, from public randomness.
fn value(params: &Parameters, key: &PublicKey, purpose: &Digest) -> Result<(Ciphertext, Poly<Ntt>)> {
    let two = params.q().prefix(2);
    if two.len() < 2 {
        return Err(blindscope_ckks::Error::NoLevelLeft { op: "make a trial's value" }.into());
    }
    let zero = Plaintext::from_polynomial(params, two.zero(), Scale::prime(1));
    let mut rng = ChaCha20Rng::from_seed(purpose.0);
    let mut c = PublicEncryptor::new(key).encrypt(&zero, &mut rng)?;
    Evaluator::new(params).rescale_assign(&mut c)?;
    let basis = params.q().prefix(Level(0).limbs());
    let known = sample::uniform(&basis, &Seed(purpose.0), 1);
    let mut halves = c.components().to_vec();
    if let Some(first) = halves.first_mut() {
        basis.add_assign(first, &known);
    }
    Ok((Ciphertext::from_components(params, halves, c.scale()), known))
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trial({:?})", self.committee)
    }
}
