//! A small transformer learns the synthetic tiles, which colour cannot tell apart.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::metrics::argmax;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::train::{Classifier, FitPlan, TrainingTile, Tuning, fit};
use blindscope_vision::vit::{Config, Parameters, Vit};

#[test]
fn a_small_vit_learns_structure() {
    let plan = SyntheticPlan { side: 64, patients: 26, tiles: 2, sites: 3, seed: 21 };
    let (train, test): (Vec<TileIndex>, Vec<TileIndex>) = plan.tiles().partition(|t| t.patient < 20);
    let tiles: Vec<TrainingTile> =
        train.iter().map(|t| TrainingTile { image: plan.draw(*t), label: t.class }).collect();
    let config = Config { hidden: 96, ..Config::plain(64, 8, 48, 3, 3) };
    let mut model =
        Vit::new(config.clone(), Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1))).unwrap();
    let mut head =
        Classifier::Linear(LinearHead { weight: vec![0.0; 3 * 48], bias: vec![0.0; 3], width: 48 });
    let preprocess = Preprocess::half(64);
    let fit_plan = FitPlan { tuning: Tuning::Whole, epochs: 30, batch: 16, rate: 1e-3, ..FitPlan::default() };
    let epochs =
        fit(&mut model, &mut head, &tiles, &preprocess, &fit_plan, &mut |_| ControlFlow::Continue(()))
            .unwrap();
    let right = test
        .iter()
        .filter(|t| {
            let class = model.cls_tokens(&preprocess.pixels(&plan.draw(**t))).unwrap();
            argmax(&head.logits(&class).unwrap()) == t.class
        })
        .count();
    let accuracy = right as f64 / test.len() as f64;
    println!(
        "first {:?}, last {:?}, held-out patients {accuracy:.3} of {}",
        epochs[0],
        epochs[29],
        test.len()
    );
    assert!(accuracy > 0.8, "held-out accuracy {accuracy}");
}
