//! Each test plays the adversary: it wins against the broken way and loses against ours.

use crate::world::{World, literal, total, update};
use blindscope_aggregate::Error;
use blindscope_aggregate::one_round::{Checks, Part, PartSum, Plan, PlanLiteral};
use blindscope_testkit as testkit;

fn small(sites: u32, threshold: u32) -> Plan {
    Plan::new(literal(400, 1000, sites, threshold)).unwrap()
}

fn honest(plan: &Plan, sites: usize, seed: u64) -> (World, Vec<Vec<u64>>) {
    let mut rng = testkit::rng(seed);
    let updates: Vec<_> = (0..sites).map(|_| update(400, 1000, &mut rng)).collect();
    (World::upload(plan, &updates, &mut rng), updates)
}

/// The reason for agreement: one holder opens the roster, another the roster without a site; with a colluder's parts both sums
/// of keys open, and their difference is the site's key.
#[test]
fn two_sets_of_one_round_would_give_a_site_away() {
    let plan = small(4, 2);
    let (world, updates) = honest(&plan, 4, 1);
    let (all, without) = ([0, 1, 2, 3], [1, 2, 3]);
    let colluder = 3;
    let open = |holder: u32, set: &[usize]| {
        let sum = world.sum_of(set).unwrap();
        let openings = [world.opening(holder, set), world.opening(colluder, set)];
        let (key, _) = world.recover(&sum, set.len(), &openings).unwrap();
        world.read(&sum, &key).unwrap()
    };
    let (a, b) = (open(0, &all), open(1, &without));
    let difference: Vec<u64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    assert_eq!(difference, updates[0], "what agreement keeps from happening");
    // Each honest holder opens one set a round: no two of one set are there without the colluder, and parts of two sets do not mix.
    let sum = world.sum_of(&all).unwrap();
    let mixed = [world.opening(0, &all), world.opening(1, &without)];
    let e = world.recover(&sum, 4, &mixed).unwrap_err();
    assert!(matches!(e, Error::WrongOpenings { .. }), "{e}");
}

/// A sum of other bodies than the keys': noise, and nothing is released.
#[test]
fn a_sum_of_other_bodies_does_not_open() {
    let plan = small(5, 3);
    let (world, updates) = honest(&plan, 5, 2);
    let all = [0, 1, 2, 3, 4];
    let openings: Vec<_> = (0..3).map(|h| world.opening(h, &all)).collect();
    let right = world.sum().unwrap();
    let (key, _) = world.recover(&right, 5, &openings).unwrap();
    assert_eq!(world.read(&right, &key).unwrap(), total(&updates));
    // One site twice, another not at all: as many bodies, another sum.
    let wrong = world.sum_of(&[0, 0, 2, 3, 4]).unwrap();
    let e = world.read(&wrong, &key).unwrap_err();
    assert!(matches!(e, Error::Noise { chunk: 0, .. }), "{e}");
    assert!(e.to_string().contains("nothing is released"), "{e}");
    assert!(matches!(world.recover(&wrong, 5, &openings), Err(Error::WrongOpenings { .. })));
    // Fewer bodies.
    let e = world.read(&world.sum_of(&[0, 1, 2, 3]).unwrap(), &key).unwrap_err();
    assert!(e.to_string().contains("bodies in the sum is 4"), "{e}");
    // Another round's public polynomials.
    let other = plan.round(&blindscope_wire::Digest([77; 32]));
    let world = World { round: other, ..world };
    assert!(matches!(world.read(&right, &key), Err(Error::Noise { .. })));
}

/// A malformed body spoils the sum; its noise is seen and nothing of it is told.
#[test]
fn a_malformed_body_is_seen_and_tells_nothing() {
    let plan = small(4, 2);
    let (mut world, _) = honest(&plan, 4, 3);
    // A byte out of place: within range, no encryption under the dealt key.
    let len = world.bodies[2].len();
    let body = &mut world.bodies[2];
    body.copy_within(40..len - 1, 39);
    let all = [0, 1, 2, 3];
    let openings: Vec<_> = (0..4).map(|h| world.opening(h, &all)).collect();
    let e = world.recover(&world.sum().unwrap(), 4, &openings).unwrap_err();
    assert!(matches!(e, Error::WrongOpenings { found: 4, needed: 2 }), "{e}");
}

/// With more than `t` openings a holder that lies is found, and the sum stands.
#[test]
fn lying_holders_are_found() {
    let plan = small(7, 3);
    let (world, updates) = honest(&plan, 7, 4);
    let all: Vec<usize> = (0..7).collect();
    let sum = world.sum().unwrap();
    let mut openings: Vec<_> = (0..7).map(|h| world.opening(h, &all)).collect();
    // One changes everything, one a single coefficient by one.
    openings[0] = PartSum::new(&plan, 0);
    openings[1] = {
        let mut bytes = openings[1].to_bytes(&plan);
        bytes[100] ^= 1;
        PartSum::from_bytes(&plan, &bytes).unwrap()
    };
    let (key, wrong) = world.recover(&sum, 7, &openings).unwrap();
    assert_eq!(wrong, [0, 1]);
    assert_eq!(world.read(&sum, &key).unwrap(), total(&updates));
    // Exactly t, one of them a liar: seen, not named.
    let e = world.recover(&sum, 7, &openings[1..4]).unwrap_err();
    assert!(matches!(e, Error::WrongOpenings { .. }), "{e}");
    let e = world.recover(&sum, 7, &openings[4..6]).unwrap_err();
    assert!(e.to_string().contains("2 openings, 3 of different holders"), "{e}");
    let twice = [openings[4].clone(), openings[4].clone(), openings[5].clone()];
    assert!(matches!(world.recover(&sum, 7, &twice), Err(Error::Openings { .. })));
}

/// A dealer that gives one holder another number is convicted by that holder alone; the others' parts stay good.
#[test]
fn a_bad_part_shows_at_its_holder_and_nowhere_else() {
    let plan = small(5, 3);
    let (mut world, _) = honest(&plan, 5, 5);
    let satisfies = |world: &World, holder: u32| {
        let part = Part::from_bytes(&plan, &world.parts[0][holder as usize]).unwrap();
        part.satisfies(&plan, holder, &world.sent[0], &Checks::from_bytes(&plan, &world.checks[0]).unwrap())
    };
    assert!((0..5).all(|h| satisfies(&world, h)));
    for bit in 0..8 {
        let mut bytes = world.parts[0][2].clone();
        bytes[200] ^= 1 << bit;
        if Part::from_bytes(&plan, &bytes).is_err() {
            continue;
        }
        std::mem::swap(&mut world.parts[0][2], &mut bytes);
        assert_eq!((0..5).filter(|&h| !satisfies(&world, h)).collect::<Vec<_>>(), [2], "bit {bit}");
        world.parts[0][2] = bytes;
    }
    // Another holder's part, another dealer's, or under another body: refused too.
    world.parts[0].swap(0, 1);
    assert!(!satisfies(&world, 0) && !satisfies(&world, 1));
    world.parts[0].swap(0, 1);
    world.sent[0] = world.sent[1];
    assert!((0..5).all(|h| !satisfies(&world, h)));
}

/// Fewer than `t` parts are uniform, whatever the key, which shows nowhere but in `t` of them together. So no part tells whether a key is
/// narrow: the sampler's law is looked at where it is drawn.
#[test]
fn fewer_than_t_parts_are_uniform() {
    let plan = small(3, 2);
    assert!(plan.describe().ends_with("p = 223"), "a number a byte: {}", plan.describe());
    let mut rng = testkit::rng(6);
    let worlds: Vec<_> = (0..40).map(|_| World::upload(&plan, &[vec![0; 400]], &mut rng)).collect();
    let chi = |number: &dyn Fn(&[Vec<u8>], usize) -> usize| {
        let mut counts = [0u32; 223];
        for world in &worlds {
            (0..1024).for_each(|k| counts[number(&world.parts[0], k) % 223] += 1);
        }
        let mean = f64::from(counts.iter().sum::<u32>()) / 223.0;
        counts.iter().map(|&c| (f64::from(c) - mean).powi(2) / mean).sum::<f64>()
    };
    // 222 degrees of freedom, deviation 21. Holder 0 may make its part itself, here from the same seed in each world.
    for holder in 1..3 {
        let one = chi(&|parts, k| usize::from(parts[holder][k]));
        println!("chi-square of holder {holder}'s numbers: {one:.0}, 222 expected");
        assert!((100.0..370.0).contains(&one), "holder {holder}");
    }
    // Two of them: 2·f(1) − f(2) = f(0), the key, of which few values have most of the mass.
    let key = chi(&|parts, k| 2 * usize::from(parts[0][k]) + 223 - usize::from(parts[1][k]));
    assert!(key > 1e4, "the measure sees a key: {key}");
}

/// With few coefficients a wrong key passes as noise: the plan sends at least 192, and the guard holds.
#[test]
fn one_value_is_padded_until_noise_can_be_judged() {
    let plan = Plan::new(PlanLiteral { values: 1, max: 1, ..literal(1, 1, 64, 2) }).unwrap();
    let mut rng = testkit::rng(9);
    let updates: Vec<_> = (0..64).map(|i| vec![i % 2]).collect();
    let world = World::upload(&plan, &updates, &mut rng);
    let all: Vec<usize> = (0..64).collect();
    let sum = world.sum().unwrap();
    let openings: Vec<_> = (0..2).map(|h| world.opening(h, &all)).collect();
    let (key, _) = world.recover(&sum, 64, &openings).unwrap();
    assert_eq!(world.read(&sum, &key).unwrap(), [32]);
    // The keys of a hundred other sets: none opens this sum.
    let mut passed = 0;
    for seed in 0..100 {
        let mut rng = testkit::rng(100 + seed);
        let other = World::upload(&plan, &updates[..2], &mut rng);
        let openings: Vec<_> = (0..2).map(|h| other.opening(h, &[0, 1])).collect();
        let sum_of_other = other.sum().unwrap();
        let (key, _) = other.recover(&sum_of_other, 2, &openings).unwrap();
        passed += usize::from(world.read(&world.sum_of(&[0, 1]).unwrap(), &key).is_ok());
    }
    assert_eq!(passed, 0);
}
