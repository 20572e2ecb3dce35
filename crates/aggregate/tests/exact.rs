//! The opened sum is the integer sum, bit for bit, whoever of the sites opens it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod common;

use rand_core::Rng;

use blindscope_aggregate::{SumPlan, SumPlanLiteral, presets, write_zeros};
use blindscope_ckks::{Parameters, ParametersLiteral};
use blindscope_testkit as testkit;
use blindscope_threshold::PartyId;
use common::{Study, add, total, update};

fn production(preset: ParametersLiteral, width: usize, n: usize, t: usize, values: usize) {
    let mut rng = testkit::rng((n * 100 + t) as u64);
    let study = Study::new(&Parameters::new(preset).unwrap(), n, t, width, &mut rng);
    let mut literal = study.literal(values as u64, (1 << 16) - 1);
    if width == presets::SMALL_SUM_WIDTH {
        (literal.budget, literal.attempts) = (1, 1);
    }
    let plan = SumPlan::new(&study.params, literal).unwrap();
    println!("{n} sites, {t} open: {:.2} bytes a value, {:?}", plan.bytes_per_value(), plan.layout());
    let updates: Vec<_> = (0..n).map(|_| update(values, (1 << 16) - 1, &mut rng)).collect();
    let members: Vec<_> = (0..t as u16).map(|i| PartyId(n as u16 - 1 - i)).collect();
    let got = study.sum(&plan, &updates, &members, &study.round(b"update", 1), &mut rng);
    assert_eq!(got, total(&updates));
}

#[test]
fn two_sites() {
    production(presets::sum(), presets::SUM_WIDTH, 2, 2, 300_000);
}

#[test]
fn two_of_three_with_few_values() {
    production(presets::small_sum(), presets::SMALL_SUM_WIDTH, 3, 2, 768);
}

#[test]
fn twenty_two_of_sixty_four() {
    production(presets::sum(), 2, 64, 22, 70_000);
}

/// Cohorts of 2 to 64 sites at toy size, random thresholds, sizes that end anywhere, some sites silent.
#[test]
fn random_cohorts() {
    let mut rng = testkit::rng(1);
    let params = common::toy();
    for n in (2..=64usize).step_by(3).chain([64]) {
        let t = 1 + rng.next_u64() as usize % n;
        let width = 1 + rng.next_u64() as usize % 4;
        let study = Study::new(&params, n, t, width, &mut rng);
        let bits = 1 + rng.next_u64() % 30;
        let max = (1u64 << bits) - (rng.next_u64() & 1);
        let values = 1 + rng.next_u64() as usize % 2000;
        let plan = study.plan(values as u64, max);
        let silent = rng.next_u64() as usize % (n - t + 1);
        let mut updates: Vec<_> = (0..n - silent).map(|_| update(values, max, &mut rng)).collect();
        // The largest sum that was planned for, where nobody is silent.
        updates[0].fill(max);
        if n % 2 == 0 {
            for u in &mut updates {
                u.fill(max);
            }
        }
        let members: Vec<_> = (0..t as u16).map(PartyId).collect();
        let got = study.sum(&plan, &updates, &members, &study.round(b"cohort", n as u64), &mut rng);
        assert_eq!(got, total(&updates), "{t} of {n}, {values} values to {max}");
    }
}

/// A committee that failed to finish is replaced by another one, on a refreshed sum: same integers, another uniform half.
#[test]
fn a_refreshed_sum_opens_to_the_same_integers() {
    let mut rng = testkit::rng(2);
    let study = Study::new(&common::toy(), 4, 2, 3, &mut rng);
    let plan = study.plan(500, 1000);
    let updates: Vec<_> = (0..4).map(|_| update(500, 1000, &mut rng)).collect();
    let uploads: Vec<_> = updates.iter().map(|u| study.upload(&plan, u, &mut rng)).collect();
    let mut sum = add(&plan, &uploads).unwrap();
    for attempt in 0..3u16 {
        let members = [PartyId(attempt), PartyId(attempt + 1)];
        let committee = study.committee(&members);
        let round = study.round(b"update", u64::from(attempt));
        let shares: Vec<_> = members
            .iter()
            .map(|&p| (p, study.share(&plan, &round, &committee, p, &sum, &mut rng).unwrap()))
            .collect();
        assert_eq!(study.open(&plan, &round, &committee, &sum, &shares).unwrap(), total(&updates));
        let mut inputs = vec![sum.clone()];
        for _ in members {
            let mut zeros = Vec::new();
            write_zeros(&plan, &study.key, &mut rng, &mut zeros).unwrap();
            inputs.push(zeros);
        }
        let refreshed = add(&plan, &inputs).unwrap();
        assert_ne!(refreshed, sum);
        inputs.reverse();
        assert_eq!(add(&plan, &inputs).unwrap(), refreshed, "the order of the inputs is no matter");
        sum = refreshed;
    }
    // 4 uploads and 3 attempts of 2 zeros were planned for.
    let e = add(&plan, &[sum, uploads[0].clone()]).unwrap_err();
    assert!(e.to_string().contains("11"), "{e}");
}

/// Few values of few sites take the smallest ring, more of either the next ones.
#[test]
fn the_cheapest_preset_is_chosen() {
    let literal = |values, sites, budget| SumPlanLiteral {
        values,
        max: (1 << 16) - 1,
        sites,
        threshold: sites,
        width: 0,
        budget,
        statistical_bits: 30,
        attempts: 1,
    };
    let chosen = |values, sites, budget| {
        let plan = SumPlan::cheapest(literal(values, sites, budget)).unwrap();
        println!("{values} values of {sites} sites: {:?}, {} bytes", plan.params(), plan.upload_len());
        plan.params().log_n()
    };
    assert_eq!(chosen(768, 3, 1), 11);
    assert_eq!(chosen(768, 64, 1000), 12);
    assert_eq!(chosen(1_000_000, 64, 1000), 13);
    let e = SumPlan::cheapest(SumPlanLiteral { max: 1 << 61, ..literal(10, 64, 1) }).unwrap_err();
    assert!(e.to_string().contains("64 sites"), "{e}");
}

#[test]
fn plans_are_refused_with_the_numbers() {
    let params = Parameters::new(presets::sum()).unwrap();
    let literal = SumPlanLiteral {
        values: 10,
        max: 1 << 60,
        sites: 64,
        threshold: 64,
        width: 4,
        budget: 100,
        statistical_bits: 30,
        attempts: 1,
    };
    let refused = |change: fn(&mut SumPlanLiteral)| {
        let mut l = literal;
        change(&mut l);
        SumPlan::new(&params, l).unwrap_err().to_string()
    };
    assert!(refused(|_| {}).contains("64 sites × 1152921504606846976 need digits of 67 bits"));
    assert!(refused(|l| l.statistical_bits = 29).contains("29 bits of statistical security"));
    assert!(refused(|l| l.threshold = 65).contains("threshold is 65, from 1 to 64"));
    assert!(refused(|l| (l.max, l.values) = (1, 1 << 30)).contains("chunks of one opening"));
    assert!(refused(|l| (l.max, l.statistical_bits) = (1, 120)).contains("masks of 64 sites"));
    let json = serde_json::to_string(&literal).unwrap();
    assert_eq!(serde_json::from_str::<SumPlanLiteral>(&json).unwrap(), literal);
}
