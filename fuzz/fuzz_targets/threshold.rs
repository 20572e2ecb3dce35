//! Decoders of collective keys on arbitrary bytes, and what they accept in use.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/threshold.rs"]
mod threshold;

use std::sync::LazyLock;

static TOY: LazyLock<threshold::Toy> = LazyLock::new(|| threshold::Toy::new().expect("the toy parameters are valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
