//! A model cut into shards with an index is the model; features are pooled from the tokens that are named.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use safetensors::SafeTensors;

use blindscope_vision::vit::card::Pooling;
use blindscope_vision::vit::{self, Config, Parameters, Vit};

fn model(config: &Config) -> Vit {
    let parameters = Parameters::random(config, &mut ChaCha12Rng::seed_from_u64(8));
    Vit::new(config.clone(), parameters).unwrap()
}

#[test]
fn shards_with_an_index_are_one_model() {
    let folder = common::folder("shards");
    let whole = folder.join("whole.safetensors");
    let model = model(&Config::plain(32, 16, 192, 3, 3));
    vit::save(&model, &whole).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = BTreeMap::new();
    for shard in 0..3 {
        let file = format!("model-0000{}-of-00003.safetensors", shard + 1);
        let part: Vec<_> =
            tensors.tensors().into_iter().enumerate().filter(|(i, _)| i % 3 == shard).collect();
        map.extend(part.iter().map(|(_, (name, _))| (name.clone(), file.clone())));
        let part = part.into_iter().map(|(_, tensor)| tensor);
        std::fs::write(folder.join(file), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    std::fs::remove_file(&whole).unwrap();
    let index = folder.join("model.safetensors.index.json");
    std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    let back = vit::load(&folder).unwrap();
    assert_eq!((back.config().heads, back.parameters()), (3, model.parameters()));

    map.insert("norm.weight".into(), "../elsewhere.safetensors".into());
    std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    let message = vit::load(&folder).unwrap_err().to_string();
    assert!(message.contains("`../elsewhere.safetensors` is no file beside it"), "{message}");
    map.insert("norm.weight".into(), "model-00001-of-00003.safetensors".into());
    map.insert("extra".into(), "model-00001-of-00003.safetensors".into());
    std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    let message = vit::load(&folder).unwrap_err().to_string();
    assert!(message.contains("does not hold `"), "{message}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pooling_is_the_mean_of_patch_tokens_and_part_of_the_digest() {
    let config = Config { registers: 2, prefix_positions: 3, ..Config::plain(32, 8, 24, 2, 2) };
    let pixels: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let plain = model(&config);
    let (d, t) = (24, config.tokens());
    let tokens = plain.tokens(&pixels).unwrap();
    let mean = |image: usize, j: usize| {
        let token = |k: usize| f64::from(tokens[(image * t + k) * d + j]);
        (3..t).map(token).sum::<f64>() / 16.0
    };
    let pooled = |pooling| {
        let model = Vit::new(Config { pooling, ..config.clone() }, plain.parameters().clone()).unwrap();
        (model.features(&pixels).unwrap(), model.digest())
    };
    let (cls, digest) = pooled(Pooling::Cls);
    assert_eq!((&cls, digest), (&plain.cls_tokens(&pixels).unwrap(), plain.digest()));
    let (means, other) = pooled(Pooling::Mean);
    assert!((f64::from(means[d + 5]) - mean(1, 5)).abs() < 1e-5 && other != digest);
    let (both, third) = pooled(Pooling::ClsMean);
    assert_eq!((both.len(), third != digest && third != other), (4 * d, true));
    // The class row alone may be summed in another order than among all.
    assert!((both[2 * d] - cls[d]).abs() < 1e-5 && (f64::from(both[3 * d + 7]) - mean(1, 7)).abs() < 1e-5);
}
