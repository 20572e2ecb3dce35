//! A feature does not depend on the images that it was computed with: the same tile has the same bits alone, in a batch and on any number
//! of threads.
#![allow(clippy::unwrap_used, reason = "a test")]

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use blindscope_vision::vit::card::Pooling;
use blindscope_vision::vit::{Config, Parameters, Vit};

#[test]
fn a_feature_has_the_same_bits_in_any_company() {
    let plain =
        [Config::plain(64, 8, 48, 3, 3), Config::plain(64, 16, 192, 2, 3), Config::plain(32, 8, 384, 1, 6)];
    let pooled = plain.iter().map(|config| Config { pooling: Pooling::ClsMean, ..config.clone() });
    for config in plain.iter().cloned().chain(pooled) {
        let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1));
        let (each, width) = (config.pixels(), config.feature_width());
        let model = Vit::new(config, parameters).unwrap();
        let pixels: Vec<f32> = (0..9 * each).map(|i| ((i * 37 % 1009) as f32 / 500.0) - 1.0).collect();
        let features = |threads: usize, images: std::ops::Range<usize>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| model.features(&pixels[images.start * each..images.end * each]).unwrap())
        };
        let alone: Vec<f32> = (0..9).flat_map(|i| features(1, i..i + 1)).collect();
        for (threads, batch) in [(1, 2), (1, 3), (1, 4), (1, 5), (1, 8), (1, 9), (2, 3), (2, 8), (3, 7)] {
            let together = features(threads, 0..batch);
            assert!(together == alone[..batch * width], "{batch} images on {threads} threads, width {width}");
        }
    }
}
