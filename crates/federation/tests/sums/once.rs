//! An input is summed over one set, ever; a site is one site.

use crate::world::{ABOUT, World, ids, input, total};
use blindscope_federation::SiteId;
use blindscope_federation::sums::{Commitment, SumMark, SumRefusal, SumSite, Void};

/// A ∪ B ∪ {i}, then A, then B: the difference is i. No pairwise rule sees it; ours refuses the second set.
#[test]
fn three_sums_that_would_leave_one_site() {
    let mut world = World::new(5, 2, 0, 21);
    let (all, a, b) = (ids(0..5), ids([0, 1]), ids([2, 3]));
    let rounds = [world.round(1, 0), world.round(2, 0), world.round(3, 0)];
    let lonely = world.values(SiteId(4), &rounds[0]);
    // The broken rule: each round by itself.
    let mut sums = Vec::new();
    for (round, set) in rounds.iter().zip([&all, &a, &b]) {
        for &site in set {
            let values = world.values(site, round);
            let (bytes, _) = world.actor(site).encrypt(round, &values);
            world.receive(round, site, &bytes).unwrap();
        }
        let openings = [world.open_lawless(round, set, SiteId(0)), world.open_lawless(round, set, SiteId(1))];
        sums.push(world.read_lawless(round, set, &openings).unwrap());
    }
    let left: Vec<u64> = (0..lonely.len()).map(|k| sums[0][k] - sums[1][k] - sums[2][k]).collect();
    assert_eq!(left, lonely);
    // Ours.
    let mut world = World::new(5, 2, 0, 21);
    world.upload_all(&rounds[0], &all);
    let values: Vec<_> = all.iter().map(|s| world.values(*s, &rounds[0])).collect();
    assert_eq!(world.whole(&rounds[0], &all).unwrap(), total(&values));
    for actor in 2..5 {
        // Holders that did not open have seen the result, and with it the quorum.
        let commitment = world.commit(&rounds[0], &all);
        let words = world.agreements(&rounds[0], &commitment, &all);
        let agreed = world.agreed(&rounds[0], &commitment, &words).unwrap();
        let mark = SumSite::settled(&rounds[0], &commitment, &agreed).unwrap();
        world.actors[actor].store(mark);
    }
    world.upload_all(&rounds[1], &all);
    let less = world.commit(&rounds[1], &a);
    let e = world.agree(&rounds[1], &less, SiteId(0)).unwrap_err();
    assert!(e.contains("was summed over") || e.contains("summed over other sites before"), "{e}");
    // The same set is no other one.
    assert_eq!(world.whole(&rounds[1], &all).unwrap(), total(&values));
}

/// A ∪ B, A ∪ C, B ∪ C in jobs of one input, each signed and opened by those who are not in it: three sums, three values. Members that
/// refuse do not hinder it, so every upload says the set that it is bound to.
#[test]
fn three_pairs_that_outsiders_sign() {
    let pairs = [ids([0, 1]), ids([0, 2]), ids([1, 2])];
    let others = |set: &[SiteId]| ids(0..5).into_iter().filter(|s| !set.contains(s)).collect::<Vec<_>>();
    // The broken rule: uploads that are bound to nothing.
    let mut world = World::new(5, 2, 0, 31);
    let rounds = [world.round(1, 0), world.round(2, 0), world.round(3, 0)];
    let mut sums = Vec::new();
    for (round, set) in rounds.iter().zip(&pairs) {
        for &site in set {
            let values = world.values(site, round);
            let (bytes, _) = world.actor(site).encrypt(round, &values);
            world.receive(round, site, &bytes).unwrap();
        }
        let commitment = world.commit(round, set);
        let words = world.agreements(round, &commitment, &others(set));
        let agreed = world.agreed(round, &commitment, &words).unwrap();
        let openings = world.open_all(round, &commitment, &agreed, &others(set)[..2]);
        sums.push(world.read(round, &commitment, &agreed, &openings).unwrap().0);
    }
    let first: Vec<u64> = (0..sums[0].len()).map(|k| (sums[0][k] + sums[1][k] - sums[2][k]) / 2).collect();
    assert_eq!(
        first,
        world.values(SiteId(0), &rounds[0]),
        "two sums less the third are twice one site's values"
    );
    // Ours: the first is summed, and its members have seen the quorum.
    let mut world = World::new(5, 2, 0, 31);
    world.upload_all(&rounds[0], &pairs[0]);
    let commitment = world.commit(&rounds[0], &pairs[0]);
    let words = world.agreements(&rounds[0], &commitment, &others(&pairs[0]));
    let agreed = world.agreed(&rounds[0], &commitment, &words).unwrap();
    let mark = SumSite::settled(&rounds[0], &commitment, &agreed).unwrap();
    pairs[0].iter().for_each(|s| world.actor(*s).store(mark.clone()));
    world.upload_all(&rounds[1], &pairs[1]);
    let commitment = world.commit(&rounds[1], &pairs[1]);
    for site in others(&pairs[1]) {
        let e = world.agree(&rounds[1], &commitment, site).unwrap_err();
        assert!(e.contains("summed over other sites before"), "{e}");
    }
    // Nor does a holder open it that is shown a quorum of signatures: no commitment like it is read.
    assert!(Commitment::from_bytes(&rounds[1], &commitment.to_bytes()).is_err());
}

/// What is spent is the input, whatever it is encoded to: another job, other digits, another round.
#[test]
fn an_input_stays_spent_under_other_digits() {
    let mut world = World::new(4, 2, 0, 22);
    let round = world.round(1, 0);
    let me = SiteId(0);
    let values = world.values(me, &round);
    world.actor(me).upload(&round, &values, input(1)).unwrap();
    assert_eq!(world.actor(me).upload(&round, &values, input(1)).unwrap_err(), SumRefusal::Uploaded);
    // A job's round has one upload, under whatever plan.
    let other = world.sized_round(1, (10, 3));
    assert_ne!(other.name(), round.name());
    assert_eq!(world.actor(me).upload(&other, &[1; 10], input(2)).unwrap_err(), SumRefusal::Uploaded);
    let other = world.sized_round(2, (10, 3));
    let e = world.actor(me).upload(&other, &[1; 10], input(1)).unwrap_err();
    assert_eq!(e, SumRefusal::SpentInput);
    assert!(e.to_string().contains("have its holders sign it void"));
    // Another input is free, and a process that begins anew remembers.
    world.actor(me).restart();
    assert_eq!(world.actor(me).site.may_upload(&other, &input(1)), Err(SumRefusal::SpentInput));
    world.actor(me).upload(&other, &[1; 10], input(2)).unwrap();
}

/// A spoiled round, then the same values with one site less: only once enough holders have declared the first one void.
#[test]
fn a_spoiled_round_is_void_before_its_values_go_on() {
    let mut world = World::new(4, 2, 1, 23);
    let (first, second) = (world.round(1, 0), world.round(2, 0));
    let all = ids(0..4);
    world.upload_all(&first, &all);
    let try_again = |world: &mut World, site: u16| {
        let values = world.values(SiteId(site), &second);
        world.actor(SiteId(site)).upload(&second, &values, input(1))
    };
    assert_eq!(try_again(&mut world, 0).unwrap_err(), SumRefusal::SpentInput);
    let voids: Vec<Void> = (0..4).map(|h| world.void(&first, SiteId(h)).unwrap()).collect();
    assert!(SumSite::voided(&first, &voids[..3]).is_err());
    let mark = SumSite::voided(&first, &voids).unwrap();
    assert!(SumSite::voided(&second, &voids).is_err(), "of another round");
    for k in 0..3 {
        world.actors[k].store(mark.clone());
        let bytes = try_again(&mut world, k as u16).unwrap();
        world.receive(&second, SiteId(k as u16), &bytes).unwrap();
    }
    let less = ids(0..3);
    let values: Vec<_> = less.iter().map(|s| world.values(*s, &second)).collect();
    let commitment = world.commit(&second, &less);
    let agreed = world.agree_all(&second, &commitment).unwrap();
    let openings = world.open_all(&second, &commitment, &agreed, &ids([0, 1]));
    assert_eq!(world.read(&second, &commitment, &agreed, &openings).unwrap().0, total(&values));
}

/// A site whose upload came too late may go on once it has seen that the agreed set lacks it, and not on anybody's word.
#[test]
fn a_late_site_goes_on_when_the_agreed_set_lacks_it() {
    let mut world = World::new(4, 2, 0, 24);
    let (first, second) = (world.round(1, 0), world.round(2, 0));
    let (in_time, late) = (ids(0..3), SiteId(3));
    world.upload_all(&first, &ids(0..4));
    let commitment = world.commit(&first, &in_time);
    // It signs the set itself, and still does not know that a quorum has.
    let own = world.agree(&first, &commitment, late).unwrap();
    assert_eq!(world.actor(late).site.may_upload(&second, &input(1)), Err(SumRefusal::SpentInput));
    assert!(world.agreed(&first, &commitment, &[own]).is_err());
    let agreed = world.agree_all(&first, &commitment).unwrap();
    let mark = SumSite::settled(&first, &commitment, &agreed).unwrap();
    world.actor(late).store(mark);
    world.actor(late).site.may_upload(&second, &input(1)).unwrap();
}

/// A copy of a site encrypts anew under its name: the site sees a header that it does not know and stops for good.
#[test]
fn a_restored_copy_stops_the_site() {
    let mut world = World::new(4, 2, 1, 25);
    let round = world.round(1, 0);
    let me = SiteId(1);
    let mut copy = world.actor(me).copy();
    world.upload_all(&round, &ids(0..4));
    let values = world.values(me, &round);
    let bytes = copy.upload(&round, &values, input(1)).unwrap();
    assert_ne!(Some(&bytes), world.actor(me).disk.get(&round.name().0));
    // The coordinator takes one header a site: this one.
    world.receive(&round, me, &bytes).unwrap();
    let commitment = world.commit(&round, &ids(0..4));
    let e = world.agree(&round, &commitment, me).unwrap_err();
    assert!(e.contains("a second copy of it is at work"), "{e}");
    world.actor(me).restart();
    let (next, site) = (world.round(2, 0), &world.actors[1].site);
    assert_eq!(site.may_upload(&next, &input(9)), Err(SumRefusal::Stopped));
    assert!(site.judge_commitment(me, &round, &commitment, [0; 32], (2, ABOUT)).is_err());
    assert_eq!(site.judge_void(&round), Err(SumRefusal::Stopped));
    // Whatever others do; with new keys, which the copy has not, it goes on.
    world.replace(SiteId(0), 113);
    let next = world.round(2, 0);
    assert_eq!(world.actor(me).site.may_upload(&next, &input(9)), Err(SumRefusal::Stopped));
    let old = world.epoch.clone();
    world.replace(me, 114);
    assert_eq!(world.actors[1].site.judge_successor(&old, &world.epoch), Err(SumRefusal::Stopped));
    let next = world.round(2, 0);
    world.actor(me).site.may_upload(&next, &input(9)).unwrap();
    let site = &world.actor(me).site;
    assert_eq!(site.judge_void(&round), Err(SumRefusal::Stopped), "what it was under the old ones stays");
    // Two headers of one site in a set are refused by everybody.
    let mut both = commitment.clone();
    both.uploads.insert(1, both.uploads[1].clone());
    let e = world.agree(&round, &both, SiteId(0)).unwrap_err();
    assert!(e.contains("each once; site 1 is not"), "{e}");
}

/// Two processes on one disk: the second mark does not fold.
#[test]
fn two_processes_never_mark_one_round_twice() {
    let mut world = World::new(3, 2, 0, 26);
    let round = world.round(1, 0);
    let me = SiteId(0);
    let values = world.values(me, &round);
    let mut other = world.actor(me).copy();
    world.actor(me).upload(&round, &values, input(1)).unwrap();
    let (_, upload) = other.encrypt(&round, &values);
    let mark = SumSite::uploaded(&round, &upload, input(1));
    assert!(world.actor(me).site.apply(&mark).is_err());
    // Marks that contradict each other do not replay.
    let (name, sites) = (round.name(), ids(0..2));
    let agreed = |commitment| {
        let sites = sites.clone();
        SumMark::Agreed { round: name, commitment, evaluation: [0; 32], sites, about: ABOUT }
    };
    let commitment = agreed(input(1));
    let another = agreed(input(2));
    let mut site = SumSite::default();
    site.apply(&commitment).unwrap();
    site.apply(&commitment).unwrap();
    assert_eq!(site.apply(&another), Err("another set of the round is signed"));
}

/// With the same randomness and values a cloned generator gives the same bytes; with other values another key altogether.
#[test]
fn a_cloned_generator_never_reuses_a_key() {
    let mut world = World::new(3, 2, 0, 27);
    let round = world.round(1, 0);
    let me = SiteId(0);
    let values = world.values(me, &round);
    let mut twins = [world.actor(me).copy(), world.actor(me).copy(), world.actor(me).copy()];
    let (first, one) = twins[0].encrypt(&round, &values);
    assert_eq!(first, twins[1].encrypt(&round, &values).0);
    let mut other = values;
    other[7] += 1;
    let (second, two) = twins[2].encrypt(&round, &other);
    // Parts that holders make themselves follow from the nonce. Were it the generator's own, the two keys would be equal there, and one
    // more part would give their difference.
    assert_ne!(one.header.nonce, two.header.nonce);
    let body = round.plan().body_len() as usize;
    let differing = first[32..body].iter().zip(&second[32..body]).filter(|(a, b)| a != b).count();
    assert!(
        differing > body / 2,
        "one number changed; under one key so would few bytes: {differing} of {body}"
    );
}

/// A job over everybody, and the same data under another `data_version` without one site: each would be a sum of its own, and their
/// difference the site. The integers are known again by themselves: whoever has signed the first set is bound to it.
#[test]
fn the_same_values_under_another_name_are_summed_over_one_set() {
    let mut world = World::new(5, 2, 0, 41);
    let (all, less) = (ids(0..5), ids(0..4));
    let (first, second) = (world.round(1, 0), world.round(2, 0));
    world.upload_named(&first, &all, input(1));
    world.whole(&first, &all).unwrap();
    // Named otherwise, over the same sites: what a study does that sums its statistics twice.
    world.upload_named(&second, &all, input(2));
    let without = world.commit(&second, &less);
    for &site in &all {
        let e = world.agree(&second, &without, site).unwrap_err();
        assert!(e.contains("summed over other sites before"), "{e}");
    }
    assert!(Commitment::from_bytes(&second, &without.to_bytes()).is_err(), "no holder opens it either");
    world.whole(&second, &all).unwrap();
    // Other values are another input.
    let third = world.round(3, 0);
    for &site in &less {
        let values = vec![u64::from(site.0) + 5; crate::world::VALUES];
        let bytes = world.actor(site).upload(&third, &values, input(3)).unwrap();
        world.receive(&third, site, &bytes).unwrap();
    }
    world.whole(&third, &less).unwrap();
}
