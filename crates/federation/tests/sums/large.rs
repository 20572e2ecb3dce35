//! Sums too large to be added up by everybody: one evaluation a site, fixed before anything is opened.

use crate::world::{World, ids, total};
use blindscope_federation::SiteId;
use blindscope_federation::sums::{Agreed, Agreement, Commitment, SumRound, Vouch, vouch_for};

fn round_of(world: &World) -> SumRound {
    let round = world.sized_round(1, (190_000, 65_535));
    assert!(!round.is_small());
    round
}

fn value(world: &World, round: &SumRound, commitment: &Commitment, site: SiteId) -> [u8; 32] {
    vouch_for(round, commitment, site, &mut &world.received[&round.name().0][&site].1[..]).unwrap()
}

#[test]
fn the_sum_is_that_of_the_bodies_or_nothing_is_released() {
    let mut world = World::new(3, 2, 0, 51);
    let round = round_of(&world);
    let all = ids(0..3);
    let values: Vec<_> = all.iter().map(|s| world.values(*s, &round)).collect();
    world.upload_all(&round, &all);
    let right = world.commit(&round, &all);
    // Site 2 is gone: it signs nothing, and site 0 evaluates its body.
    let mut words = Vec::new();
    for &site in &all[..2] {
        let y = value(&world, &round, &right, site);
        words.push(world.agree_with(&round, &right, site, y).unwrap());
    }
    let none = Agreed::new(&round, &right, &words, &[]).unwrap_err().to_string();
    assert!(none.contains("no one evaluation of the body of site 2"), "{none}");
    let y = value(&world, &round, &right, SiteId(2));
    let word = |world: &World, y| {
        Vouch::sign(&round, (SiteId(0), SiteId(2)), right.digest(&round), y, &world.actors[0].identity)
    };
    let vouch = word(&world, y);
    let agreed = Agreed::new(&round, &right, &words, &[vouch]).unwrap();
    let openings = world.open_all(&round, &right, &agreed, &ids([0, 1]));
    assert_eq!(world.read(&round, &right, &agreed, &openings).unwrap().0, total(&values));

    // Two words that differ are none; a lying one is found by whoever has the sum.
    let mut lie = y;
    lie[0] ^= 1;
    assert!(Agreed::new(&round, &right, &words, &[vouch, word(&world, lie)]).is_err());
    let lied = Agreed::new(&round, &right, &words, &[word(&world, lie)]).unwrap();
    // A colluder that would choose its evaluation after the openings changes the list that they name.
    let e = world.read(&round, &right, &lied, &openings).unwrap_err();
    assert!(e.contains("0 of 2 openings"), "{e}");
    assert!(
        world.open(&round, &right, &lied, SiteId(0)).unwrap_err().contains("another set or sum is stored")
    );
    let late = [
        world.open_lawless_of(&round, &right, &lied, SiteId(0)),
        world.open_lawless_of(&round, &right, &lied, SiteId(1)),
    ];
    let e = world.read(&round, &right, &lied, &late).unwrap_err();
    assert!(e.contains("it is another sum; nothing is released"), "{e}");
    // Bytes of another body are not evaluated in a site's name.
    let other = &world.received[&round.name().0][&SiteId(1)].1;
    let e = vouch_for(&round, &right, SiteId(2), &mut &other[..]).unwrap_err().to_string();
    assert!(e.contains("the body is not what its header names"), "{e}");
}

/// The coordinator has other bodies added up than it names: the evaluations are at a point that follows from the sum's digest too, so
/// no false sum fits them; without the digest one could be made to.
#[test]
fn a_false_sum_does_not_fit() {
    let mut world = World::new(3, 2, 0, 52);
    let round = round_of(&world);
    let all = ids(0..3);
    world.upload_all(&round, &all);
    let right = world.commit(&round, &all);
    let false_sum = world.commit(&round, &ids([0, 1])).sum;
    let wrong = Commitment { sum: false_sum, ..right.clone() };
    assert_ne!(wrong.challenge(&round), right.challenge(&round), "the point follows from the sum");
    let mut words: Vec<Agreement> = Vec::new();
    for &site in &all {
        let y = value(&world, &round, &wrong, site);
        words.push(world.agree_with(&round, &wrong, site, y).unwrap());
    }
    let agreed = Agreed::new(&round, &wrong, &words, &[]).unwrap();
    let openings = world.open_all(&round, &wrong, &agreed, &ids([0, 2]));
    let e = world.read(&round, &wrong, &agreed, &openings).unwrap_err();
    assert!(e.contains("it is another sum; nothing is released"), "{e}");
}
