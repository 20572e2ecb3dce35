//! A site that was restored from a backup has forgotten what it gave. Asked again, it must not give a second share of one ciphertext:
//! the two differ in their masks alone, and the sum of many is the bare share.

use super::toy::{PLACE, Toy};
use super::{got, got_before, seeded};
use crate::bench::{Error, Report};
use blindscope_ckks::{Ciphertext, KeyGenerator, Plaintext, PublicEncryptor, Scale};
use blindscope_threshold::{Committee, PartyId, SharedHalf, Transcript};
use blindscope_wire::Writer;

const TIMES: usize = 8;

pub(super) fn figures(report: &mut Report) -> Result<(), Error> {
    let mut rng = seeded(84);
    let toy = Toy::new(&mut rng)?;
    let generator = KeyGenerator::new(&toy.params);
    let asker = generator.public_key(&generator.secret_key(&mut rng), &mut rng);
    let q = toy.params.q();
    let mut values = vec![0i128; q.n()];
    values[0] = 1 << PLACE;
    let message = Plaintext::from_polynomial(&toy.params, q.to_ntt(q.from_signed_wide(&values)), Scale::ONE);
    let c = PublicEncryptor::new(&toy.key).encrypt(&message, &mut rng)?;
    let round = Transcript::new(&toy.params, toy.ceremony.roster(), b"question", 1);
    let committee = Committee::new(round.roster(), &[PartyId(0), PartyId(1)])?;

    // Masks of a generator that is not derived: each copy gives a share of its own.
    let half = uniform_half(&toy, &c)?;
    let drawn = (0..TIMES).map(|_| {
        let session = toy.session(&round, &committee, PartyId(0))?;
        Ok(session.share_halves(&half, 1, &mut rng)?.0.remove(0))
    });
    let drawn = drawn.collect::<Result<Vec<_>, Error>>()?;
    let others = drawn.iter().skip(1).filter(|s| **s != drawn[0]).count();
    report.figures.push(got_before("restored_copy_other_shares", others, TIMES - 1));

    let derived = (0..TIMES).map(|_| toy.share(&round, &committee, PartyId(0), &c, &asker));
    let derived = derived.collect::<Result<Vec<_>, Error>>()?;
    let others = derived.iter().skip(1).filter(|s| **s != derived[0]).count();
    report.figures.push(got("restored_copy_other_shares", others));
    Ok(())
}

/// The half of a ciphertext that meets the secret, as a session of wide keys takes it.
fn uniform_half(toy: &Toy, c: &Ciphertext) -> Result<SharedHalf, Error> {
    let mut bytes = Vec::new();
    let mut w = Writer::new(&mut bytes, SharedHalf::byte_len(&toy.params));
    for (limb, prime) in c.components()[1].limbs().zip(toy.params.q().primes()) {
        w.packed(limb, prime.modulus().bits());
    }
    w.finish();
    Ok(SharedHalf::read(&toy.params, &bytes)?)
}
