//! The fuzzer's target function, bounded and seeded: valid tiles, altered.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test says what it saw and stops"
)]

#[path = "../../../fuzz/src/tiles.rs"]
mod target;

use safetensors::SafeTensors;

use blindscope_testkit::{altered, rng};

const ROUNDS: usize = 4_000;

/// JPEG of every kind that libjpeg-turbo writes, and TIFF and PNG as others do.
#[test]
fn no_altered_tile_breaks_a_decoder() {
    let vectors = SafeTensors::deserialize(include_bytes!("vectors/pixels/pixels.safetensors")).unwrap();
    let names = vectors.names().into_iter().filter(|name| name.starts_with("jpeg/"));
    let mut seeds: Vec<Vec<u8>> = names.map(|name| vectors.tensor(name).unwrap().data().to_vec()).collect();
    seeds.sort();
    assert!(seeds.len() > 40 && seeds.iter().all(|seed| target::run(seed)), "a valid tile was refused");
    let mut rng = rng(20_266);
    let accepted = (0..ROUNDS).filter(|_| target::run(&altered(&seeds, 700, &mut rng))).count();
    println!("{ROUNDS} inputs, {accepted} accepted");
    assert!(accepted > ROUNDS / 50, "{accepted} accepted: the alterations do not reach past the checks");
    assert!(accepted < ROUNDS / 2, "{accepted} accepted: hardly anything is refused");
}
