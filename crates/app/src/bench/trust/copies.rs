//! A site that was restored from a backup has forgotten what it gave. Asked again, it must not give a second share of one ciphertext:
//! the two differ in their masks alone, and the sum of many is the bare share.

use rand_core::CryptoRng;

use super::toy::{PLACE, Toy};
use super::{got, got_before, seeded};
use crate::bench::{Error, Report};
use blindscope_ckks::{Ciphertext, KeyGenerator, Plaintext, PublicEncryptor, Scale};
use blindscope_ring::{Ntt, Poly, sample};
use blindscope_threshold::{Committee, PartyId, Transcript};

const TIMES: usize = 8;
/// Width of a drawn mask's four summands.
const MASK: u64 = 1 << 30;

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

    // Masks that are drawn, not derived: each copy gives a share of its own.
    let drawn: Vec<_> = (0..TIMES).map(|_| drawn(&toy, &c, &mut rng)).collect();
    let others = drawn.iter().skip(1).filter(|s| **s != drawn[0]).count();
    report.figures.push(got_before("restored_copy_other_shares", others, TIMES - 1));

    let derived = (0..TIMES).map(|_| toy.share(&round, &committee, PartyId(0), &c, &asker));
    let derived = derived.collect::<Result<Vec<_>, Error>>()?;
    let others = derived.iter().skip(1).filter(|s| **s != derived[0]).count();
    report.figures.push(got("restored_copy_other_shares", others));
    Ok(())
}

/// The first site's share under a committee with the second, its mask fresh: `λ·S·c_1 + mask` with `λ = 2`, modulo the first prime.
fn drawn(toy: &Toy, c: &Ciphertext, rng: &mut impl CryptoRng) -> Poly<Ntt> {
    let first = toy.params.q().prefix(1);
    let mut mask = vec![0; first.n()];
    sample::flood(rng, MASK, &mut mask);
    let mut share = first.signed_to_ntt(&mask);
    let secret = toy.first_share();
    let half = c.components()[1].prefix(1);
    for _ in 0..2 {
        first.mul_add_assign(&mut share, &half, &secret);
    }
    share
}
