//! Seconds a training step of ViT-B/16 takes with random weights: `training_speed [last|lora|whole] [BATCH]`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an example speaks")]

use std::ops::ControlFlow;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use blindscope_vision::bench::peak_memory;
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::train::{Classifier, FitPlan, TrainingTile, Tuning, fit};
use blindscope_vision::vit::{Config, Parameters, Vit};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let tuning = match arguments.next().as_deref() {
        Some("whole") => Tuning::Whole,
        Some("lora") => Tuning::Lora { rank: 8, scale: 2.0 },
        _ => Tuning::LastBlocks(1),
    };
    let batch: usize = arguments.next().as_deref().unwrap_or("8").parse()?;
    let config = Config::vit_base();
    let mut model =
        Vit::new(config.clone(), Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1)))?;
    let mut head =
        Classifier::Linear(LinearHead { weight: vec![0.0; 3 * 768], bias: vec![0.0; 3], width: 768 });
    let plan = SyntheticPlan { side: 224, patients: 1, tiles: batch.div_ceil(3), sites: 1, seed: 1 };
    let tiles: Vec<TrainingTile> =
        plan.tiles().take(batch).map(|t| TrainingTile { image: plan.draw(t), label: t.class }).collect();
    let fit_plan = FitPlan { tuning, epochs: 4, batch, ..FitPlan::default() };
    let mut start = Instant::now();
    let mut seconds = Vec::new();
    fit(&mut model, &mut head, &tiles, &Preprocess::half(224), &fit_plan, &mut |_| {
        seconds.push(start.elapsed().as_secs_f64());
        start = Instant::now();
        ControlFlow::Continue(())
    })?;
    println!("{tuning:?}, batch {batch}: steps of {seconds:.2?} s");
    if let Some(bytes) = peak_memory() {
        println!("{} MiB at the peak", bytes >> 20);
    }
    Ok(())
}
