//! Slides made of arbitrary bytes.
#![no_main]

#[path = "../src/slides.rs"]
mod slides;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("blindscope-fuzz-{}", std::process::id()));
    slides::run(&path, data);
});
