//! A small batch on a small transformer, and how an attack's images compare with it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_docs_in_private_items,
    reason = "shared by the test files"
)]

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::SpanImage;
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::vit::{Config, Parameters, Vit};

pub const IMAGES: usize = 3;

pub struct Batch {
    pub model: Vit,
    pub head: LinearHead,
    pub preprocess: Preprocess,
    pub originals: Vec<Picture>,
    pub pixels: Vec<f32>,
    pub labels: Vec<usize>,
}

/// Three images of sixteen patches: 51 tokens of 128 features.
pub fn batch(seed: u64) -> Batch {
    let config = Config::plain(32, 8, 128, 3, 4);
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let parameters = Parameters::random(&config, &mut rng);
    let model = Vit::new(config.clone(), parameters).unwrap();
    let weight = (0..3 * config.width).map(|_| rng.random_range(-0.1..0.1)).collect();
    let head = LinearHead { weight, bias: vec![0.0; 3], width: config.width };
    let plan = SyntheticPlan { side: 32, patients: IMAGES, tiles: 1, sites: 1, seed };
    let preprocess = Preprocess::imagenet(32);
    let tile = |i| plan.draw(TileIndex { class: i % 3, site: 0, patient: i, tile: 0 });
    let originals: Vec<Picture> = (0..IMAGES).map(|i| Picture::from_rgb(&tile(i))).collect();
    let pixels = originals.iter().flat_map(|p| p.normalised(&preprocess)).collect();
    Batch { model, head, preprocess, originals, pixels, labels: (0..IMAGES).map(|i| i % 3).collect() }
}

impl Batch {
    /// PSNR of each original with the image that it was found as, where one was; else with grey.
    pub fn compare<'f>(&self, found: &'f [SpanImage]) -> Vec<(f64, Option<&'f SpanImage>)> {
        let grey = vec![0.0; self.pixels.len() / IMAGES];
        let pictures: Vec<Picture> = (0..IMAGES)
            .map(|i| Picture::from_normalised(found.get(i).map_or(&grey, |f| &f.pixels), &self.preprocess))
            .collect();
        let order = best_order(&self.originals, &pictures);
        let pairs = self.originals.iter().zip(order);
        pairs.map(|(o, at)| (Similarity::of(o, &pictures[at]).unwrap().psnr, found.get(at))).collect()
    }
}
