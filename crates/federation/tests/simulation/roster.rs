//! Sites come and go among jobs, drops, delays and stops at every write.

use crate::common::{self, Fixture};
use crate::toy::Toy;
use crate::world::{CHANGES, World, committed};
use crate::{LIMIT_MS, check, done, faults, seeds};
use blindscope_federation::{IdentityKey, JobKind, JobSpec, SealingKey, Study};

/// Five sites, and the keys of two more.
fn fixture() -> Fixture {
    let mut fixture = common::fixture(5, 3, 3, 1);
    for seed in [40, 41] {
        fixture.sites.push(IdentityKey::from_bytes(&[seed; 32]));
        fixture.sealing.push(SealingKey::from_bytes(&[seed; 32]));
    }
    fixture
}

fn jobs() -> Vec<JobSpec> {
    vec![
        common::job("pooled", JobKind::Statistics, 1),
        JobSpec::named(CHANGES[0]),
        common::job("rounds", JobKind::Fedavg, 3),
        JobSpec::named(CHANGES[1]),
        common::job("again", JobKind::Statistics, 1),
        common::job("last", JobKind::Fedavg, 2),
    ]
}

/// Every set is of sites of the roster that its job began under.
fn sets_are_of_one_roster(world: &World<'_, Toy<'_>>, study: &Study, seed: u64) {
    for view in world.coordinator().jobs() {
        let then = study.under(view.version).unwrap();
        for set in committed(&world.log, view.id) {
            let own = set.iter().all(|site| then.site(*site).is_some());
            assert!(own, "seed {seed}: {} sums {set:?} under roster {}", view.name, view.version);
            let knows = set.iter().all(|site| world.known(*site) as u64 >= view.version);
            assert!(
                knows,
                "seed {seed}: {} is summed by who has not heard of roster {}",
                view.name, view.version
            );
        }
    }
}

/// The same, with something at work beside each other before each change.
fn many() -> Vec<JobSpec> {
    let mut all = jobs();
    all.insert(1, common::job("means", JobKind::ClsMean, 1));
    all.insert(1, common::job("long", JobKind::Fedavg, 4));
    all.insert(5, common::job("counts", JobKind::Metrics, 1));
    all
}

#[test]
fn whatever_happens_changes_stand_and_sums_are_exact() {
    storm(seeds(100), jobs, 1);
}

#[test]
fn side_by_side_changes_stand_too() {
    storm(seeds(100), many, 4);
}

fn storm(count: u64, jobs: fn() -> Vec<JobSpec>, beside: u32) {
    let fixture = fixture();
    let (mut finished, mut crashes, mut at_once) = (0, 0, 0);
    for seed in 0..count {
        let compute = Toy::new(&fixture.study);
        let world = World::new(&fixture, &compute, jobs(), faults(seed), seed);
        let mut world = world.side_by_side(beside, 1);
        assert!(world.run(LIMIT_MS), "seed {seed}: {:?}: {:#?}", faults(seed), world.coordinator().roster(0));
        let study = world.coordinator().study().clone();
        assert_eq!(study.version(), 2, "seed {seed}");
        finished += done(&check(&world, &fixture.study, &compute, seed));
        sets_are_of_one_roster(&world, &study, seed);
        let know = study.sites().filter(|site| world.known(*site) == 2).count() as u32;
        assert!(know >= study.literal().minimum_cohort, "seed {seed}: {know} sites know the last roster");
        crashes += world.crashes;
        at_once += u64::from(world.most_at_once > 1);
    }
    let all = (jobs().len() - CHANGES.len()) as u64 * count;
    println!("{count} seeds: {finished} of {all} jobs done, {crashes} crashes, {at_once} with two at once");
    assert!(crashes > count && finished as u64 > all / 4);
    assert!(if beside > 1 { at_once > count / 2 } else { at_once == 0 });
}
