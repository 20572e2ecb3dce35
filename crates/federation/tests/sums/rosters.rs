//! Rosters: one successor a version, signed by a quorum of the old one; a round is of one roster.

use crate::world::{World, ids, input};
use blindscope_federation::sums::{
    Epoch, EpochLiteral, Former, Member, Succession, SumMark, SumRefusal, SumRound, sign_successor,
};
use blindscope_federation::{IdentityKey, JobId, SealingKey, SiteEntry, SiteId};
use blindscope_wire::{Digest, Hasher};

/// The next version: the last site gets new keys, `change` does the rest, and the list of former keys follows.
fn successor(world: &World, change: impl Fn(&mut EpochLiteral)) -> Epoch {
    let mut literal = world.epoch.literal().clone();
    literal.version += 1;
    let last = literal.members.last_mut().unwrap();
    last.entry.identity = IdentityKey::from_bytes(&[101; 32]).public();
    last.entry.sealing = SealingKey::from_bytes(&[100; 32]).public();
    change(&mut literal);
    literal.former.extend(
        world.epoch.literal().members.iter().filter(|m| !literal.members.contains(m)).map(Former::of),
    );
    Epoch::new(literal).unwrap()
}

fn leaves(site: u16) -> impl Fn(&mut EpochLiteral) {
    move |l| {
        l.members.retain(|m| m.site.0 != site);
        l.holders.retain(|h| h.0 != site);
    }
}

#[test]
fn a_version_has_one_successor() {
    let mut world = World::new(5, 2, 1, 61);
    let (one, two) = (successor(&world, leaves(4)), successor(&world, leaves(3)));
    let old = world.epoch.clone();
    assert_eq!(old.succession_quorum(), 4);
    let sign = |world: &mut World, site: u16, next: &Epoch| {
        let actor = world.actor(SiteId(site));
        let mark = actor.site.judge_successor(&old, next)?;
        actor.store(mark);
        Ok::<_, SumRefusal>((SiteId(site), sign_successor(&old, next, &actor.identity)))
    };
    let signatures: Vec<_> = (0..4).map(|s| sign(&mut world, s, &one).unwrap()).collect();
    let change =
        |next: &Epoch, signatures: &[_]| Succession { next: next.clone(), signatures: signatures.to_vec() };
    change(&one, &signatures).check(&old).unwrap();
    // The coordinator alone, or with its colluder, changes nothing; a signature is one, and of one successor.
    let few = change(&one, &signatures[..3]).check(&old).unwrap_err().to_string();
    assert!(few.contains("3 sites have signed this set, 4 are needed"), "{few}");
    let mut same = signatures[..3].to_vec();
    same.push(same[0]);
    assert!(change(&one, &same).check(&old).is_err());
    assert!(change(&two, &signatures).check(&old).unwrap_err().to_string().contains("signature"));
    // A fork: honest sites sign no second one, so it has at most the colluder and whoever has not signed yet.
    for site in 0..4 {
        let e = sign(&mut world, site, &two).unwrap_err().to_string();
        assert!(e.contains("another successor was signed here"), "{e}");
    }
    sign(&mut world, 4, &two).unwrap();
    // Nothing new under the old version: no upload, no signature on a set; what was begun is finished.
    let round = world.round(1, 0);
    let e = world.actor(SiteId(0)).site.may_upload(&round, &input(1)).unwrap_err();
    assert!(matches!(e, SumRefusal::Successor { .. }), "{e}");
    world.actor(SiteId(0)).restart();
    assert!(world.actor(SiteId(0)).site.may_upload(&round, &input(1)).is_err());
    let next = SumRound::new(&one, JobId(Digest([1; 32])), 0, (10, 10)).unwrap();
    world.actor(SiteId(0)).site.may_upload(&next, &input(1)).unwrap();
}

#[test]
fn what_was_signed_before_the_change_is_finished() {
    let mut world = World::new(4, 2, 0, 62);
    let round = world.round(1, 0);
    let all = ids(0..4);
    world.upload_all(&round, &all);
    let commitment = world.commit(&round, &all);
    let words = world.agreements(&round, &commitment, &all[..3]);
    let old = world.epoch.clone();
    let next = successor(&world, |_| {});
    for site in 0..4 {
        let mark = world.actors[site].site.judge_successor(&old, &next).unwrap();
        world.actors[site].store(mark);
    }
    // A set that is new to a site is not signed any more; the one that it signed still is.
    assert!(world.agree(&round, &commitment, SiteId(3)).is_err());
    world.agree(&round, &commitment, SiteId(0)).unwrap();
    let agreed = world.agreed(&round, &commitment, &words).unwrap();
    let openings = world.open_all(&round, &commitment, &agreed, &ids([0, 3]));
    world.read(&round, &commitment, &agreed, &openings).unwrap();
}

#[test]
fn rosters_that_weaken_or_reuse_are_refused() {
    let world = World::new(4, 2, 1, 63);
    let old = &world.epoch;
    let refused = |change: &dyn Fn(&mut EpochLiteral)| {
        let next = successor(&world, change);
        world.actors[0].site.judge_successor(old, &next).unwrap_err().to_string()
    };
    assert!(refused(&|l| l.minimum_cohort = 1).contains("weakens"));
    assert!(refused(&|l| (l.colluders, l.colluding_holders) = (0, 0)).contains("weakens"));
    assert!(refused(&|l| l.coins = 42).contains("weakens"));
    assert!(refused(&|l| l.version = 5).contains("not the next version"));
    assert!(refused(&|l| l.study = Digest([9; 32])).contains("not the next version"));
    let mut last = old.literal().clone();
    last.version = u64::MAX;
    let last = world.actors[0].site.judge_successor(&Epoch::new(last).unwrap(), &successor(&world, |_| {}));
    assert!(last.unwrap_err().to_string().contains("not the next version"));
    // What was somebody's, or was laid aside, in whoever's hands: the list of former keys does not forget.
    let old_keys = old.literal().members[3].entry.clone();
    let next = successor(&world, |_| {});
    let again = |change: &dyn Fn(&mut EpochLiteral)| {
        let mut literal = next.literal().clone();
        literal.version += 1;
        change(&mut literal);
        let gone = next.literal().members.iter().filter(|m| !literal.members.contains(m)).map(Former::of);
        literal.former.extend(gone);
        let second = Epoch::new(literal).unwrap();
        world.actors[0].site.judge_successor(&next, &second).map(|_| ()).map_err(|e| e.to_string())
    };
    let twice = "gives a number, a name or a key a second time";
    let fresh = |name: &str, k: u8| SiteEntry {
        name: name.to_owned(),
        identity: IdentityKey::from_bytes(&[k; 32]).public(),
        sealing: SealingKey::from_bytes(&[k; 32]).public(),
    };
    let joins = |site: u16, entry: SiteEntry| {
        move |l: &mut EpochLiteral| {
            l.members.push(Member { site: SiteId(site), entry: entry.clone() });
            l.holders.push(SiteId(site));
        }
    };
    again(&joins(4, fresh("new", 120))).unwrap();
    again(&|l| l.members[0].entry = fresh("site-0", 121)).unwrap();
    assert!(again(&|l| l.members[3].entry = old_keys.clone()).unwrap_err().contains(twice));
    assert!(
        again(&|l| l.members[3].entry.sealing = fresh("x", 7).sealing).unwrap_err().contains(twice),
        "half a pair"
    );
    assert!(again(&|l| l.members[3].entry = fresh("renamed", 8)).unwrap_err().contains(twice));
    let of_old = SiteEntry { identity: old_keys.identity, ..fresh("new", 122) };
    assert!(again(&joins(4, of_old)).unwrap_err().contains(twice));
    let of_old = SiteEntry { sealing: old_keys.sealing.clone(), ..fresh("new", 122) };
    assert!(again(&joins(4, of_old)).unwrap_err().contains(twice));
    let forgets = |l: &mut EpochLiteral| l.former.clear();
    assert!(again(&forgets).unwrap_err().contains("forgets keys"));
    let twice = |l: &mut EpochLiteral| l.members[1].entry.identity = l.members[0].entry.identity;
    let mut literal = old.literal().clone();
    twice(&mut literal);
    assert!(Epoch::new(literal).unwrap_err().to_string().contains("keys that nobody else has"));
    let mut literal = old.literal().clone();
    literal.holders.swap(0, 1);
    assert!(Epoch::new(literal).unwrap_err().to_string().contains("holders"));
    let mut literal = old.literal().clone();
    literal.threshold = 1;
    assert!(Epoch::new(literal).unwrap_err().to_string().contains("threshold is 1"));
}

/// `ρ` is everything: another key, holder order, number of colluders, job, round or plan is another round, and what was made for
/// one is refused in the other.
#[test]
fn a_round_is_of_one_roster() {
    let mut world = World::new(4, 2, 1, 64);
    let round = world.round(1, 0);
    world.upload_all(&round, &ids(0..4));
    let bytes = world.received[&round.name().0][&SiteId(0)].1.clone();
    let job = JobId(Digest([1; 32]));
    let changed = |change: &dyn Fn(&mut EpochLiteral)| {
        let mut literal = world.epoch.literal().clone();
        change(&mut literal);
        SumRound::new(&Epoch::new(literal).unwrap(), job, 0, (30, 1000)).unwrap()
    };
    let key = SealingKey::from_bytes(&[77; 32]).public();
    let others = [
        changed(&|l| l.members[3].entry.sealing = key.clone()),
        changed(&|l| l.holders.truncate(3)),
        changed(&|l| l.threshold = 3),
        changed(&|l| (l.colluders, l.colluding_holders) = (0, 0)),
        changed(&|l| l.study = Digest([4; 32])),
        changed(&|l| l.version = 1),
        world.round(1, 1),
        world.round(2, 0),
        world.sized_round(1, (30, 1001)),
    ];
    assert_eq!(changed(&|_| {}).name(), round.name());
    for other in &others {
        assert_ne!(other.name(), round.name());
        let read =
            blindscope_federation::sums::read_upload(other, SiteId(0), bytes.len() as u64, &mut &bytes[..]);
        assert!(read.is_err());
    }
    // The marks know what was signed, not what it was called.
    assert!(matches!(world.actors[0].marks[..], [SumMark::Naming { .. }, SumMark::Uploaded { .. }]));
}

/// Two sites get new keys, their disks as they were; a coordinator with a colluding site calls the same data another input and leaves out a
/// fourth, whose contribution the two sums together would show. Who signs knows its integers again, whatever its keys.
#[test]
fn new_keys_forget_nothing_of_what_was_summed() {
    let attack = |keep: bool| {
        let mut world = World::new(4, 2, 0, 65);
        let first = world.round(1, 0);
        world.upload_named(&first, &ids(0..4), input(1));
        world.whole(&first, &ids(0..4)).unwrap();
        // The colluding one says what it likes.
        world.actor(SiteId(0)).marks.clear();
        world.actor(SiteId(0)).restart();
        for (site, seed) in [(SiteId(1), 111), (SiteId(2), 112)] {
            if !keep {
                world.actor(site).marks.clear();
            }
            world.replace(site, seed);
        }
        let (second, less) = (world.round(2, 0), ids(0..3));
        world.upload_named(&second, &less, input(2));
        let without = world.commit(&second, &less);
        [1, 2].map(|site| world.agree(&second, &without, SiteId(site)).map(|_| ()))
    };
    for refused in attack(true) {
        let e = refused.unwrap_err();
        assert!(e.contains("summed over other sites before"), "{e}");
    }
    // A site without its state knows nothing, and counts among the colluding ones for what it summed before.
    assert_eq!(attack(false), [Ok(()), Ok(())]);
}

/// Names of releases that knew no naming secret hold for as long as their key does, beside those that are given now.
#[test]
fn integers_that_an_older_release_named_are_known_again() {
    let mut world = World::new(4, 2, 0, 66);
    let (first, all) = (world.round(1, 0), ids(0..4));
    world.upload_named(&first, &all, input(1));
    let values = world.values(SiteId(1), &first);
    // As such a release wrote it down: no secret, and a name under the sealing key.
    let actor = world.actor(SiteId(1));
    let secret = Hasher::new("blindscope/sums/site-secret/v1").absorb(&*actor.sealing.to_bytes()).finish();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut former = Hasher::new("blindscope/sums/values/v1");
    let former = former.absorb(&secret.0).absorb(&bytes).absorb_u64(values.len() as u64).finish();
    actor.marks.retain(|mark| !matches!(mark, SumMark::Naming { .. }));
    let Some(SumMark::Uploaded { values, .. }) = actor.marks.first_mut() else { panic!("no upload") };
    *values = former;
    actor.restart();
    world.whole(&first, &all).unwrap();
    for colluder in [0, 2] {
        world.actor(SiteId(colluder)).marks.clear();
        world.actor(SiteId(colluder)).restart();
    }
    let (second, less) = (world.round(2, 0), ids(0..3));
    world.upload_named(&second, &less, input(2));
    let without = world.commit(&second, &less);
    let e = world.agree(&second, &without, SiteId(1)).unwrap_err();
    assert!(e.contains("summed over other sites before"), "{e}");
}
