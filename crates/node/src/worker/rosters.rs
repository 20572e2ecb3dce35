//! Pieces of a study whose roster has changed: done as a thread does them, to the same bytes; and with changes that are forged, missing or out
//! of order, left to the leader.

use super::meters::End;
use super::world::World;
use crate::kit::queue_name;
use crate::plain::{NoLearning, Sums};
use crate::work::{Ended, MOST, Made, Parcel, fetched};
use blindscope_federation::{Input, Output, SignedChange, SiteId, Study, Work};
use blindscope_wire::Digest;

/// What a thread of the leader makes of it.
fn by_thread(world: &World, study: &Study, work: &Work) -> Output {
    let learning = Sums { learning: NoLearning };
    match blindscope_federation::combine(study, work, &learning, &world.store).unwrap() {
        Input::Combined { output, .. } => output,
        other => panic!("a thread says {other:?}"),
    }
}

/// The worker leaves this to the leader, which does it by itself: it has made nothing. What it says.
fn refusal(world: &World, what: &str, changes: &[SignedChange], work: &Work) -> String {
    let piece = world.piece(changes, work);
    let before = world.objects();
    let refused = match world.doing.done(&piece) {
        Ok(_) => panic!("{what}: it is done"),
        Err(refused) => refused,
    };
    assert_eq!(End::of(&refused), End::Left, "{what}: {refused}");
    assert_eq!(world.objects(), before, "{what}: something was made");
    refused.to_string()
}

#[test]
fn under_a_changed_roster_a_worker_makes_what_a_thread_makes() {
    let world = World::new();
    let (changes, now) = world.changes();
    assert_eq!(now.version(), 2);
    let work = world.work(&now);
    let output = by_thread(&world, &now, &work);
    assert_eq!(output.each.len(), 4, "for each who holds");
    let piece = world.piece(&changes, &work);
    let made = world.doing.done(&piece).unwrap();
    let name = queue_name(&world.founded);
    let outcome: Parcel<Ended> =
        Parcel::parse(&fetched(&world.exchange, &made, MOST).unwrap(), &name).unwrap();
    let expected = Ended { piece: piece.blob, made: Made::Combined(Box::new(output)) };
    assert_eq!(outcome.what, expected);
    // Names are digests; that the bytes came, and are those of a thread, is seen on them.
    for blob in expected.made.blobs() {
        let (_, bytes) = outcome.small.iter().find(|(named, _)| *named == blob).expect("it came along");
        assert!(*bytes == world.store.read(&blob, blob.len).unwrap(), "{blob}: other bytes");
    }
    // Done again it is the same.
    let again = world.doing.done(&piece).unwrap();
    assert_eq!(again.blob, made.blob);
}

#[test]
fn changes_that_are_missing_or_out_of_order_are_left_to_the_leader() {
    let world = World::new();
    let ([joined, left], now) = world.changes();
    let work = world.work(&now);
    let cases = [
        ("none", vec![]),
        ("the first alone", vec![joined.clone()]),
        ("the second alone", vec![left.clone()]),
        ("the other way round", vec![left.clone(), joined.clone()]),
        ("the first twice", vec![joined.clone(), joined.clone(), left.clone()]),
        ("the second twice", vec![joined.clone(), left.clone(), left.clone()]),
    ];
    for (what, changes) in &cases {
        println!("{what}: {}", refusal(&world, what, changes, &work));
    }
    // A piece of the roster before, with the changes that came later.
    let before = world.work(&world.founded);
    refusal(&world, "changes too many", &[joined, left], &before);
}

#[test]
fn changes_that_are_forged_are_left_to_the_leader() {
    let world = World::new();
    let ([joined, left], now) = world.changes();
    let work = world.work(&now);
    let five = world.founded.succeeded(&joined).unwrap();
    let few = SignedChange { signatures: left.signatures[..2].to_vec(), ..left.clone() };
    let mut altered = left.clone();
    altered.signatures[1].1.0[5] ^= 1;
    let mut twice = few.clone();
    twice.signatures.push(few.signatures[0]);
    twice.signatures.push(few.signatures[1]);
    // Who leaves signs in the name of one who stays.
    let mut borrowed = left.clone();
    borrowed.signatures[0].1 = world.signature(&five, &left.change, 1).1;
    // What was signed is that site 1 leaves.
    let mut other = left.clone();
    other.change.leaves = vec![SiteId(3)];
    let mut foreign = left.clone();
    foreign.change.study = Digest([7; 32]);
    let cases = [
        ("too few", few),
        ("an altered signature", altered),
        ("signatures twice", twice),
        ("a borrowed name", borrowed),
        ("another leaves", other),
        ("of another study", foreign),
    ];
    for (what, forged) in cases {
        let said = refusal(&world, what, &[joined.clone(), forged], &work);
        assert!(said.starts_with("roster: "), "{what}: {said}");
    }
    // The same with all that it takes is done.
    assert!(world.doing.done(&world.piece(&[joined, left], &work)).is_ok());
}
