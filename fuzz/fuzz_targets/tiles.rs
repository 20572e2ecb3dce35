//! Tiles made of arbitrary bytes.
#![no_main]

#[path = "../src/tiles.rs"]
mod tiles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tiles::run(data);
});
