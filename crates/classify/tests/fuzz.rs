//! The fuzzer's target functions, bounded and seeded: valid objects, altered.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../../../fuzz/src/classify.rs"]
mod targets;

use rand_core::Rng;

const ROUNDS: usize = 3_000;

#[test]
fn no_altered_object_breaks_a_decoder() {
    let toy = targets::Toy::new().unwrap();
    for (i, seed) in toy.seeds.iter().enumerate() {
        assert!(toy.decode(seed), "valid object {i} was refused");
    }
    let mut rng = blindscope_testkit::rng(20_261);
    let mut accepted = 0;
    for _ in 0..ROUNDS {
        let data = altered(&toy.seeds, &mut rng);
        accepted += usize::from(toy.run(&data));
    }
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 50, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(accepted < ROUNDS / 2, "{accepted} accepted: hardly anything is refused");
}

/// A valid object with one to three alterations, some of which keep or repair the header.
fn altered(seeds: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut data = seeds[below(rng, seeds.len())].clone();
    if data[0] < 4 && rng.next_u32() & 1 == 1 {
        // Payload only; the target puts a right header before it.
        data.drain(2..34);
        data[1] = 1;
    }
    for _ in 0..=below(rng, 3) {
        // Headers and shapes stand first: half of the alterations go there.
        let reach = if rng.next_u32() & 1 == 1 { data.len().min(400) } else { data.len() };
        let at = below(rng, reach.max(1));
        match below(rng, 6) {
            0 => data.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (rng.next_u32() % 8)),
            1 => data.iter_mut().skip(at).take(1).for_each(|b| *b = rng.next_u32() as u8),
            // In text: another digit.
            2 => data.iter_mut().skip(at).take(1).for_each(|b| *b = b'0' + (rng.next_u32() % 10) as u8),
            3 => data.truncate(at),
            4 => data.extend((0..below(rng, 64)).map(|_| rng.next_u32() as u8)),
            _ => {
                let other = &seeds[below(rng, seeds.len())];
                let from = below(rng, other.len());
                data.truncate(at);
                data.extend(&other[from..]);
            }
        }
    }
    data
}

fn below(rng: &mut impl Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}
