//! The fuzzer's target functions, bounded and seeded: valid objects, altered, and what was allocated meanwhile.

#[path = "../../../fuzz/src/ckks.rs"]
mod targets;

use peak_alloc::PeakAlloc;
use rand_core::Rng;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 300_000;

/// One test, since the allocator counts for the whole process.
#[test]
fn no_altered_object_breaks_a_decoder_or_makes_it_allocate_more_than_the_object() {
    let toy = targets::Toy::new().unwrap();
    assert!(toy.seeds.iter().all(|seed| toy.decode(seed)), "a valid object was refused");
    let mut rng = blindscope_testkit::rng(20_260);
    let (mut most, mut accepted) = (0, 0);
    for _ in 0..ROUNDS {
        let data = altered(&toy.seeds, &mut rng);
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        accepted += usize::from(toy.run(&data));
        most = most.max(HEAP.peak_usage().saturating_sub(before));
    }
    println!(
        "{ROUNDS} inputs, {accepted} accepted, at most {most} bytes allocated, {} allowed",
        toy.allocation_bound()
    );
    assert!(accepted > ROUNDS / 20, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(most <= toy.allocation_bound(), "{most} bytes allocated, {} allowed", toy.allocation_bound());
}

/// A valid object with one to four alterations, some of which keep or repair the header.
fn altered(seeds: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut data = seeds[below(rng, seeds.len())].clone();
    if rng.next_u32() & 1 == 1 {
        // Payload only; the target puts a right header before it.
        data.drain(2..34);
        data[1] = 1;
    }
    for _ in 0..=below(rng, 4) {
        // Shape, scale and seed stand first: half of the alterations go there.
        let reach = if rng.next_u32() & 1 == 1 { data.len().min(80) } else { data.len() };
        let at = below(rng, reach.max(1));
        match below(rng, 6) {
            0 => data.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (rng.next_u32() % 8)),
            1 => data.iter_mut().skip(at).take(1).for_each(|b| *b = rng.next_u32() as u8),
            2 => data.iter_mut().skip(at).take(8).for_each(|b| *b = 0xff),
            3 => data.truncate(at),
            4 => data.extend((0..at).map(|_| rng.next_u32() as u8)),
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
