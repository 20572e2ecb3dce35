//! The closed forms give back what went in.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::missing_docs_in_private_items, reason = "a test")]

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_audit::closed::{from_attention, from_positions};
use blindscope_audit::{Picture, label, metrics::Similarity};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

struct Case {
    model: Vit,
    head: Classifier,
    preprocess: Preprocess,
    original: Picture,
    pixels: Vec<f32>,
}

fn case(config: Config, seed: u64) -> Case {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let parameters = Parameters::random(&config, &mut rng);
    let model = Vit::new(config, parameters).unwrap();
    let width = model.config().width;
    let weight = (0..3 * width).map(|_| rng.random_range(-0.05..0.05)).collect();
    let head = Classifier::Linear(LinearHead { weight, bias: vec![0.0; 3], width });
    let side = model.config().image;
    let plan = SyntheticPlan { side, patients: 1, tiles: 1, sites: 1, seed };
    let tile = plan.draw(TileIndex { class: 1, site: 0, patient: 0, tile: 0 });
    let preprocess = Preprocess::imagenet(side);
    let pixels = preprocess.pixels(&tile);
    Case { model, head, original: Picture::from_rgb(&tile), preprocess, pixels }
}

fn small() -> Config {
    Config::plain(48, 8, 96, 3, 3)
}

#[test]
fn positions_give_the_image_away() {
    let c = case(small(), 11);
    let gradient = batch_gradient(&c.model, &c.head, &c.pixels, &[1]).unwrap();
    let found = from_positions(c.model.config(), &gradient.backbone).unwrap();
    let picture = Picture::from_normalised(&found.pixels, &c.preprocess);
    let similarity = Similarity::of(&c.original, &picture).unwrap();
    println!("{similarity:?}, rank {} of {}, condition {:.1}", found.rank, found.patches, found.condition);
    assert_eq!(found.rank, 36);
    assert!(similarity.psnr > 95.0 && similarity.ssim > 0.9999 && similarity.nmi > 0.99);
    assert_eq!(label::single(&gradient.head_bias), Some(1));
}

#[test]
fn attention_gives_it_away_where_positions_are_fixed() {
    let mut c = case(small(), 12);
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let norm = &mut c.model.parameters_mut().blocks[0].norm1;
    norm.beta.iter_mut().for_each(|b| *b = rng.random_range(-0.2..0.2));
    norm.gamma.iter_mut().for_each(|g| *g = rng.random_range(0.7..1.3));
    let mut gradient = batch_gradient(&c.model, &c.head, &c.pixels, &[2]).unwrap().backbone;
    gradient.positions.clear();
    assert!(from_positions(c.model.config(), &gradient).is_err());
    let found = from_attention(&c.model, &gradient).unwrap();
    let picture = Picture::from_normalised(&found.pixels, &c.preprocess);
    let similarity = Similarity::of(&c.original, &picture).unwrap();
    println!("{similarity:?}, rank {} of {}, condition {:.1}", found.rank, found.patches, found.condition);
    assert!(similarity.psnr > 50.0);
}

#[test]
fn too_few_equations_are_said_and_filled_by_smoothness() {
    let c = case(Config::plain(48, 8, 32, 3, 2), 13);
    let gradient = batch_gradient(&c.model, &c.head, &c.pixels, &[0]).unwrap();
    let found = from_positions(c.model.config(), &gradient.backbone).unwrap();
    let picture = Picture::from_normalised(&found.pixels, &c.preprocess);
    let similarity = Similarity::of(&c.original, &picture).unwrap();
    println!("{similarity:?}, rank {} of {}, condition {:.1}", found.rank, found.patches, found.condition);
    assert!(found.rank <= 32 && found.patches == 36);
}

#[test]
fn digits_are_lost_in_the_gradients_sums_not_in_the_solve() {
    let c = case(Config::plain(112, 8, 256, 3, 4), 14);
    let mut gradient = batch_gradient(&c.model, &c.head, &c.pixels, &[1]).unwrap().backbone;
    let solve = |gradient: &Parameters| {
        let found = from_positions(c.model.config(), gradient).unwrap();
        let picture = Picture::from_normalised(&found.pixels, &c.preprocess);
        Similarity::of(&c.original, &picture).unwrap().psnr
    };
    let summed_in_f32 = solve(&gradient);
    // The same products, summed in f64 and rounded once.
    let (n, d, p) = (c.model.config().patches(), c.model.config().width, 8);
    let grid = &gradient.positions[d..];
    let pixel = |k: usize, j: usize| {
        let (channel, y, x) = (j / (p * p), j / p % p, j % p);
        f64::from(c.pixels[(channel * 112 + k / 14 * p + y) * 112 + k % 14 * p + x])
    };
    let sum = |j: usize, i: usize| (0..n).map(|k| pixel(k, j) * f64::from(grid[k * d + i])).sum::<f64>();
    gradient.patch.weight =
        (0..3 * p * p).flat_map(|j| (0..d).map(move |i| (j, i))).map(|(j, i)| sum(j, i) as f32).collect();
    let rounded_once = solve(&gradient);
    println!("summed in f32 {summed_in_f32:.1} dB, rounded once {rounded_once:.1} dB");
    assert!(rounded_once > summed_in_f32 + 6.0, "{rounded_once} against {summed_in_f32}");
}
