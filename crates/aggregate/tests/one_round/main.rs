//! Sums under one-round keys: the opened sum is the integer sum, bit for bit, and nothing else opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod attacks;
mod guess;
mod refusals;
mod world;

use rand_core::Rng;

use blindscope_aggregate::one_round::{
    Challenge, Evaluation, Plan, PlanLiteral, evaluate_body, evaluate_sum, write_sum,
};
use blindscope_ring::Arithmetic;
use blindscope_testkit as testkit;
use blindscope_wire::Digest;
use world::{World, literal, total, update};

/// A whole round in which `silent` sites upload nothing and these holders open, on every path of this processor: the same bytes on
/// each.
fn round(literal: PlanLiteral, silent: usize, seed: u64) {
    let mut first: Option<(Digest, Vec<Vec<u8>>, Vec<u8>)> = None;
    for path in Arithmetic::available() {
        let world = round_on(path, literal, silent, seed);
        let made = (world.plan.digest(), world.bodies.clone(), world.sum().unwrap());
        assert!(*first.get_or_insert_with(|| made.clone()) == made, "{path} gives other bytes");
    }
}

fn round_on(path: Arithmetic, literal: PlanLiteral, silent: usize, seed: u64) -> World {
    let plan = Plan::on(path, literal).unwrap();
    assert!(plan.arithmetic() <= path);
    let mut rng = testkit::rng(seed);
    let n = literal.sites as usize;
    let (values, max) = (literal.values as usize, literal.max);
    let mut updates: Vec<_> = (0..n - silent).map(|_| update(values, max, &mut rng)).collect();
    if seed.is_multiple_of(2) {
        // The largest sum that was planned for, where nobody is silent.
        for u in &mut updates {
            u.fill(max);
        }
    }
    let world = World::upload(&plan, &updates, &mut rng);
    let of = 1 + rng.next_u64() as usize % updates.len();
    assert!(world.sum_in_parts(of).unwrap() == world.sum().unwrap(), "{literal:?}: parts of {of}");
    let mut holders: Vec<u32> = (0..literal.holders).collect();
    for i in 0..holders.len() {
        holders.swap(i, i + (rng.next_u64() as usize) % (literal.holders as usize - i));
    }
    holders.truncate(literal.threshold as usize);
    let got = world.open(&holders).unwrap();
    assert_eq!(got, total(&updates), "{path}, {literal:?}: {}", plan.describe());
    world
}

#[test]
fn cohorts_of_two_to_sixty_four() {
    let mut rng = testkit::rng(3);
    for n in 2..=64u32 {
        let holders = 2 + rng.next_u32() % (n - 1);
        let threshold = 2 + rng.next_u32() % (holders - 1);
        let bits = 1 + rng.next_u64() % 40;
        let max = (1u64 << bits) - (rng.next_u64() & 1);
        let values = 1 + rng.next_u64() % 3000;
        let coins = [42, 168][(rng.next_u32() % 2) as usize];
        let literal = PlanLiteral { holders, threshold, coins, ..literal(values, max, n, 2) };
        let silent = rng.next_u64() as usize % (n as usize - 1);
        round(literal, silent, u64::from(n));
    }
}

#[test]
fn a_thousand_sites_and_a_committee() {
    let literal = PlanLiteral { holders: 32, threshold: 17, ..literal(300, 65_535, 1000, 2) };
    round(literal, 3, 1000);
}

#[test]
fn large_updates_of_two_and_of_sixteen_sites() {
    round(literal(400_000, 65_535, 2, 2), 0, 7);
    round(literal(150_000, 65_535, 16, 9), 0, 8);
}

/// Values of many bits are cut into pieces where that is shorter.
#[test]
fn extremes_of_a_value() {
    for max in [1, 2, 255, 65_535, u64::from(u32::MAX), (1 << 55) - 1, (1 << 56) + 1] {
        round(literal(5, max, 64, 2), 1, max | 1);
        round(literal(700, max, 3, 2), 0, 4);
    }
}

#[test]
fn the_plan_takes_the_shortest_upload() {
    let of = |values, sites, holders, threshold, coins| {
        let l = PlanLiteral { holders, coins, ..literal(values, 65_535, sites, threshold) };
        let plan = Plan::new(l).unwrap();
        println!(
            "{values} values, {sites} sites, {holders} holders, {coins} coins: {} bytes ({} body), {:.3} a value: {}",
            plan.upload_len(),
            plan.body_len(),
            plan.bytes_per_value(),
            plan.describe()
        );
        plan
    };
    for coins in [42, 168] {
        for (sites, t) in [(3, 2), (16, 9), (64, 33)] {
            for values in [579, 768, 19_107, 451_527, 86_600_000] {
                of(values, sites, sites, t, coins);
            }
        }
        of(768, 64, 16, 9, coins);
        of(86_600_000, 1000, 32, 17, coins);
    }
    // The bars of large updates, at both numbers of coins.
    for coins in [42, 168] {
        for (sites, bar) in [(3, 2.3), (16, 2.6), (64, 2.9)] {
            assert!(of(86_600_000, sites, sites, sites.div_ceil(2), coins).bytes_per_value() <= bar);
        }
    }
}

#[test]
fn the_sum_can_be_told_from_any_other_without_the_bodies() {
    let plan = Plan::new(literal(2000, 1000, 5, 3)).unwrap();
    let mut rng = testkit::rng(5);
    let updates: Vec<_> = (0..4).map(|_| update(2000, 1000, &mut rng)).collect();
    let world = World::upload(&plan, &updates, &mut rng);
    let sum = world.sum().unwrap();
    let at = Challenge::new(&world.round, &Digest([1; 32]), &Digest([2; 32]));
    let parts: Vec<_> =
        world.bodies.iter().map(|b| evaluate_body(&plan, &at, &mut &b[..]).unwrap()).collect();
    let all = parts.iter().fold(Evaluation::ZERO, |a, y| a.add(y));
    assert_eq!(all, evaluate_sum(&plan, &at, &mut &sum[..]).unwrap());
    assert_eq!(Evaluation::from_bytes(all.to_bytes()).unwrap(), all);
    // Another sum, and one more body.
    let mut readers: Vec<_> = world.bodies.iter().skip(1).map(|b| &b[..]).collect();
    let mut other = Vec::new();
    write_sum(&plan, &mut readers, &mut other).unwrap();
    assert_ne!(all, evaluate_sum(&plan, &at, &mut &other[..]).unwrap());
    // The order of bodies is no matter.
    let mut readers: Vec<_> = world.bodies.iter().rev().map(|b| &b[..]).collect();
    let mut again = Vec::new();
    write_sum(&plan, &mut readers, &mut again).unwrap();
    assert_eq!(again, sum);
    let e = Evaluation::from_bytes([255; 32]).unwrap_err();
    assert!(e.to_string().contains("no field element"), "{e}");
}

/// The same randomness, round and values give the same bytes; any one changed gives another key.
#[test]
fn secrets_follow_from_four_things() {
    let plan = Plan::new(literal(300, 100, 3, 2)).unwrap();
    let round = plan.round(&Digest([1; 32]));
    let values: Vec<u64> = (0..300).map(|i| i % 100).collect();
    let mut other = values.clone();
    other[299] += 1;
    let part = |secret: u8, fresh: u8, context: u8, values: &[u64]| {
        let round = plan.round(&Digest([context; 32]));
        world::body_of(&plan, round, &[secret; 32], &[fresh; 32], values)
    };
    let first = part(1, 2, 1, &values);
    assert_eq!(first, part(1, 2, 1, &values));
    assert_eq!(round, plan.round(&Digest([1; 32])));
    for changed in
        [part(2, 2, 1, &values), part(1, 3, 1, &values), part(1, 2, 3, &values), part(1, 2, 1, &other)]
    {
        let differing = first.0.iter().zip(&changed.0).filter(|(a, b)| a != b).count();
        assert!(differing > first.0.len() / 2, "another key: {differing} of {} bytes differ", first.0.len());
        assert_ne!(first.1, changed.1);
    }
}
