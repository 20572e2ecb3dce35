//! The fuzzer's target functions, bounded and seeded: valid messages of sums, altered, cut and padded.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "../../../fuzz/src/sums.rs"]
mod targets;

use rand_core::Rng;

const ROUNDS: usize = 4_000;

#[test]
fn no_altered_message_of_a_sum_breaks_a_decoder() {
    let toy = targets::Toy::new().unwrap();
    // Of findings and openings there is a right beginning only.
    let refused: Vec<_> = toy.seeds.iter().filter(|seed| !toy.run(seed)).map(|seed| seed[0]).collect();
    assert_eq!(refused, [6, 12]);
    let mut rng = blindscope_testkit::rng(20_262);
    let mut accepted = 0;
    for _ in 0..ROUNDS {
        let at = rng.next_u32() as usize % toy.seeds.len();
        let mut data = toy.seeds[at].clone();
        for _ in 0..=rng.next_u32() % 3 {
            let at = 1 + rng.next_u32() as usize % (data.len() - 1);
            match rng.next_u32() % 8 {
                0 => data.truncate(at),
                1 => data.push(rng.next_u32() as u8),
                _ => data[at] ^= 1 << (rng.next_u32() % 8),
            }
            if data.len() < 2 {
                break;
            }
        }
        accepted += usize::from(toy.run(&data));
    }
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 100 && accepted < ROUNDS / 2, "{accepted}");
}
