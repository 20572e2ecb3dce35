//! Decoders of sums under one-round keys on arbitrary bytes, and what they accept in use.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/aggregate.rs"]
mod aggregate;

use std::sync::LazyLock;

static TOY: LazyLock<aggregate::Toy> = LazyLock::new(|| aggregate::Toy::new().expect("the toy plan is valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
