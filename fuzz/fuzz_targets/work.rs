//! Messages and parcels of leaders and workers, on arbitrary bytes.
#![no_main]

#[allow(dead_code, reason = "the bounded run asks for more")]
#[path = "../src/work.rs"]
mod work;

use std::sync::LazyLock;

static TOY: LazyLock<work::Toy> = LazyLock::new(|| work::Toy::new());

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    TOY.run(data);
});
