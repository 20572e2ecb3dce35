//! One set a round: what opens two, and what keeps it from happening.

use crate::world::{World, ids};
use blindscope_federation::SiteId;
use blindscope_federation::sums::{Agreement, Void};

fn minus(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// A holder opens the whole roster unasked, another the roster without a site under a quorum: with a colluder's parts both open, and
/// the difference is that site. By the rules nothing opens without a quorum, and two sets never have one.
#[test]
fn the_whole_roster_is_no_exception() {
    let mut world = World::new(4, 2, 1, 11);
    let round = world.round(1, 0);
    let (all, without, colluder) = (ids(0..4), ids(1..4), SiteId(3));
    let values = world.values(SiteId(0), &round);
    world.upload_all(&round, &all);
    // The broken rule: "the whole roster needs no agreement".
    let whole = [world.open_lawless(&round, &all, SiteId(0)), world.open_lawless(&round, &all, colluder)];
    let less =
        [world.open_lawless(&round, &without, SiteId(1)), world.open_lawless(&round, &without, colluder)];
    let a = world.read_lawless(&round, &all, &whole).unwrap();
    let b = world.read_lawless(&round, &without, &less).unwrap();
    assert_eq!(minus(&a, &b), values, "what agreement keeps from happening");
    // Ours.
    let (whole, less) = (world.commit(&round, &all), world.commit(&round, &without));
    let e = world.agreed(&round, &whole, &[]).unwrap_err();
    assert!(e.contains("0 sites have signed this set, 3 are needed"), "{e}");
    let words = world.agreements(&round, &less, &ids([1, 2]));
    let forged = Agreement::sign(&round, colluder, less.digest(&round), [0; 32], &world.actors[3].identity);
    let agreed = world.agreed(&round, &less, &[words[0], words[1], forged]).unwrap();
    world.open(&round, &less, &agreed, SiteId(1)).unwrap();
    let forged = Agreement::sign(&round, colluder, whole.digest(&round), [0; 32], &world.actors[3].identity);
    let mut words = world.agreements(&round, &whole, &ids([0, 1, 2]));
    assert_eq!(words.len(), 1, "sites 1 and 2 have signed the other set");
    words.push(forged);
    let e = world.agreed(&round, &whole, &words).unwrap_err();
    assert!(e.contains("2 sites have signed this set, 3 are needed"), "{e}");
    // A holder that signed one set opens no other even for a quorum that it is shown.
    let lawless = ids([0, 2, 3]).into_iter().map(|s| {
        Agreement::sign(&round, s, whole.digest(&round), [0; 32], &world.actors[usize::from(s.0)].identity)
    });
    let shown = world.agreed(&round, &whole, &lawless.collect::<Vec<_>>()).unwrap();
    assert!(
        world.open(&round, &whole, &shown, SiteId(1)).unwrap_err().contains("another set or sum is stored")
    );
}

/// Two disjoint sets never both have a quorum: the coordinator shows each half its own.
#[test]
fn disjoint_sets_are_not_both_agreed() {
    let mut world = World::new(6, 2, 1, 12);
    let round = world.round(1, 0);
    let (first, second) = (ids([0, 1, 2]), ids([3, 4, 5]));
    world.upload_all(&round, &ids(0..6));
    // Six sites, one colluder: four signatures.
    let (a, b) = (world.commit(&round, &first), world.commit(&round, &second));
    let mut words = world.agreements(&round, &a, &ids(0..3));
    words.push(Agreement::sign(&round, SiteId(5), a.digest(&round), [0; 32], &world.actors[5].identity));
    assert!(world.agreed(&round, &a, &words).is_ok());
    let mut words = world.agreements(&round, &b, &ids(0..5));
    assert_eq!(words.len(), 2);
    words.push(Agreement::sign(&round, SiteId(5), b.digest(&round), [0; 32], &world.actors[5].identity));
    assert!(
        world.agreed(&round, &b, &words).unwrap_err().contains("3 sites have signed this set, 4 are needed")
    );
}

/// With z double signers two sets never both have a quorum; with one more they can: the bound is tight.
#[test]
fn quorums_at_z_and_one_more() {
    for (n, t, z) in [(4usize, 3u32, 1u32), (5, 3, 1), (7, 4, 2), (8, 4, 3)] {
        for more in [0, 1] {
            let bad = z as usize + more;
            let mut world = World::new(n, t, z, 13);
            let round = world.round(1, 0);
            let all = ids(0..n as u16);
            world.upload_all(&round, &all);
            let sets = [world.commit(&round, &all), world.commit(&round, &all[1..])];
            // The coordinator shows half of the honest sites one set each.
            let honest: Vec<_> = all[bad..].to_vec();
            let half = honest.len() / 2;
            let mut reached = 0;
            for (set, who) in sets.iter().zip([&honest[..half], &honest[half..]]) {
                let mut words = world.agreements(&round, set, who);
                for s in &all[..bad] {
                    let signer = &world.actors[usize::from(s.0)].identity;
                    words.push(Agreement::sign(&round, *s, set.digest(&round), [0; 32], signer));
                }
                reached += usize::from(world.agreed(&round, set, &words).is_ok());
            }
            assert!(more == 1 || reached < 2, "n = {n}, z = {z}");
            // n + z even: one more double signer gives both sets a quorum.
            if more == 1 && (n - bad).is_multiple_of(2) && half + bad >= round.quorum() as usize {
                assert_eq!(reached, 2, "n = {n}, z = {z}: tight");
            }
        }
    }
}

/// The same of a committee, whose holders sign alone: with `f` double signers two sets never both have a quorum, with `f + 1` they do.
/// However many other sites sign, they do not count.
#[test]
fn a_committee_s_quorum_at_f_and_one_more() {
    for (m, t, f) in [(4u16, 3u32, 1u32), (5, 3, 2), (6, 3, 1), (7, 4, 2)] {
        for bad in [f, f + 1] {
            let n = m + 3;
            let mut world = World::with_holders(usize::from(n), t, (f + 1, f), &ids(0..m), 16);
            let round = world.round(1, 0);
            let all = ids(0..n);
            world.upload_all(&round, &all);
            assert_eq!(round.quorum(), u32::from(m).midpoint(f) + 1);
            let sets = [world.commit(&round, &all), world.commit(&round, &all[1..])];
            let honest = &all[bad as usize..usize::from(m)];
            let half = honest.len().div_ceil(2);
            let mut reached = 0;
            for (set, who) in sets.iter().zip([&honest[..half], &honest[half..]]) {
                let mut words = world.agreements(&round, set, who);
                assert_eq!(words.len(), who.len());
                let outsiders = all[usize::from(m)..].iter();
                for s in all[..bad as usize].iter().chain(outsiders) {
                    let signer = &world.actors[usize::from(s.0)].identity;
                    words.push(Agreement::sign(&round, *s, set.digest(&round), [0; 32], signer));
                }
                reached += usize::from(world.agreed(&round, set, &words).is_ok());
            }
            assert_eq!(reached == 2, bad == f + 1, "m = {m}, f = {f}: {bad} double signers");
        }
    }
}

/// `m − t + f` declarations leave enough holders to open; one more does not.
#[test]
fn void_against_opening() {
    let mut world = World::new(5, 3, 1, 14);
    let round = world.round(1, 0);
    let all = ids(0..5);
    world.upload_all(&round, &all);
    assert_eq!(round.plan().literal().void_quorum(), 4);
    // Holders 2 and 3 are honest and declare; 4 colludes, declares and opens all the same.
    let mut voids: Vec<Void> = [2, 3].map(|h| world.void(&round, SiteId(h)).unwrap()).to_vec();
    voids.push(Void::sign(&round, SiteId(4), &world.actors[4].identity));
    let e = Void::quorum(&round, &voids).unwrap_err().to_string();
    assert!(e.contains("3 holders have signed, 4 are needed"), "{e}");
    // Were three enough, the round would be "void" and open nevertheless.
    let commitment = world.commit(&round, &all);
    let mut words = world.agreements(&round, &commitment, &ids([0, 1]));
    assert!(world.agree(&round, &commitment, SiteId(2)).unwrap_err().contains("declared the round void"));
    for s in [2, 3, 4] {
        let signer = &world.actors[s].identity;
        words.push(Agreement::sign(&round, SiteId(s as u16), commitment.digest(&round), [0; 32], signer));
    }
    let agreed = world.agreed(&round, &commitment, &words).unwrap();
    let mut openings = world.open_all(&round, &commitment, &agreed, &ids([0, 1]));
    openings.push(world.open_lawless(&round, &all, SiteId(4)));
    assert!(world.read(&round, &commitment, &agreed, &openings).is_ok(), "three declarations void nothing");
    // A holder that declared keeps its parts closed, one that opened does not declare.
    let e = world.open(&round, &commitment, &agreed, SiteId(3)).unwrap_err();
    assert!(e.contains("declared the round void"), "{e}");
    assert!(world.void(&round, SiteId(0)).unwrap_err().to_string().contains("has opened the round"));
    // Four declarations: three of honest holders, so at most one honest holder and the colluder are left: two of three.
    let mut world = World::new(5, 3, 1, 15);
    let round = world.round(1, 0);
    world.upload_all(&round, &all);
    let mut voids: Vec<Void> = [1, 2, 3].map(|h| world.void(&round, SiteId(h)).unwrap()).to_vec();
    // One holder four times is one.
    assert!(Void::quorum(&round, &[voids[0], voids[0], voids[0], voids[0]]).is_err());
    voids.push(Void::sign(&round, SiteId(4), &world.actors[4].identity));
    Void::quorum(&round, &voids).unwrap();
    let openings = [world.open_lawless(&round, &all, SiteId(0)), world.open_lawless(&round, &all, SiteId(4))];
    assert!(world.read_lawless(&round, &all, &openings).unwrap_err().contains("2 of 3 openings"));
}
