//! CKKS's decoders on arbitrary bytes, and what they accept in use.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/ckks.rs"]
mod ckks;

use std::sync::LazyLock;

static TOY: LazyLock<ckks::Toy> = LazyLock::new(|| ckks::Toy::new().expect("the toy parameters are valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
