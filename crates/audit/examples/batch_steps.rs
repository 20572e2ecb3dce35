//! Experiment.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use std::time::Instant;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::{SearchPlan, TokenPlan, Update, recover_update};
use blindscope_vision::data::{Limits, Preprocess, decode, read_image};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = match args[1].as_str() {
        "small" => Config::plain(64, 16, 192, 4, 3),
        _ => Config::plain(32, 8, 128, 3, 4),
    };
    let get = |name: &str, default: f64| std::env::var(name).ok().map_or(default, |v| v.parse().unwrap());
    let images = get("IMAGES", 4.0) as usize;
    let mut rng = ChaCha12Rng::seed_from_u64(get("SEED", 1.0) as u64);
    let parameters = Parameters::random(&config, &mut rng);
    let model = Vit::new(config.clone(), parameters).unwrap();
    let weight = (0..3 * config.width).map(|_| rng.random_range(-0.07..0.07)).collect();
    let head = LinearHead { weight, bias: vec![0.0; 3], width: config.width };
    let preprocess = Preprocess::imagenet(config.image);
    let skip = get("SKIP", 0.0) as usize;
    let labels: Vec<usize> = (0..images).map(|i| i % 3).collect();
    let originals: Vec<Picture> = (0..images).map(|i| {
        let class = ["lung_aca", "lung_n", "lung_scc"][i % 3];
        let mut own: Vec<_> = std::fs::read_dir(format!("/work/shared/data/lung-histology/{class}")).unwrap().map(|f| f.unwrap().path()).collect();
        own.sort();
        let rgb = decode(&read_image(&own[skip + 37 * i], Limits::default()).unwrap(), Limits::default()).unwrap();
        Picture::from_rgb(&preprocess.to_rgb(&preprocess.pixels(&rgb)))
    }).collect();
    let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&preprocess)).collect();
    let (steps, rate) = (5, get("RATE", 0.01) as f32);
    let start = (model.clone(), head.clone());
    let (mut m, mut h) = start.clone();
    for _ in 0..steps {
        let g = batch_gradient(&m, &Classifier::Linear(h.clone()), &pixels, &labels).unwrap();
        println!("loss {}", g.loss);
        for (w, g) in m.parameters_mut().tensors_mut().into_iter().zip(g.backbone.tensors()) { w.iter_mut().zip(g).for_each(|(w, g)| *w -= rate * g); }
        h.weight.iter_mut().zip(&g.head_weight).for_each(|(w, g)| *w -= rate * g);
        h.bias.iter_mut().zip(&g.head_bias).for_each(|(w, g)| *w -= rate * g);
    }
    let mut mean = model.parameters().clone();
    for (b, a) in mean.tensors_mut().into_iter().zip(m.parameters().tensors()) { b.iter_mut().zip(a).for_each(|(b, a)| *b = (*b - a) / (rate * steps as f32)); }
    let on_the_way: Vec<(Vit, LinearHead)> = (0..steps).map(|t| {
        let s = t as f32 / steps as f32;
        let (mut m2, mut h2) = start.clone();
        for (w, a) in m2.parameters_mut().tensors_mut().into_iter().zip(m.parameters().tensors()) { w.iter_mut().zip(a).for_each(|(w, a)| *w += s * (a - *w)); }
        h2.weight.iter_mut().zip(&h.weight).for_each(|(w, a)| *w += s * (a - *w));
        h2.bias.iter_mut().zip(&h.bias).for_each(|(w, a)| *w += s * (a - *w));
        (Vit::new(config.clone(), m2.parameters().clone()).unwrap(), h2)
    }).collect();
    let update = Update { mean: &mean, start: &start, on_the_way: &on_the_way, images, rate };
    let plan = TokenPlan { rounds: get("ROUNDS", 4.0) as usize, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: get("WROUNDS", 3.0) as usize, steps: get("WSTEPS", 150.0) as usize, ..SearchPlan::default() };
    let t = Instant::now();
    for turns in 1..=get("TURNS", 3.0) as usize {
    let found = recover_update(&update, (&plan, &whole), turns, &mut |_, _| true).unwrap();
    println!("turns {turns}: {} tokens, {:.1} s", found.tokens, t.elapsed().as_secs_f64());
    let pictures: Vec<Picture> = found.images.iter().map(|f| Picture::from_normalised(&f.pixels, &preprocess)).collect();
    let order = best_order(&originals, &pictures);
    for (i, at) in order.into_iter().enumerate() {
        let s = Similarity::of(&originals[i], &pictures[at]).unwrap();
        println!("{:.1} dB, ssim {:.4} misfit {:.1e} label {:?} of {}", s.psnr, s.ssim, found.images[at].misfit, found.images[at].label, labels[i]);
    }
    }
}
