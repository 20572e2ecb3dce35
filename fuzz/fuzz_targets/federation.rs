//! Decoders of what the parties of a study exchange on arbitrary bytes, and what they accept in use.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/federation.rs"]
mod federation;

use std::sync::LazyLock;

static TOY: LazyLock<federation::Toy> = LazyLock::new(|| federation::Toy::new().expect("the toy round is valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
