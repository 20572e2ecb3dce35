//! Streams and messages from outside: altered, cut, padded, foreign, random. Refused with a sentence, never a panic.

use rand_core::Rng;

use crate::world::{World, literal, update};
use blindscope_aggregate::Error;
use blindscope_aggregate::one_round::{
    Checks, Part, PartSum, Plan, PlanLiteral, SiteRound, ValuesDigest, check_body, write_sum,
    write_sum_of_sums,
};
use blindscope_testkit as testkit;
use blindscope_wire::Header;

fn plan() -> Plan {
    Plan::new(literal(900, 1000, 4, 2)).unwrap()
}

#[test]
fn plans_are_refused_with_the_numbers() {
    let refused = |change: fn(&mut PlanLiteral)| {
        let mut l = literal(10, 100, 8, 5);
        change(&mut l);
        Plan::new(l).unwrap_err().to_string()
    };
    assert!(refused(|l| l.threshold = 1).contains("threshold is 1, from 2 to 8"));
    assert!(refused(|l| l.threshold = 9).contains("threshold is 9, from 2 to 8"));
    assert!(refused(|l| l.sites = 1).contains("sites is 1, from 2 to 1024"));
    assert!(refused(|l| l.holders = 9).contains("holders is 9"));
    assert!(refused(|l| l.colluders = 7).contains("colluding sites is 7, from 0 to 6"));
    assert!(
        refused(|l| (l.colluders, l.colluding_holders) = (6, 5))
            .contains("colluding holders is 5, from 0 to 4")
    );
    assert!(refused(|l| l.coins = 2).contains("coins (42 or 168) is 2"));
    assert!(refused(|l| l.max = 1 << 61).contains("no ring holds sums of 8 sites"));
    let json = serde_json::to_string(&literal(10, 100, 8, 5)).unwrap();
    assert_eq!(serde_json::from_str::<PlanLiteral>(&json).unwrap(), literal(10, 100, 8, 5));
}

#[test]
fn quorums_are_those_of_the_design() {
    let quorum = |sites, holders, colluders, colluding_holders| {
        let l = PlanLiteral {
            holders,
            colluders,
            colluding_holders,
            ..literal(1, 1, sites, 2.max(colluders + 1))
        };
        Plan::new(PlanLiteral { threshold: l.threshold.min(holders), ..l }).unwrap().literal().quorum()
    };
    assert_eq!(
        [quorum(3, 3, 0, 0), quorum(3, 3, 1, 1), quorum(16, 16, 8, 8), quorum(64, 64, 32, 32)],
        [2, 3, 13, 49]
    );
    // A committee signs by itself.
    assert_eq!(quorum(1000, 32, 300, 17), 25);
    let l = PlanLiteral { colluding_holders: 1, colluders: 1, ..literal(1, 1, 8, 5) };
    assert_eq!((l.void_quorum(), l.least_cohort()), (5, 3));
}

#[test]
fn bodies_that_no_site_could_write_are_refused() {
    let plan = plan();
    let mut rng = testkit::rng(1);
    let world = World::upload(&plan, &[update(900, 1000, &mut rng)], &mut rng);
    let body = &world.bodies[0];
    check_body(&plan, &mut &body[..]).unwrap();
    let refused = |bytes: &[u8]| check_body(&plan, &mut &bytes[..]).unwrap_err().to_string();
    for at in 0..32 {
        let mut bytes = body.clone();
        bytes[at] ^= 1;
        refused(&bytes);
    }
    assert!(refused(&body[..body.len() - 1]).contains("cut"));
    let longer = [&body[..], &[0]].concat();
    let e = check_body(&plan, &mut &longer[..]).unwrap_err();
    assert!(matches!(e, Error::Wire(blindscope_wire::Error::Trailing { found: 1 })), "{e}");
    let mut bytes = body.clone();
    bytes[32..].fill(255);
    assert!(refused(&bytes).contains("above the modulus"));
    let other = Plan::new(literal(901, 1000, 4, 2)).unwrap();
    check_body(&other, &mut &body[..]).unwrap_err();
    assert!(write_sum::<&[u8]>(&plan, &mut [], &mut Vec::new()).is_err());
    assert!(
        write_sum(&plan, &mut [&body[..]; 5], &mut Vec::new())
            .unwrap_err()
            .to_string()
            .contains("bodies in a sum")
    );
}

#[test]
fn parts_of_a_sum_that_no_bodies_give_are_refused() {
    let plan = plan();
    let mut rng = testkit::rng(2);
    let world = World::upload(&plan, &vec![update(900, 1000, &mut rng); 4], &mut rng);
    let of = |sums: &[(u64, &[u8])]| write_sum_of_sums(&plan, &mut sums.to_vec(), &mut Vec::new());
    let refused = |sums: &[(u64, &[u8])]| of(sums).unwrap_err().to_string();
    let sums = [&[0, 1, 2][..], &[3], &[2, 3]].map(|sites| world.sum_of(sites).unwrap());
    let [three, one, last] = &sums;
    of(&[(3, three), (1, one)]).unwrap();
    assert!(refused(&[]).contains("bodies in a sum"));
    assert!(refused(&[(3, three), (2, last)]).contains("bodies in a sum"), "five of four sites");
    assert!(refused(&[(3, three), (2, one)]).contains("bodies in a sum"), "one for two");
    refused(&[(3, three), (1, &world.bodies[3])]);
    assert!(refused(&[(3, three), (1, &one[..one.len() - 1])]).contains("cut"));
    refused(&[(3, three), (1, &[&one[..], &[0]].concat())]);
    // What three bodies can give is more than one can.
    let claims = |bodies: u8| {
        let mut sum = three.clone();
        sum[Header::LEN] = bodies;
        sum
    };
    assert!(refused(&[(1, &claims(1)), (1, one)]).contains("above the modulus"));
    assert!(refused(&[(0, &claims(0)), (1, one)]).contains("bodies in a sum"));
}

#[test]
fn numbers_out_of_range_are_no_parts() {
    let plan = plan();
    let mut rng = testkit::rng(2);
    let world = World::upload(&plan, &[update(900, 1000, &mut rng)], &mut rng);
    let part = &world.parts[0][0];
    let e = Part::from_bytes(&plan, &vec![255; part.len()]).unwrap_err().to_string();
    assert!(e.contains("part: expected"), "{e}");
    assert!(Part::from_bytes(&plan, &part[1..]).is_err());
    assert!(Checks::from_bytes(&plan, &vec![255; plan.checks_len()]).is_err());
    let opening = world.opening(1, &[0]).to_bytes(&plan);
    for at in 0..32 {
        let mut bytes = opening.clone();
        bytes[at] ^= 1;
        assert!(PartSum::from_bytes(&plan, &bytes).is_err(), "byte {at}");
    }
    let mut bytes = opening.clone();
    bytes[32] = 4;
    assert!(PartSum::from_bytes(&plan, &bytes).unwrap_err().to_string().contains("holder is 4"));
    assert!(PartSum::from_bytes(&plan, &[&opening[..], &[0]].concat()).is_err());
}

/// Bounded, seeded fuzzing of every decoder: no panic, and what is taken is written back as it was.
#[test]
fn random_bytes_never_panic() {
    let plan = plan();
    let mut rng = testkit::rng(3);
    let world = World::upload(&plan, &[update(900, 1000, &mut rng)], &mut rng);
    let good = [
        world.bodies[0].clone(),
        world.parts[0][0].clone(),
        world.checks[0].clone(),
        world.opening(0, &[0]).to_bytes(&plan),
    ];
    for round in 0..2000 {
        let mut bytes = good[round % 4].clone();
        for _ in 0..=rng.next_u32() % 8 {
            let at = rng.next_u32() as usize % bytes.len();
            bytes[at] = rng.next_u32() as u8;
        }
        if rng.next_u32().is_multiple_of(4) {
            bytes.truncate(rng.next_u32() as usize % (bytes.len() + 1));
        }
        let _ = check_body(&plan, &mut &bytes[..]);
        let _ = Part::from_bytes(&plan, &bytes);
        let _ = Checks::from_bytes(&plan, &bytes);
        if let Ok(opening) = PartSum::from_bytes(&plan, &bytes) {
            assert_eq!(opening.to_bytes(&plan), bytes);
        }
    }
}

#[test]
fn a_body_is_of_the_values_that_were_named() {
    let plan = plan();
    let round = plan.round(&blindscope_wire::Digest([1; 32]));
    let digest = |values: &[u64]| {
        let mut d = ValuesDigest::new(&plan);
        for &v in values {
            d.push(v);
        }
        d.finish()
    };
    let (named, mut other) = (vec![7; 900], vec![7; 900]);
    other[3] = 8;
    let name = digest(&named);
    let site = SiteRound::new(&plan, round, &[1; 32], &[2; 32], &name);
    let write = |values: &[u64]| site.write_body(values.iter().copied(), &name, &mut Vec::new(), &mut |_| {});
    write(&named).unwrap();
    assert!(write(&other).unwrap_err().to_string().contains("differ from those named"));
    assert!(write(&named[1..]).unwrap_err().to_string().contains("number of values is 899"));
    assert!(write(&[&named[..], &[1]].concat()).unwrap_err().to_string().contains("number of values is 901"));
    other[3] = 1001;
    assert!(write(&other).unwrap_err().to_string().contains("integer is 1001, at most 1000"));
}

/// Noise tells a wrong key, not a digit that somebody put in: `2^b·d` is a message like any other. What the sites cannot have added up
/// to is refused, in one piece and in several.
#[test]
fn values_that_no_sites_have_are_not_released() {
    for max in [1000, (1 << 56) + 1] {
        let plan = Plan::new(literal(40, max, 4, 2)).unwrap();
        let mut rng = testkit::rng(max);
        let updates: Vec<_> = (0..4).map(|_| update(40, max, &mut rng)).collect();
        let world = World::upload(&plan, &updates, &mut rng);
        let sum = world.sum().unwrap();
        let openings = [world.opening(0, &[0, 1, 2, 3]), world.opening(2, &[0, 1, 2, 3])];
        let (key, _) = world.recover(&sum, 4, &openings).unwrap();
        let (mut released, mut beyond) = (0, 0);
        for bit in 8 * (Header::LEN + 4)..8 * sum.len() {
            let mut altered = sum.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            match world.read(&altered, &key) {
                Ok(values) => {
                    assert!(values.iter().all(|&v| v <= 4 * max), "bit {bit}");
                    released += 1;
                }
                Err(Error::Beyond { found, max: most, .. }) => {
                    assert!(found > most && most <= 4 * max, "bit {bit}");
                    beyond += 1;
                }
                Err(_) => {}
            }
        }
        println!("max {max}: {released} altered sums released, {beyond} beyond");
        assert!(beyond > 0, "the alterations do not reach digits");
    }
}
