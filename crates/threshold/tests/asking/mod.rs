//! An asker with a key of its own, and two of three sites that re-encrypt to it: what an attack on the collective key reads with.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part, and stops")]

use chacha20::ChaCha20Rng;

use super::common::{Study, study, toy};
use blindscope_ckks::{Ciphertext, Decryptor, Encoder, KeyGenerator, PublicKey, SecretKey};
use blindscope_ring::{Ntt, Poly};
use blindscope_threshold::{
    Committee, Decryption, DecryptionSession, Flooding, MemoryLedger, Opening, PartyId, Transcript,
};

/// Where the attacker's `d` stands: far above the masks.
pub(crate) const PLACE: u32 = 60;

/// An asker with a key of its own, and two of three sites that re-encrypt to it.
pub(crate) struct Asking {
    pub(crate) study: Study,
    secret: SecretKey,
    pub(crate) public: PublicKey,
    rounds: u64,
}

impl Asking {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        let generator = KeyGenerator::new(&toy());
        let secret = generator.secret_key(rng);
        let public = generator.public_key(&secret, rng);
        Self { study: study(&toy(), 3, 2, rng), secret, public, rounds: 0 }
    }

    fn round(&self, number: u64) -> Transcript {
        Transcript::new(&toy(), self.study.ceremony.roster(), b"question", number)
    }

    pub(crate) fn session(&self, round: u64) -> DecryptionSession {
        self.session_of(PartyId(0), &self.round(round))
    }

    fn session_of(&self, member: PartyId, round: &Transcript) -> DecryptionSession {
        let committee = Committee::new(round.roster(), &[PartyId(0), PartyId(2)]).unwrap();
        let flooding = Flooding::for_fresh(&toy(), 3, 1, 10, 2, 30).unwrap();
        let masks = Opening { flooding, room_log2: f64::from(PLACE) - 1.0, ciphertexts: 1 };
        let (key, ledger) = (&self.study.shares[usize::from(member.0)], &mut MemoryLedger::default());
        DecryptionSession::begin(&self.study.ceremony, round, key, &committee, masks, ledger).unwrap()
    }

    /// What the asker reads of a ciphertext under the collective key: its message, in coefficients, over `2^PLACE`.
    pub(crate) fn answer(&mut self, c: &Ciphertext) -> Vec<i128> {
        self.answer_shown(c, None)
    }

    /// The same where members let it see the places `shown` alone.
    pub(crate) fn answer_shown(&mut self, c: &Ciphertext, shown: Option<&[usize]>) -> Vec<i128> {
        let params = toy();
        self.rounds += 1;
        let round = self.round(self.rounds);
        let committee = Committee::new(round.roster(), &[PartyId(0), PartyId(2)]).unwrap();
        let opening = Decryption::to_asker(&round, c, 0, &self.public).unwrap();
        let mut collector = opening.collector(&committee);
        for member in committee.iter() {
            let session = self.session_of(member, &round);
            let share = match shown {
                Some(shown) => session.share_shown(c, &self.public, shown),
                None => session.share_for(c, &self.public),
            };
            collector.absorb(&share.unwrap().0).unwrap();
        }
        let plain = Decryptor::new(&self.secret).decrypt(&opening.finish_for(collector).unwrap()).unwrap();
        let values = Encoder::new(&params).decode_integers(&plain).unwrap();
        values.iter().map(|v| (v + (1 << (PLACE - 1))) >> PLACE).collect()
    }
}

/// `2^PLACE`, as a polynomial.
pub(crate) fn constant() -> Poly<Ntt> {
    let q = toy().q().clone();
    let mut values = vec![0i128; q.n()];
    values[0] = 1 << PLACE;
    q.to_ntt(q.from_signed_wide(&values))
}

/// Coefficients of the secret that are not zero and that these readings name.
pub(crate) fn read(secret: &[i128], readings: &[i128]) -> usize {
    secret.iter().zip(readings).filter(|(s, r)| **s != 0 && s == r).count()
}
