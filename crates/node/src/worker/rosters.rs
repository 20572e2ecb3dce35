//! Pieces of a study whose roster has changed: done as a thread does them, to the same bytes; and with changes that are forged, missing or out
//! of order, left to the leader.

use super::meters::End;
use super::world::World;
use crate::kit::queue_name;
use crate::plain::{NoLearning, Sums};
use crate::work::{Ended, MOST, Made, Object, Parcel, Piece, fetched};
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

/// What the worker makes of a piece, each blob of which came and is the leader's own.
fn by_worker(world: &World, piece: &Object) -> Made {
    let made = world.done(piece).unwrap();
    let (bytes, name) = (fetched(&world.exchange, &made, MOST).unwrap(), queue_name(&world.founded));
    let outcome: Parcel<Ended> = Parcel::parse(&bytes, &name).unwrap();
    assert_eq!(outcome.what.piece, piece.blob);
    for blob in outcome.what.made.blobs() {
        let (_, bytes) = outcome.small.iter().find(|(named, _)| *named == blob).expect("it came along");
        assert!(*bytes == world.store.read(&blob, blob.len).unwrap(), "{blob}: other bytes");
    }
    // Done again it is the same.
    assert_eq!(world.done(piece).unwrap().blob, made.blob);
    outcome.what.made
}

/// The worker leaves this piece to the leader: it has made nothing. What it says.
fn refusal(world: &World, what: &str, piece: &Object) -> String {
    let before = world.objects();
    let Err(refused) = world.done(piece) else { panic!("{what}: it is done") };
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
    assert_eq!(by_worker(&world, &world.piece(&changes, &work)), Made::Combined(Box::new(output)));
}

/// The same in portions, by whoever of the new roster uploaded.
#[test]
fn portions_under_a_changed_roster_are_a_threads_too() {
    let world = World::new();
    let (changes, now) = world.changes();
    let work = world.work(&now);
    let of = |sites: &[u16], changes: &[SignedChange]| {
        let sites = sites.iter().copied().map(SiteId).collect();
        let what = Piece::GoOver { changes: changes.to_vec(), work: Box::new(work.clone()), sites };
        world.packed(what, &work.inputs())
    };
    let portions = [[0, 2], [3, 4]].map(|sites| {
        let portion = blindscope_federation::portion(&now, &work, &sites.map(SiteId), &world.store).unwrap();
        assert_eq!(by_worker(&world, &of(&sites, &changes)), Made::WentOver(portion.clone()));
        for (what, changes) in [("none", &[][..]), ("one", &changes[..1]), ("the other", &changes[1..])] {
            println!("{what}: {}", refusal(&world, what, &of(&sites, changes)));
        }
        portion
    });
    refusal(&world, "of a site that has left", &of(&[0, 1], &changes));
    let output = by_thread(&world, &now, &work);
    let reads = portions.each_ref().map(|portion| portion.made);
    let whole = |changes: &[SignedChange]| {
        let (changes, work) = (changes.to_vec(), Box::new(work.clone()));
        world.packed(Piece::Combine { changes, work, portions: portions.to_vec() }, &reads)
    };
    assert_eq!(by_worker(&world, &whole(&changes)), Made::Combined(Box::new(output)));
    refusal(&world, "portions of another roster", &whole(&[]));
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
        println!("{what}: {}", refusal(&world, what, &world.piece(changes, &work)));
    }
    // A piece of the roster before, with the changes that came later.
    let before = world.work(&world.founded);
    refusal(&world, "changes too many", &world.piece(&[joined, left], &before));
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
        let said = refusal(&world, what, &world.piece(&[joined.clone(), forged], &work));
        assert!(said.starts_with("roster: "), "{what}: {said}");
    }
    // The same with all that it takes is done.
    assert!(world.done(&world.piece(&[joined, left], &work)).is_ok());
}
