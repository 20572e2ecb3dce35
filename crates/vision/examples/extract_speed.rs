//! Images a second of CLS extraction with random weights, for comparison with another engine in the same minute.
//!
//! `cargo run --release -p blindscope-vision --example extract_speed -- base|tiny BATCH REPEATS`

use std::time::Instant;

use blindscope_vision::vit::{Config, Parameters, Vit};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let tiny = arguments.next().as_deref() == Some("tiny");
    let batch: usize = arguments.next().as_deref().unwrap_or("8").parse()?;
    let repeats: usize = arguments.next().as_deref().unwrap_or("5").parse()?;
    let config = if tiny { Config::deit_tiny() } else { Config::vit_base() };
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let model = Vit::new(config.clone(), Parameters::random(&config, &mut rng))?;
    let pixels = vec![0.5f32; batch * config.pixels()];
    let mut seconds = Vec::new();
    for _ in 0..=repeats {
        let start = Instant::now();
        model.class_tokens(&pixels)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut seconds = seconds.split_off(1);
    seconds.sort_by(f64::total_cmp);
    let (median, best) = (seconds[seconds.len() / 2], seconds[0]);
    println!("{:.2} images/s median, {:.2} best", batch as f64 / median, batch as f64 / best);
    Ok(())
}
