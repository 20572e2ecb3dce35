//! Experiment.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use std::time::Instant;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::{Observed, SearchPlan, TokenPlan, TokenStep, recover_tokens};
use blindscope_vision::data::{Limits, Preprocess, decode, read_image};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = match args[1].as_str() {
        "paper" => Config::paper(),
        "small" => Config::plain(64, 16, 192, 4, 3),
        "mid" => Config::plain(96, 16, 384, 4, 6),
        _ => Config::plain(32, 8, 128, 3, 4),
    };
    let get = |name: &str, default: f64| std::env::var(name).ok().map_or(default, |v| v.parse().unwrap());
    let images = get("IMAGES", 4.0) as usize;
    let mut rng = ChaCha12Rng::seed_from_u64(get("SEED", 1.0) as u64);
    let parameters = Parameters::random(&config, &mut rng);
    let model = Vit::new(config.clone(), parameters).unwrap();
    let weight = (0..3 * config.width).map(|_| rng.random_range(-0.05..0.05)).collect();
    let head = LinearHead { weight, bias: vec![0.0; 3], width: config.width };
    let preprocess = Preprocess::imagenet(config.image);
    let mut files = Vec::new();
    for class in ["lung_aca", "lung_n", "lung_scc"] {
        let mut own: Vec<_> = std::fs::read_dir(format!("/work/shared/data/lung-histology/{class}")).unwrap().map(|f| f.unwrap().path()).collect();
        own.sort();
        files.push(own);
    }
    let skip = get("SKIP", 0.0) as usize;
    let labels: Vec<usize> = (0..images).map(|i| i % 3).collect();
    let originals: Vec<Picture> = (0..images).map(|i| {
        let path = &files[i % 3][skip + 37 * i];
        let rgb = decode(&read_image(path, Limits::default()).unwrap(), Limits::default()).unwrap();
        Picture::from_rgb(&preprocess.to_rgb(&preprocess.pixels(&rgb)))
    }).collect();
    let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&preprocess)).collect();
    let t = Instant::now();
    let gradient = batch_gradient(&model, &Classifier::Linear(head.clone()), &pixels, &labels).unwrap();
    println!("gradient {:.1} s", t.elapsed().as_secs_f64());
    let taken_at = [(model.clone(), head)];
    let observed = Observed { gradient: &gradient.backbone, model: &model, taken_at: &taken_at, images };
    let plan = TokenPlan {
        rounds: get("ROUNDS", 3.0) as usize, steps: get("STEPS", 300.0) as usize,
        spread: get("SPREAD", 0.5), ..TokenPlan::default()
    };
    let whole = SearchPlan { rounds: get("WROUNDS", 1.0) as usize, steps: get("WSTEPS", 50.0) as usize, ..SearchPlan::default() };
    let t = Instant::now();
    let mut last = 0.0;
    let found = recover_tokens(&observed, &plan, &whole, &mut |s: &TokenStep| {
        let now = t.elapsed().as_secs_f64();
        if now - last > get("EVERY", 10.0) { println!("{now:.0} s {s:?}"); last = now; }
        true
    }).unwrap();
    println!("{} tokens, {:.1} s", found.tokens, t.elapsed().as_secs_f64());
    let pictures: Vec<Picture> = found.images.iter().map(|f| Picture::from_normalised(&f.pixels, &preprocess)).collect();
    let order = best_order(&originals, &pictures);
    for (i, at) in order.into_iter().enumerate() {
        let s = Similarity::of(&originals[i], &pictures[at]).unwrap();
        println!("{:.1} dB, ssim {:.4} misfit {:.1e}", s.psnr, s.ssim, found.images[at].misfit);
    }
    println!("{:.1} s", t.elapsed().as_secs_f64());
}
