//! The fuzzer's target functions, bounded and seeded: valid objects, altered.
#![cfg(feature = "scale")]
#![allow(clippy::print_stdout, reason = "a test says what it saw and stops")]

#[path = "../../../fuzz/src/work.rs"]
mod targets;

use blindscope_testkit::{altered, rng};

const ROUNDS: usize = 50_000;

#[test]
fn no_altered_message_or_parcel_breaks_a_leader_or_a_worker() {
    let toy = targets::Toy::new();
    for (which, seed) in toy.seeds.iter().enumerate() {
        assert!(targets::Toy::decode(seed), "valid object {which} was refused");
    }
    let mut rng = rng(20_274);
    let accepted = (0..ROUNDS).filter(|_| toy.run(&altered(&toy.seeds, 120, &mut rng))).count();
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 200, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(accepted < ROUNDS / 2, "{accepted} accepted: hardly anything is refused");
}
