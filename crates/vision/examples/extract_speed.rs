//! Images a second and peak memory of CLS extraction with random weights.
//!
//! `cargo run --release -p blindscope-vision --example extract_speed -- base|tiny BATCH RUNS`
#![allow(clippy::print_stdout, reason = "an example speaks")]

use blindscope_vision::bench::{ExtractionBench, peak_memory};
use blindscope_vision::vit::Config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let tiny = arguments.next().as_deref() == Some("tiny");
    let batch: usize = arguments.next().as_deref().unwrap_or("8").parse()?;
    let runs: usize = arguments.next().as_deref().unwrap_or("5").parse()?;
    let bench = ExtractionBench::new(if tiny { Config::deit_tiny() } else { Config::vit_base() }, batch, 2)?;
    let figures = bench.run(runs)?;
    println!("{:.2} images/s median, {:.2} best", figures.images_per_second, figures.best_images_per_second);
    if let Some(bytes) = peak_memory() {
        println!("{} MiB at the peak", bytes >> 20);
    }
    Ok(())
}
