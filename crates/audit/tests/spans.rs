//! A batch comes out of its gradient image by image.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::{Observed, SearchPlan, recover};
use blindscope_vision::data::Preprocess;
use blindscope_vision::head::LinearHead;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

#[test]
fn a_batch_of_three_comes_out_with_its_labels() {
    let images = 3;
    let config = Config::plain(32, 8, 96, 3, 3);
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let parameters = Parameters::random(&config, &mut rng);
    let model = Vit::new(config.clone(), parameters).unwrap();
    let weight = (0..3 * config.width).map(|_| rng.random_range(-0.1..0.1)).collect();
    let head = LinearHead { weight, bias: vec![0.0; 3], width: config.width };
    let plan = SyntheticPlan { side: 32, patients: images, tiles: 1, sites: 1, seed: 3 };
    let preprocess = Preprocess::imagenet(32);
    let tile = |i| plan.draw(TileIndex { class: i % 3, site: 0, patient: i, tile: 0 });
    let originals: Vec<Picture> = (0..images).map(|i| Picture::from_rgb(&tile(i))).collect();
    let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&preprocess)).collect();
    let labels: Vec<usize> = (0..images).map(|i| i % 3).collect();
    let gradient = batch_gradient(&model, &Classifier::Linear(head.clone()), &pixels, &labels).unwrap();
    let observed = Observed { gradient: &gradient.backbone, model: &model, head: &head, images };
    let mut evaluations = 0;
    let found = recover(&observed, &SearchPlan::default(), &mut |_| {
        evaluations += 1;
        true
    })
    .unwrap();
    let pictures: Vec<Picture> =
        found.iter().map(|f| Picture::from_normalised(&f.pixels, &preprocess)).collect();
    let order = best_order(&originals, &pictures);
    for (i, at) in order.into_iter().enumerate() {
        let s = Similarity::of(&originals[i], &pictures[at]).unwrap();
        println!("{:.1} dB, misfit {:.1e}, label {:?}", s.psnr, found[at].misfit, found[at].label);
        assert!(s.psnr > 60.0, "{s:?}");
        assert!(found[at].label.is_none_or(|l| l == labels[i]));
    }
    println!("{evaluations} evaluations");
    assert_eq!(found.iter().filter(|f| f.label.is_none()).count(), 1);
    let wide = Observed { images: 6, ..observed };
    assert!(recover(&wide, &SearchPlan::default(), &mut |_| true).is_err());
}
