//! What an attacker reads under keys that it makes up.

use crate::world::{World, literal, total, update};
use blindscope_aggregate::one_round::{Part, PartSum, Plan, SumKey, read_anyway, write_sum};

const SITES: u32 = 4;
const THRESHOLD: u32 = 3;

/// The sums of parts of one site at these holders.
fn openings(world: &World, site: usize, holders: &[u32]) -> Vec<PartSum> {
    let one = |holder: &u32| {
        let mut sum = PartSum::new(&world.plan, *holder);
        sum.add(&world.plan, &Part::from_bytes(&world.plan, &world.parts[site][*holder as usize]).unwrap());
        sum
    };
    holders.iter().map(one).collect()
}

/// One body alone, as a sum of one.
fn alone(world: &World, site: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_sum(&world.plan, &mut [&world.bodies[site][..]], &mut out).unwrap();
    out
}

/// Share of values that are read rightly.
fn right(found: &[u64], values: &[u64]) -> f64 {
    found.iter().zip(values).filter(|(a, b)| a == b).count() as f64 / values.len() as f64
}

#[test]
fn too_few_parts_and_a_published_sum_of_keys_read_no_body_and_enough_do() {
    for max in [1000, (1 << 40) + 1] {
        let plan = Plan::new(literal(300, max, SITES, THRESHOLD)).unwrap();
        let mut rng = blindscope_testkit::rng(8);
        let updates: Vec<Vec<u64>> = (0..SITES).map(|_| update(300, max, &mut rng)).collect();
        let world = World::upload(&plan, &updates, &mut rng);
        let read = |key: &SumKey, site: usize| {
            read_anyway(&plan, world.round, key, &mut &alone(&world, site)[..]).unwrap()
        };
        let holding =
            |site: usize, holders: &[u32]| SumKey::guessed(&plan, 1, &openings(&world, site, holders));
        for few in [&[][..], &[1], &[0, 3]] {
            let share = right(&read(&holding(0, few), 0), &updates[0]);
            assert!(share < 0.02, "{few:?} of {THRESHOLD} read {share} of the values");
        }
        assert_eq!(read(&holding(0, &[3, 0, 2]), 0), updates[0], "a holder more");

        let all: Vec<usize> = (0..SITES as usize).collect();
        let sums: Vec<PartSum> = [0, 1, 2].map(|holder| world.opening(holder, &all)).into();
        let published = SumKey::guessed(&plan, u64::from(SITES), &sums);
        let sum = world.sum().unwrap();
        assert_eq!(read_anyway(&plan, world.round, &published, &mut &sum[..]).unwrap(), total(&updates));
        for guess in [&published, &published.shared_out()] {
            assert!(right(&read(guess, 0), &updates[0]) < 0.02);
        }
        // Colluding sites take their own keys off: two honest ones hide each other, one has nobody to hide behind.
        let own = |site: usize| holding(site, &[0, 1, 2]);
        let of_two = published.without(&own(2)).without(&own(3));
        assert!(right(&read(&of_two, 0), &updates[0]) < 0.02);
        assert_eq!(read(&of_two.without(&own(1)), 0), updates[0], "every other site");
    }
}
