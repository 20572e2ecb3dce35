//! Decoders of sums on arbitrary bytes.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/sums.rs"]
mod sums;

use std::sync::LazyLock;

static TOY: LazyLock<sums::Toy> = LazyLock::new(|| sums::Toy::new().expect("the toy round is valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
