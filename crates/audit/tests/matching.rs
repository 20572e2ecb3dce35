//! The matching objective against difference quotients, and a search that ends near the images.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::ops::ControlFlow;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::matching::{Objective, Plan, Subspace, reconstruct};
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

struct Case {
    model: Vit,
    head: LinearHead,
    preprocess: Preprocess,
    originals: Vec<Picture>,
    labels: Vec<usize>,
}

impl Case {
    fn new(config: Config, images: usize, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let parameters = Parameters::random(&config, &mut rng);
        let model = Vit::new(config, parameters).unwrap();
        let width = model.config().width;
        let weight = (0..3 * width).map(|_| rng.random_range(-0.1..0.1)).collect();
        let head = LinearHead { weight, bias: vec![0.0; 3], width };
        let side = model.config().image;
        let plan = SyntheticPlan { side, patients: images, tiles: 1, sites: 1, seed };
        let tile = |i| plan.draw(TileIndex { class: i % 3, site: 0, patient: i, tile: 0 });
        let originals = (0..images).map(|i| Picture::from_rgb(&tile(i))).collect();
        let labels = (0..images).map(|i| i % 3).collect();
        Self { model, head, preprocess: Preprocess::imagenet(side), originals, labels }
    }

    fn pixels(&self) -> Vec<f32> {
        self.originals.iter().flat_map(|p| p.normalised(&self.preprocess)).collect()
    }

    fn objective(&self) -> (Objective<'_>, Parameters) {
        let head = Classifier::Linear(self.head.clone());
        let g = batch_gradient(&self.model, &head, &self.pixels(), &self.labels).unwrap();
        let observed = g.backbone.clone();
        let labels = self.labels.clone();
        let objective =
            Objective::new(&self.model, &self.head, labels, g.backbone, g.head_weight, g.head_bias);
        (objective.unwrap(), observed)
    }
}

#[test]
fn the_second_order_gradient_is_the_objectives_slope() {
    let case = Case::new(Config::plain(16, 4, 24, 2, 3), 2, 3);
    let (objective, _) = case.objective();
    let mut rng = ChaCha12Rng::seed_from_u64(4);
    let x: Vec<f32> = case.pixels().iter().map(|v| v + rng.random_range(-0.5..0.5)).collect();
    let at = objective.evaluate(&x).unwrap();
    let length = at.pixels.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    // Along the gradient itself and along random directions, which it must not fit by chance.
    for trial in 0..6 {
        let direction: Vec<f64> = at
            .pixels
            .iter()
            .map(|g| f64::from(*g) / length + if trial > 0 { rng.random_range(-0.05..0.05) } else { 0.0 })
            .collect();
        let slope: f64 = at.pixels.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
        let moved = |h: f64| -> Vec<f32> {
            x.iter().zip(&direction).map(|(x, d)| (f64::from(*x) + h * d) as f32).collect()
        };
        let h = 1e-2;
        let ahead = objective.distance(&moved(h)).unwrap();
        let behind = objective.distance(&moved(-h)).unwrap();
        let quotient = (ahead - behind) / (2.0 * h);
        println!("slope {slope:.6}, quotient {quotient:.6}");
        assert!((slope - quotient).abs() < 0.005 * length, "{slope} against {quotient}");
    }
}

#[test]
fn the_subspace_holds_every_image_of_the_batch() {
    let case = Case::new(Config::plain(32, 8, 96, 2, 3), 3, 5);
    let (_, observed) = case.objective();
    let space = Subspace::new(case.model.config(), &observed, 3).unwrap();
    let original = case.pixels();
    let mut projected = original.clone();
    space.project(&mut projected);
    let worst = original.iter().zip(&projected).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    println!("worst move {worst}, open {}", space.open());
    assert_eq!(space.open(), 32);
    assert!(worst < 0.02, "{worst}");
    assert!(Subspace::new(case.model.config(), &observed, 6).is_err());
}

#[test]
fn a_batch_is_recovered_better_than_the_mean_image() {
    let case = Case::new(Config::plain(32, 8, 96, 2, 3), 2, 6);
    let (objective, observed) = case.objective();
    let space = Subspace::new(case.model.config(), &observed, 2).unwrap();

    let plan = Plan { steps: 800, restarts: 1, ..Plan::default() };
    let found = reconstruct(&objective, &case.preprocess, Some(&space), None, &plan, &mut |step| {
        if step.step % 25 == 0 {
            println!("{} {:.5}", step.step, step.distance);
        }
        ControlFlow::Continue(())
    });
    let found = found.unwrap();
    let each = case.model.config().pixels();
    let pictures: Vec<Picture> =
        found.pixels.chunks_exact(each).map(|p| Picture::from_normalised(p, &case.preprocess)).collect();
    let order = best_order(&case.originals, &pictures);
    let mean = Picture::mean(&case.originals).unwrap();
    let mut total = (0.0, 0.0);
    for (original, at) in case.originals.iter().zip(order) {
        total.0 += Similarity::of(original, &pictures[at]).unwrap().psnr / 2.0;
        total.1 += Similarity::of(original, &mean).unwrap().psnr / 2.0;
    }
    println!("distance {:.6}, {total:?}", found.distance);
    assert!(total.0 > total.1 + 5.0, "{total:?}");
}
