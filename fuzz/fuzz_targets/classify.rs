//! Decoders of encrypted inference on arbitrary bytes, and what they accept in use.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/classify.rs"]
mod classify;

use std::sync::LazyLock;

static TOY: LazyLock<classify::Toy> = LazyLock::new(|| classify::Toy::new().expect("the toy plans are valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
