//! A batch comes out token by token: of a gradient, and not of ciphertexts.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::missing_docs_in_private_items, reason = "a test")]

use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_audit::spans::{Observed, SearchPlan, SpanImage, TokenPlan, recover_tokens};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

const IMAGES: usize = 3;

struct Case {
    start: (Vit, LinearHead),
    preprocess: Preprocess,
    originals: Vec<Picture>,
    pixels: Vec<f32>,
    labels: Vec<usize>,
}

/// Three images of sixteen patches: 51 tokens, of which 128 features may tell twice as many apart.
fn case(seed: u64) -> Case {
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
    Case { start: (model, head), preprocess, originals, pixels, labels: (0..IMAGES).map(|i| i % 3).collect() }
}

impl Case {
    /// PSNR of each original, with the image that it was found as, where one was.
    fn compare<'f>(&self, found: &'f [SpanImage]) -> Vec<(f64, Option<&'f SpanImage>)> {
        let grey = vec![0.0; self.pixels.len() / IMAGES];
        let pictures: Vec<Picture> = (0..IMAGES)
            .map(|i| Picture::from_normalised(found.get(i).map_or(&grey, |f| &f.pixels), &self.preprocess))
            .collect();
        let order = best_order(&self.originals, &pictures);
        let pairs = self.originals.iter().zip(order);
        pairs.map(|(o, at)| (Similarity::of(o, &pictures[at]).unwrap().psnr, found.get(at))).collect()
    }

    /// PSNR of the batch's own mean.
    fn control(&self) -> f64 {
        let mean = Picture::mean(&self.originals).unwrap();
        let each = self.originals.iter().map(|o| Similarity::of(o, &mean).unwrap().psnr);
        each.fold(f64::NEG_INFINITY, f64::max)
    }

    fn gradient(&self) -> Parameters {
        let head = Classifier::Linear(self.start.1.clone());
        batch_gradient(&self.start.0, &head, &self.pixels, &self.labels).unwrap().backbone
    }

    fn attack(&self, gradient: &Parameters, plan: &TokenPlan, whole: &SearchPlan) -> Vec<SpanImage> {
        let observed = Observed { gradient, model: &self.start.0, head: &self.start.1, images: IMAGES };
        recover_tokens(&observed, plan, whole, &mut |_| true).unwrap().images
    }
}

#[test]
fn a_batch_comes_out_token_by_token() {
    let case = case(3);
    let found = case.attack(&case.gradient(), &TokenPlan::default(), &SearchPlan::default());
    for ((psnr, found), label) in case.compare(&found).into_iter().zip(&case.labels) {
        let found = found.unwrap();
        println!("{psnr:.1} dB, misfit {:.1e}, label {:?}", found.misfit, found.label);
        assert!(psnr > 60.0 && found.found());
        assert!(found.label.is_none_or(|l| l == *label));
    }
}

#[test]
fn a_batch_in_ciphertexts_is_worth_random_numbers() {
    let case = case(5);
    let mut sealer = Sealer::new([7; 32]).unwrap();
    let mut rng = ChaCha12Rng::seed_from_u64(8);
    let plan = TokenPlan { rounds: 1, steps: 40, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: 1, steps: 20, ..SearchPlan::default() };
    let mut reached = Vec::new();
    for sealed in [true, false] {
        let mut seen = case.gradient();
        let block = seen.blocks.remove(0);
        let mut blind = |values: &mut Vec<f32>| {
            let bytes = if sealed {
                sealer.seal(values).unwrap()
            } else {
                let mut bytes = vec![0; 2 * values.len()];
                rng.fill_bytes(&mut bytes);
                bytes
            };
            *values = read_as_values(&bytes, values);
        };
        let mut block = block;
        for values in [&mut block.proj.weight, &mut block.fc1.weight, &mut block.fc2.weight] {
            blind(values);
        }
        blind(&mut seen.positions);
        blind(&mut seen.patch.weight);
        seen.blocks.insert(0, block);
        let found = case.attack(&seen, &plan, &whole);
        let psnr: Vec<f64> = case.compare(&found).into_iter().map(|(psnr, _)| psnr).collect();
        println!("sealed {sealed}: {psnr:.1?} dB, the batch's mean {:.1}", case.control());
        reached.push(psnr.iter().sum::<f64>() / IMAGES as f64);
    }
    assert!((reached[0] - reached[1]).abs() < 3.0, "{reached:?}");
    assert!(reached.iter().all(|r| *r < case.control()), "{reached:?}");
}
