//! The fuzzer's target functions, bounded and seeded: valid objects, altered.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

#[path = "../../../fuzz/src/federation.rs"]
mod targets;

#[path = "../../../fuzz/src/sets.rs"]
mod sets;

use blindscope_testkit::{altered, rng};

const ROUNDS: usize = 50_000;

#[test]
fn no_altered_object_breaks_a_decoder() {
    let toy = targets::Toy::new().unwrap();
    assert!(toy.seeds.iter().all(|seed| toy.decode(seed)), "a valid object was refused");
    let mut rng = rng(20_266);
    let accepted = (0..ROUNDS).filter(|_| toy.run(&altered(&toy.seeds, 80, &mut rng))).count();
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 200, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(accepted < ROUNDS / 2, "{accepted} accepted: hardly anything is refused");
}

/// What a site that does not hold is shown of a large set.
#[test]
fn no_altered_inclusion_is_taken_for_another() {
    let toy = sets::Toy::new().unwrap();
    assert!(
        toy.seeds.len() > 4 && toy.seeds.iter().all(|seed| toy.decode(seed)),
        "a valid object was refused"
    );
    let mut rng = rng(20_276);
    let accepted = (0..ROUNDS).filter(|_| toy.run(&altered(&toy.seeds, 80, &mut rng))).count();
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 200, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(accepted < ROUNDS / 2, "{accepted} accepted: hardly anything is refused");
}
