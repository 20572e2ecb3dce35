//! Bodies that are arithmetic on others' bodies, through the state machines of sites.

use crate::forger::{Forgery, HONEST, forge};
use crate::world::{World, ids};
use blindscope_aggregate::one_round::RINGS;
use blindscope_federation::sums::{SumRound, sort_findings};
use blindscope_federation::{Blob, SiteId};
use blindscope_wire::{pack, unpack};

/// A body that is another's, its negative, or "minus everybody's", under a key of the forger's own that is dealt by the rules: no holder
/// has anything to complain of and the set is agreed and opened; what opens is noise, and no sum is released.
#[test]
fn bodies_made_of_others_bodies_release_nothing() {
    for what in ["copied", "negated", "minus everybody's"] {
        let mut world = World::new(4, 2, 1, 36);
        let round = world.round(1, 0);
        let (all, forger) = (ids(0..4), SiteId(3));
        world.upload_all(&round, &all[..3]);
        let len = round.plan().body_len() as usize;
        let bodies: Vec<Vec<u8>> =
            world.received[&round.name().0].values().map(|(_, bytes)| bytes[..len].to_vec()).collect();
        let forged = match what {
            "copied" => bodies[0].clone(),
            "negated" => minus(&round, &bodies[..1]),
            _ => minus(&round, &bodies),
        };
        let values = world.values(forger, &round);
        let forgery = Forgery { body: &|_| forged.clone(), ..HONEST };
        let upload = forge(&world, &round, forger, &values, &forgery);
        world.receive(&round, forger, &upload).unwrap();
        let findings = world.findings(&round, &all);
        assert!(findings.iter().all(|f| f.bad.is_empty()), "{what}: its parts are right");
        let commitment = world.commit(&round, &all);
        let words = world.agreements(&round, &commitment, &all[..3]);
        let agreed = world.agreed(&round, &commitment, &words).unwrap();
        let openings = world.open_all(&round, &commitment, &agreed, &all[..3]);
        let e = world.read(&round, &commitment, &agreed, &openings).unwrap_err();
        assert!(e.contains("openings"), "{what}: {e}");
    }
}

/// Minus the sum of these bodies modulo `q`, as a body.
fn minus(round: &SumRound, bodies: &[Vec<u8>]) -> Vec<u8> {
    let plan = round.plan();
    let ring = plan.ring();
    assert_eq!(ring, RINGS[0], "a coefficient is a word");
    // The largest prime of its width that is 1 modulo 2N.
    let prime = |q: &u64| (3..).step_by(2).take_while(|d| d * d <= *q).all(|d| q % d != 0);
    let q = (1..1 << 12).map(|k| (1u64 << ring.widths[0]) + 1 - (k << (ring.log_n + 1))).find(prime).unwrap();
    let text = plan.describe();
    let dropped: u32 =
        text.split(", ").find_map(|s| s.strip_suffix(" bits dropped")).unwrap().parse().unwrap();
    let bits = 64 - ((q - 1) >> dropped).leading_zeros();
    let mut sum = vec![0u64; (plan.body_len() as usize - 32) * 8 / bits as usize];
    for body in bodies {
        let mut numbers = vec![0; sum.len()];
        unpack(&body[32..], bits, &mut numbers).unwrap();
        sum.iter_mut().zip(numbers).for_each(|(s, c)| *s = (*s + (c << dropped)) % q);
    }
    let mut out = bodies[0][..32].to_vec();
    let negative: Vec<u64> = sum.iter().map(|s| ((q - s) % q) >> dropped).collect();
    pack(&negative, bits, &mut out);
    out
}

/// A body that is another's under the parts of the first: every holder sees that they were sealed for another one.
#[test]
fn a_body_under_another_s_parts_convicts() {
    let mut world = World::new(4, 2, 1, 35);
    let round = world.round(1, 0);
    let all = ids(0..4);
    world.upload_all(&round, &all);
    let (victim, copier) = (SiteId(0), SiteId(3));
    let body_len = round.plan().body_len() as usize;
    let stolen = world.received[&round.name().0][&victim].1[..body_len].to_vec();
    let (received, bytes) = world.received[&round.name().0][&copier].clone();
    let mut header = received.upload.header.clone();
    header.body = Blob::of(&stolen).digest;
    let upload = header.sign(&world.actors[3].identity);
    let at = body_len + received.parts.len();
    let rest = &bytes[at + upload.to_bytes().len()..];
    let forged = [&stolen, &bytes[body_len..at], &upload.to_bytes()[..], rest].concat();
    world.receive(&round, copier, &forged).unwrap();
    // Its parts were sealed for another body: every other holder sees that.
    let findings = world.findings(&round, &ids(0..3));
    assert_eq!(sort_findings(&round, &findings).convicted, [copier]);
    // A coordinator that goes on nevertheless finds no holder that can.
    let commitment = world.commit(&round, &all);
    let agreed = world.agree_all(&round, &commitment).unwrap();
    for holder in ids(0..3) {
        let e = world.open(&round, &commitment, &agreed, holder).unwrap_err();
        assert!(e.contains("the part of site 3 is not usable here"), "{e}");
    }
}
