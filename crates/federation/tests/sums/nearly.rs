//! Two sums of one kind over nearly the same sites, of integers that are not the same but say the same: their difference tells who is in
//! one alone. Whether that may be is each site's policy.

use crate::world::{World, ids, input};
use blindscope_federation::SiteId;
use blindscope_federation::sums::SumRound;

/// The values of another job that are the first one's under other settings: half as fine, and from another zero.
fn upload_again(world: &mut World, round: &SumRound, who: &[SiteId], job: u8) {
    for &site in who {
        let values: Vec<u64> = world.values(site, round).iter().map(|v| v / 2 + u64::from(job)).collect();
        let bytes = world.actor(site).upload(round, &values, input(job)).unwrap();
        world.receive(round, site, &bytes).unwrap();
    }
}

/// A job over everybody, and one of nearly the same values without a site. Nothing that binds inputs sees it.
#[test]
fn the_difference_of_two_sums_is_one_site_unless_policies_forbid_it() {
    let (all, less, target) = (ids(0..5), ids(0..4), SiteId(4));
    let (mut world, mut strict) = (World::new(5, 2, 0, 51), World::new(5, 2, 0, 51));
    let (first, second) = (world.round(1, 0), world.round(2, 0));
    for world in [&mut world, &mut strict] {
        world.upload_all(&first, &all);
        upload_again(world, &second, &all, 2);
    }
    // Sites without the rule sign both.
    let whole = world.whole(&first, &all).unwrap();
    let without = world.whole(&second, &less).unwrap();
    let found: Vec<u64> =
        whole.iter().zip(&without).map(|(a, b)| a - 2 * (b - 2 * less.len() as u64)).collect();
    let values = world.values(target, &first);
    // But for what was rounded away at the four others, that is the site's contribution.
    assert!(found.iter().zip(&values).all(|(found, value)| (*value..=value + 4).contains(found)));
    // Those with it sign the first, and nobody the second, the target's peers least of all.
    strict.difference = 2;
    assert_eq!(strict.whole(&first, &all).unwrap(), whole);
    let commitment = strict.commit(&second, &less);
    for site in all {
        strict.actor(site).restart();
        let e = strict.agree(&second, &commitment, site).unwrap_err();
        assert!(e.contains("in 1 sites") && e.contains("none or 2"), "{e}");
    }
}

/// The rule stands in the way of nearly equal sets alone.
#[test]
fn the_same_set_and_one_that_differs_enough_are_signed() {
    let mut world = World::new(6, 2, 0, 52);
    world.difference = 3;
    let round = |world: &World, job: u8| world.round(job, 0);
    let all = ids(0..6);
    let first = round(&world, 1);
    world.upload_all(&first, &all);
    world.whole(&first, &all).unwrap();
    for (job, set, signs) in [(2, ids(0..6), true), (3, ids(0..4), false), (4, ids(0..3), true)] {
        let round = round(&world, job);
        upload_again(&mut world, &round, &set, job);
        let commitment = world.commit(&round, &set);
        assert_eq!(world.agree(&round, &commitment, SiteId(0)).is_ok(), signs, "{set:?}");
    }
    // It is held against every earlier set, not the last alone; what was signed again is no other set.
    let again = round(&world, 4);
    let commitment = world.commit(&again, &ids(0..3));
    assert!(world.agree(&again, &commitment, SiteId(0)).is_ok());
    let close_to_the_smaller = round(&world, 5);
    upload_again(&mut world, &close_to_the_smaller, &ids(0..2), 5);
    let commitment = world.commit(&close_to_the_smaller, &ids(0..2));
    let e = world.agree(&close_to_the_smaller, &commitment, SiteId(0)).unwrap_err();
    assert!(e.contains("in 1 sites"), "{e}");
}

/// A round that was declared void was opened over nothing.
#[test]
fn a_void_round_is_no_earlier_sum() {
    let mut world = World::new(5, 2, 0, 53);
    world.difference = 2;
    let (first, second) = (world.round(1, 0), world.round(2, 0));
    world.upload_all(&first, &ids(0..5));
    let commitment = world.commit(&first, &ids(0..5));
    world.agree(&first, &commitment, SiteId(0)).unwrap();
    upload_again(&mut world, &second, &ids(0..4), 2);
    let less = world.commit(&second, &ids(0..4));
    assert!(world.agree(&second, &less, SiteId(0)).is_err());
    let voids: Vec<_> = (1..5).map(|holder| world.void(&first, SiteId(holder)).unwrap()).collect();
    let mark = blindscope_federation::sums::SumSite::voided(&first, &voids).unwrap();
    world.actor(SiteId(0)).store(mark);
    world.agree(&second, &less, SiteId(0)).unwrap();
}
