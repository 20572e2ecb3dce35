//! The state machines under drops, delays, repetitions, reorderings, rubbish and crashes at every write.
//!
//! `BLINDSCOPE_SEEDS=100000 cargo nextest run -p blindscope-federation --test simulation` runs more seeds.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "../common/mod.rs"]
mod common;
mod deviations;
mod heads;
mod real;
mod roster;
mod toy;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use blindscope_federation::{
    Coordinator, Event, JobKind, JobStatus, JobView, Phase, Record, Study, StudyLiteral, verify,
};
use real::Real;
use toy::{Compute, Toy};
use world::{Faults, World, committed};

/// Longer than every deadline of every attempt together.
const LIMIT_MS: u64 = 3_600_000;

fn seeds(default: u64) -> u64 {
    std::env::var("BLINDSCOPE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

fn jobs() -> Vec<blindscope_federation::JobSpec> {
    vec![
        common::inference_keys("inference"),
        common::job("pooled", JobKind::Statistics, 1),
        common::job("rounds", JobKind::Fedavg, 3),
        common::encrypted_head("head", "pooled"),
        blindscope_federation::JobSpec::named(world::ASK),
        common::job("again", JobKind::Statistics, 1),
    ]
}

/// Everything that has to hold whatever happened.
fn check<C: Compute>(world: &World<'_, C>, study: &Study, compute: &C, seed: u64) -> Vec<JobView> {
    // Nothing acknowledged is lost, and the log convinces a stranger.
    let lines: Vec<String> = world.log.iter().map(Record::to_line).collect();
    let verified = verify(study, lines.iter().map(String::as_bytes), &world.receipts());
    let verified = verified.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    assert_eq!(verified.coordinator.jobs(), world.coordinator().jobs(), "seed {seed}");
    // At most one opening a (job, round), and never two shares of one ciphertext by one site.
    let mut openings = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for share in &world.shares {
        let known = openings.insert((share.step.job, share.step.round), share.opening);
        assert!(known.is_none_or(|k| k == share.opening), "seed {seed}: two openings of {}", share.step);
        assert!(shared.insert((share.site, share.target)), "seed {seed}: {} shared twice", share.site);
    }
    let mut sets = BTreeMap::new();
    for (_, step, set) in &world.opened {
        let known = sets.insert((step.job, step.round), *set);
        assert!(known.is_none_or(|k| k == *set), "seed {seed}: two sets of {step} are opened");
    }
    // The result is that of exactly the committed sites, each counted once.
    let views = verified.coordinator.jobs();
    check_again(&world.log, &views, seed);
    for view in &views {
        if let (JobStatus::Done { result }, false) = (&view.status, view.kind.is_ceremony()) {
            // Of a question, whose head it is that was asked.
            let of = if view.kind == JobKind::Question { named(&views, "head").id } else { view.id };
            let rounds = committed(&world.log, of);
            assert_eq!(rounds.len() as u64, view.rounds, "seed {seed}");
            let cohort = study.literal().minimum_cohort as usize;
            assert!(rounds.iter().all(|r| r.len() >= cohort), "seed {seed}");
            let under_key = view.kind.is_inference();
            let start = if under_key { bytes_of(world, named(&views, "pooled")) } else { Vec::new() };
            let bytes = &world.disk[&result.digest];
            assert!(compute.fits(view, of, &rounds, bytes, &start), "seed {seed}: {}", view.name);
        }
    }
    views
}

/// The same values are summed over one set, or over sets that share no site.
fn check_again(log: &[Record], views: &[JobView], seed: u64) {
    let set = |name: &str| {
        let view = views.iter().find(|v| v.name == name)?;
        matches!(view.status, JobStatus::Done { .. }).then(|| committed(log, view.id)[0].clone())
    };
    let (Some(one), Some(other)) = (set("pooled"), set("again")) else { return };
    assert!(one == other || one.iter().all(|site| !other.contains(site)), "seed {seed}: {one:?} {other:?}");
}

fn named<'v>(views: &'v [JobView], name: &str) -> &'v JobView {
    views.iter().find(|v| v.name == name).unwrap()
}

fn bytes_of<C>(world: &World<'_, C>, view: &JobView) -> Vec<u8> {
    match &view.status {
        JobStatus::Done { result } => world.disk[&result.digest].clone(),
        other => panic!("{}: {other:?}", view.name),
    }
}

/// Questions that were answered.
fn answered(views: &[JobView]) -> u64 {
    let done = |v: &&JobView| matches!(v.status, JobStatus::Done { .. }) && v.kind == JobKind::Question;
    views.iter().filter(done).count() as u64
}

/// Whether something was opened again.
fn again<C>(world: &World<'_, C>) -> bool {
    let steps = world.shares.iter().map(|s| s.step).chain(world.opened.iter().map(|(_, step, _)| *step));
    steps.into_iter().any(|step| step.attempt > 0)
}

fn done(views: &[JobView]) -> usize {
    views.iter().filter(|v| matches!(v.status, JobStatus::Done { .. })).count()
}

fn faults(seed: u64) -> Faults {
    let of = |k: u64, n: u64| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32 * 7) % n;
    Faults {
        drop: of(1, 4) * 100,
        repeat: of(2, 3) * 150,
        crash: of(3, 4) * 12,
        delay_ms: [5, 200, 3000, 12_000][of(4, 4) as usize],
        rubbish: if of(5, 4) == 0 { 40 } else { 0 },
        dead: of(6, 4) as usize,
        decline: if of(7, 5) == 0 { 50 } else { 0 },
    }
}

/// Two tests, so that two processors share the seeds.
#[test]
fn whatever_happens_the_sum_is_exact_and_every_job_ends() {
    storm(0..seeds(1200) / 2);
}

#[test]
fn whatever_happens_the_other_half_of_the_seeds() {
    storm(seeds(1200) / 2..seeds(1200));
}

fn storm(range: std::ops::Range<u64>) {
    let fixture = common::fixture(5, 3, 3, 1);
    let compute = Toy::new(&fixture.study);
    let (mut finished, mut crashes, mut attempts, mut questions) = (0, 0, 0, 0u64);
    let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
    let count = range.end - range.start;
    for seed in range {
        let mut world = World::new(&fixture, &compute, jobs(), faults(seed), seed);
        assert!(
            world.run(LIMIT_MS),
            "seed {seed}: {:?} does not end: {:#?}",
            faults(seed),
            world.coordinator().jobs()
        );
        let views = check(&world, &fixture.study, &compute, seed);
        finished += done(&views);
        questions += answered(&views);
        crashes += world.crashes;
        attempts += u64::from(again(&world));
        world.refusals.iter().for_each(|(k, n)| *refusals.entry(k).or_default() += n);
    }
    println!(
        "{count} seeds: {finished} of {} jobs done, {crashes} crashes, {attempts} runs with refreshed openings",
        6 * count
    );
    println!("refusals: {refusals:?}");
    // The faults have to bite, and most of the work has to be done all the same.
    println!("{questions} questions answered");
    // All holders of a question's shares are needed: one that is lost fails it.
    assert!(questions >= count / 10);
    assert!(crashes > count && attempts > count / 40 && finished as u64 > count * 5 / 2);
}

/// The same with real keys, sealed parts, encryption, masks and shares.
#[test]
fn with_real_encryption_too() {
    let fixture = common::fixture(4, 2, 3, 5);
    let sum = common::job("pooled", JobKind::Fedavg, 2);
    let jobs = || {
        vec![
            common::inference_keys("inference"),
            sum.clone(),
            common::encrypted_head("head", "pooled"),
            blindscope_federation::JobSpec::named(world::ASK),
        ]
    };
    let compute = Real::new(&fixture.study, &fixture.sealing, sum.clone());
    let (count, mut finished, mut attempts, mut questions) = (seeds(60), 0, 0, 0);
    for seed in 0..count {
        let faults = Faults { dead: usize::from(seed % 3 == 1), drop: 100, repeat: 100, ..faults(seed) };
        let mut world = World::new(&fixture, &compute, jobs(), faults, seed);
        assert!(world.run(LIMIT_MS), "seed {seed}");
        let views = check(&world, &fixture.study, &compute, seed);
        finished += done(&views) as u64;
        questions += answered(&views);
        attempts += u64::from(again(&world));
    }
    println!(
        "{count} seeds: {finished} of {} jobs done, {questions} questions answered, {attempts} runs with refreshed openings",
        4 * count
    );
    assert!(finished > 3 * count / 2 && questions > count / 4 && attempts > 0);
}

/// The same where four of six sites hold for all of them: the others upload, and are asked for nothing else.
#[test]
fn where_some_sites_hold_for_all_it_is_exact_too() {
    let mut fixture = common::fixture(6, 3, 4, 12);
    let holders = [0, 2, 3, 5].map(|site| format!("site-{site}")).to_vec();
    let literal = StudyLiteral { holders, ..fixture.study.literal().clone() };
    fixture.study = Study::insecure(literal).unwrap();
    let sum = common::job("pooled", JobKind::Fedavg, 2);
    let compute = Real::new(&fixture.study, &fixture.sealing, sum.clone());
    let (count, mut finished, mut asked) = (seeds(60), 0, BTreeSet::new());
    for seed in 0..count {
        let faults = Faults { dead: usize::from(seed % 3 == 1), drop: 100, repeat: 100, ..faults(seed) };
        let mut world = World::new(&fixture, &compute, vec![sum.clone()], faults, seed);
        assert!(world.run(LIMIT_MS), "seed {seed}");
        finished += done(&check(&world, &fixture.study, &compute, seed)) as u64;
        asked.extend(world.log.iter().filter_map(|r| match &r.body.event {
            Event::Opened { step, expected, .. } => Some((step.phase, expected.clone())),
            _ => None,
        }));
    }
    println!("{count} seeds: {finished} of {count} jobs done");
    assert!(finished > count / 2);
    for (phase, sites) in asked {
        let holders = fixture.study.holders();
        let of_holders = sites.iter().all(|site| holders.contains(site));
        assert!(of_holders == (phase != Phase::Upload), "{phase:?} is asked of {sites:?}");
    }
}

#[test]
fn without_faults_everything_is_done() {
    let fixture = common::fixture(3, 2, 2, 2);
    let compute = Toy::new(&fixture.study);
    for seed in 0..20 {
        let mut world =
            World::new(&fixture, &compute, jobs(), Faults { delay_ms: 50, ..Faults::default() }, seed);
        assert!(world.run(LIMIT_MS));
        assert_eq!(done(&check(&world, &fixture.study, &compute, seed)), 6);
        assert!(world.shares.iter().all(|s| s.step.attempt == 0), "{:#?}", world.coordinator().jobs());
    }
}

/// The results of finished sums, by job name.
fn results(world: &World<'_, Toy>) -> BTreeMap<String, Vec<u8>> {
    let result = |view: &JobView| match &view.status {
        JobStatus::Done { result } if view.kind.is_sum() => {
            Some((view.name.clone(), world.disk[&result.digest].clone()))
        }
        _ => None,
    };
    world.coordinator().jobs().iter().filter_map(result).collect()
}

/// Crashes alone lose nothing: with patient deadlines every job is done, with the bytes of a world without crashes.
#[test]
fn crashes_alone_change_no_byte() {
    let fixture = common::fixture(4, 2, 4, 3);
    let compute = Toy::new(&fixture.study);
    let (count, mut finished) = (seeds(200), 0);
    for seed in 0..count {
        let calm = Faults { delay_ms: 20, ..Faults::default() };
        let mut still = World::new(&fixture, &compute, jobs(), calm, seed);
        let mut stormy = World::new(&fixture, &compute, jobs(), Faults { crash: 30, ..calm }, seed);
        assert!(still.run(LIMIT_MS) && stormy.run(LIMIT_MS));
        // A committee that loses its spent marks four times in a row fails the round; it never gives other bytes.
        let (calm, torn) = (results(&still), results(&stormy));
        assert_eq!(calm.len(), 3, "seed {seed}");
        for (name, bytes) in &torn {
            assert_eq!(calm.get(name), Some(bytes), "seed {seed}: {name}");
        }
        finished += torn.len() as u64;
        check(&stormy, &fixture.study, &compute, seed);
    }
    println!("{count} seeds: {finished} of {} sums done", 3 * count);
    assert!(finished > count * 28 / 10);
}

/// A learning job of many rounds, jobs of other values beside it, questions while it runs, and the first job's values again.
fn many() -> Vec<blindscope_federation::JobSpec> {
    let ask = || blindscope_federation::JobSpec::named(world::ASK);
    vec![
        common::inference_keys("inference"),
        common::job("pooled", JobKind::Statistics, 1),
        common::encrypted_head("head", "pooled"),
        common::job("rounds", JobKind::Fedavg, 6),
        common::job("means", JobKind::ClsMean, 1),
        ask(),
        common::job("again", JobKind::Statistics, 1),
        ask(),
        common::job("counts", JobKind::Metrics, 1),
        ask(),
    ]
}

/// Steps of other jobs that a log has between a job's first step and its end.
fn between(log: &[Record], job: blindscope_federation::JobId) -> usize {
    let of = |r: &Record| match &r.body.event {
        Event::Opened { step, .. } => Some(step.job),
        _ => None,
    };
    let opened: Vec<_> = log.iter().filter_map(of).collect();
    let first = opened.iter().position(|id| *id == job).unwrap_or(0);
    let last = opened.iter().rposition(|id| *id == job).unwrap_or(0);
    opened[first..=last].iter().filter(|id| **id != job).count()
}

/// Whatever the faults, jobs and questions side by side keep what one after the other keeps; two jobs of the same values never run beside
/// each other. About as many are done as one after the other: machines that stop and messages that are lost cost the same.
#[test]
fn side_by_side_whatever_happens_the_sum_is_exact() {
    let fixture = common::fixture(5, 3, 3, 6);
    let compute = Toy::new(&fixture.study);
    let (count, mut finished, mut serial, mut questions, mut at_once) = (seeds(100), 0, 0, 0, 0);
    for seed in 0..count {
        let mut one = World::new(&fixture, &compute, many(), faults(seed), seed);
        let mut world = World::new(&fixture, &compute, many(), faults(seed), seed).side_by_side(4, 2);
        assert!(one.run(LIMIT_MS) && world.run(LIMIT_MS), "seed {seed}: {:#?}", world.coordinator().jobs());
        serial += done(&check(&one, &fixture.study, &compute, seed)) as u64;
        let views = check(&world, &fixture.study, &compute, seed);
        never_at_once(&world.log, (&views, "pooled", "again"), seed);
        finished += done(&views) as u64;
        questions += answered(&views);
        at_once += u64::from(world.most_at_once > 2);
    }
    println!(
        "{count} seeds: {finished} jobs done, {serial} one after the other, {questions} questions answered, {at_once} with three at once"
    );
    assert!(finished > serial * 3 / 4 && questions > 0 && at_once > count / 2);
}

/// Of two jobs the later one's first step follows the earlier one's last.
fn never_at_once(log: &[Record], (views, one, other): (&[JobView], &str, &str), seed: u64) {
    let steps = |name: &str| -> Vec<usize> {
        let id = views.iter().find(|v| v.name == name).map(|v| v.id);
        let of = |r: &Record| matches!(&r.body.event, Event::Opened { step, .. } if Some(step.job) == id);
        log.iter().enumerate().filter(|(_, r)| of(r)).map(|(at, _)| at).collect()
    };
    if let (Some(end), Some(begin)) = (steps(one).last(), steps(other).first()) {
        assert!(end < begin, "seed {seed}: the same values in two rounds at once");
    }
}

/// Jobs side by side, on machines that stop at any write, give the bytes of jobs one after the other on machines that do not.
#[test]
fn side_by_side_gives_the_bytes_of_one_after_the_other() {
    let fixture = common::fixture(4, 2, 4, 8);
    let compute = Toy::new(&fixture.study);
    let (count, mut finished, mut beside) = (seeds(100), 0, 0);
    for seed in 0..count {
        let calm = Faults { delay_ms: 20, ..Faults::default() };
        let mut serial = World::new(&fixture, &compute, many(), calm, seed);
        let stormy = Faults { crash: 15, ..calm };
        let mut parallel = World::new(&fixture, &compute, many(), stormy, seed).side_by_side(4, 2);
        assert!(serial.run(LIMIT_MS) && parallel.run(LIMIT_MS), "seed {seed}");
        let (one, other) = (results(&serial), results(&parallel));
        assert_eq!(one.len(), 5, "seed {seed}");
        for (name, bytes) in &other {
            assert_eq!(one.get(name), Some(bytes), "seed {seed}: {name}");
        }
        finished += other.len() as u64;
        let views = check(&parallel, &fixture.study, &compute, seed);
        beside += u64::from(between(&parallel.log, named(&views, "rounds").id) > 0);
    }
    println!(
        "{count} seeds: {finished} of {} sums done, {beside} with steps between those of another",
        5 * count
    );
    assert!(finished > count * 9 / 2 && beside > count * 9 / 10);
}

/// A prefix of a log replays to the state that the coordinator had then.
#[test]
fn every_prefix_replays() {
    let fixture = common::fixture(3, 2, 2, 4);
    let compute = Toy::new(&fixture.study);
    let mut world = World::new(&fixture, &compute, jobs(), faults(11), 11);
    assert!(world.run(LIMIT_MS));
    for end in 0..=world.log.len() {
        let replayed = Coordinator::replay(&fixture.study, world.log[..end].iter().cloned()).unwrap();
        assert_eq!(replayed.head().0, end as u64);
    }
}
