//! What a site that does not hold is shown of a large set, on arbitrary bytes.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/sets.rs"]
mod sets;

use std::sync::LazyLock;

static TOY: LazyLock<sets::Toy> = LazyLock::new(|| sets::Toy::new().expect("the toy set is valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
