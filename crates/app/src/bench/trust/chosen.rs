//! Whoever chooses a ciphertext that is re-encrypted to it reads the collective key: `(0, d)` is an encryption of `d·s`. At a toy size
//! against ciphertexts as askers handed them in, and against questions that are dealt in shares.

use super::toy::{PLACE, Toy};
use super::{failed, got, got_before, seeded};
use crate::bench::{Error, Report};
use blindscope_ckks::{
    Ciphertext, Decryptor, Encoder, Evaluator, KeyGenerator, Plaintext, PublicKey, Scale, SecretKey,
};
use blindscope_ring::{Ntt, Poly};
use blindscope_threshold::{Committee, Dealt, Decryption, Holding, PartyId, Remainder, Transcript};
use blindscope_wire::Digest;

const WHAT: &str = "chosen ciphertext";

/// An asker that reads what two of three sites re-encrypt to it.
struct Attacker {
    toy: Toy,
    secret: SecretKey,
    public: PublicKey,
}

pub(super) fn figures(report: &mut Report) -> Result<(), Error> {
    let mut rng = seeded(81);
    let toy = Toy::new(&mut rng)?;
    let generator = KeyGenerator::new(&toy.params);
    let secret = generator.secret_key(&mut rng);
    let public = generator.public_key(&secret, &mut rng);
    let attacker = Attacker { toy, secret, public };
    let (toy, truth) = (&attacker.toy, attacker.toy.collective());
    let nonzero = truth.iter().filter(|s| **s != 0).count();

    let chosen = vec![toy.params.q().zero(), attacker.constant()];
    let chosen = Ciphertext::from_components(&toy.params, chosen, Scale::ONE);
    let old = read(&truth, &attacker.answer(&chosen, 1)?);

    let holding = Holding::of_roster(3, 2)?;
    let seeds: Vec<_> = (0..holding.shares()).map(|_| Dealt::generate(&mut rng)).collect();
    let message = [Plaintext::from_polynomial(&toy.params, attacker.constant(), Scale::ONE)];
    let remainder = Remainder::of(&toy.params, &message, &seeds)?;
    let mut readings = attacker.answer(&attacker.added_up(&seeds, &remainder)?, 2)?;
    // What it dealt comes back, and nothing but that.
    readings[0] -= 1;
    report.figures.push(got_before("key_coefficients_read", old, nonzero));
    report.figures.push(got("key_coefficients_read", read(&truth, &readings)));
    Ok(())
}

/// Coefficients of the secret that are not zero and that these readings name.
fn read(secret: &[i128], readings: &[i128]) -> usize {
    secret.iter().zip(readings).filter(|(s, r)| **s != 0 && s == r).count()
}

impl Attacker {
    /// `d`: a power of two far above the masks.
    fn constant(&self) -> Poly<Ntt> {
        let q = self.toy.params.q();
        let mut values = vec![0i128; q.n()];
        values[0] = 1 << PLACE;
        q.to_ntt(q.from_signed_wide(&values))
    }

    /// What the asker reads of a ciphertext under the collective key: its message, in coefficients, over `2^PLACE`.
    fn answer(&self, c: &Ciphertext, round: u64) -> Result<Vec<i128>, Error> {
        let toy = &self.toy;
        let round = Transcript::new(&toy.params, toy.ceremony.roster(), b"question", round);
        let committee = Committee::new(round.roster(), &[PartyId(0), PartyId(2)])?;
        let opening = Decryption::to_asker(&round, c, 0, &self.public)?;
        let mut collector = opening.collector(&committee);
        for member in committee.iter() {
            collector.absorb(&toy.share(&round, &committee, member, c, &self.public)?)?;
        }
        let plain = Decryptor::new(&self.secret).decrypt(&opening.finish_for(collector)?)?;
        let values = Encoder::new(&toy.params).decode_integers(&plain)?;
        Ok(values.iter().map(|v| (v + (1 << (PLACE - 1))) >> PLACE).collect())
    }

    /// What holders and coordinator make of a question.
    fn added_up(&self, seeds: &[Dealt], remainder: &Remainder) -> Result<Ciphertext, Error> {
        let (params, round) = (&self.toy.params, Digest([1; 32]));
        let evaluator = Evaluator::new(params);
        let mut sum: Option<Ciphertext> = None;
        for (k, seed) in seeds.iter().enumerate() {
            let share = seed.encrypt(&self.toy.key, &round, k, 1)?.remove(0);
            match &mut sum {
                None => sum = Some(share),
                Some(sum) => evaluator.add_assign(sum, &share)?,
            }
        }
        let mut sum = [sum.ok_or_else(|| failed(WHAT, "a question without shares"))?];
        remainder.add_to(params, &mut sum)?;
        let [c] = sum;
        Ok(c)
    }
}
