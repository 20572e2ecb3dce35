//! What a later round starts from is in its name.

use crate::world::{World, ids, total};
use blindscope_federation::{Blob, SiteId};

/// A coordinator has one site begin with another model than the rest: the difference of two such sums would be what that site makes of a
/// chosen model. Where the start is in no name, the uploads add up; ours are in two rounds.
#[test]
fn uploads_of_two_starts_are_in_no_set_together() {
    let (right, chosen) = (Blob::of(b"the model of the round before"), Blob::of(b"a chosen one"));
    // The broken way: the round's name says nothing of its start.
    let mut world = World::new(3, 2, 0, 61);
    let round = world.round(1, 1);
    let all = ids(0..3);
    let values: Vec<_> = all.iter().map(|s| world.values(*s, &round)).collect();
    world.upload_all(&round, &all);
    assert_eq!(world.whole(&round, &all).unwrap(), total(&values));
    // Ours.
    let mut world = World::new(3, 2, 0, 61);
    let (ours, other) = (world.round(1, 1).started_from(&right), world.round(1, 1).started_from(&chosen));
    assert!(ours.name() != other.name() && ours.name() != round.name());
    world.upload_all(&ours, &ids([0, 1]));
    let values = world.values(SiteId(2), &other);
    let (bytes, _) = world.actor(SiteId(2)).encrypt(&other, &values);
    let refused = world.receive(&ours, SiteId(2), &bytes).unwrap_err().to_string();
    assert!(refused.contains("it is of another round"), "{refused}");
    // Nor is its header signed as one of the set.
    world.receive(&other, SiteId(2), &bytes).unwrap();
    let mut set = world.commit(&ours, &ids([0, 1]));
    set.uploads.push(world.headers(&other)[0].clone());
    let refused = world.agree(&ours, &set, SiteId(0)).unwrap_err();
    assert!(refused.contains("it is of another round"), "{refused}");
}
