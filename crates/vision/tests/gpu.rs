//! The forward pass on a graphics processor against the processor's. Mesa's software Vulkan (lavapipe) is enough.
#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod common;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_vision::Error;
use blindscope_vision::data::{Limits, Preprocess, decode, read_image};
use blindscope_vision::vit::{self, Config, GpuVit, Mlp, Parameters, Vit};

/// The model there, or nothing (said aloud) when the machine has no adapter.
fn bring(model: &Vit, batch: usize) -> Option<GpuVit> {
    match GpuVit::new(model, batch, true) {
        Ok(there) => {
            println!("on {}", there.name());
            Some(there)
        }
        Err(Error::Gpu { reason }) if reason.starts_with("none is there") => {
            println!("skipped: {reason}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// The largest difference over images, each relative to its token's largest value.
fn worst(got: &[f32], expected: &[f32], width: usize) -> f32 {
    let images = got.chunks_exact(width).zip(expected.chunks_exact(width));
    images.fold(0.0, |worst, (got, expected)| {
        let peak = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        got.iter().zip(expected).fold(worst, |m, (a, b)| m.max((a - b).abs() / peak))
    })
}

/// Random weights and pixels: worst difference of a shape.
fn difference(config: Config, images: usize, batch: usize) -> Option<f32> {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut parameters = Parameters::random(&config, &mut rng);
    // Registers, biases, scales and shifts that matter.
    for tensor in parameters.tensors_mut() {
        for value in tensor.iter_mut() {
            *value += rng.random_range(-0.05..0.05);
        }
    }
    let model = Vit::new(config, parameters).unwrap();
    let pixels: Vec<f32> =
        (0..images * model.config().pixels()).map(|_| rng.random_range(-2.0..2.0)).collect();
    let there = bring(&model, batch)?;
    let got = there.cls_tokens(&model, &pixels).unwrap();
    assert_eq!(got, there.cls_tokens(&model, &pixels).unwrap(), "the same input gives the same bytes");
    assert!(matches!(there.cls_tokens(&model, &pixels[1..]), Err(Error::Shape { .. })));
    Some(worst(&got, &model.cls_tokens(&pixels).unwrap(), model.config().width))
}

#[test]
fn every_form_of_transformer_agrees_with_the_processor() {
    let plain = Config::plain(40, 8, 48, 3, 3);
    for (name, config) in [
        ("plain", plain.clone()),
        ("no class position, no biases", Config { class_position: false, qkv_bias: false, ..plain.clone() }),
        ("registers, layer scale", Config { registers: 4, layer_scale: true, ..plain.clone() }),
        ("SwiGLU", Config { mlp: Mlp::SwiGlu, hidden: 80, layer_scale: true, ..plain.clone() }),
        ("odd widths", Config { hidden: 101, ..Config::plain(21, 7, 75, 2, 5) }),
    ] {
        // Three images in batches of two: the last batch is not full.
        let Some(worst) = difference(config, 3, 2) else { return };
        println!("{name}: {worst:.1e}");
        assert!(worst <= 1e-4, "{name}: {worst}");
    }
}

#[test]
fn the_papers_transformer_agrees_with_the_processor() {
    let Some(worst) = difference(Config::paper(), 1, 1) else { return };
    println!("the paper's shape: {worst:.1e}");
    assert!(worst <= 1e-4, "{worst}");
}

#[test]
fn deit_tiny_agrees_on_real_tiles() {
    let (Some(folder), Some(data)) = (common::deit(), common::data()) else { return };
    let model = vit::load(&folder.join("deit_tiny_patch16_224.safetensors")).unwrap();
    let Some(there) = bring(&model, 2) else { return };
    let bytes = std::fs::read(folder.join("reference_outputs.safetensors")).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let notes = metadata.metadata().clone().unwrap();
    let names = notes["images"].split(['"', '[', ']', ',', '\n', ' ']).filter(|n| n.contains('.')).take(3);
    let tile = |name: &str| {
        let jpeg = read_image(&data.join("lung-histology").join(name), Limits::default()).unwrap();
        Preprocess::imagenet(224).pixels(&decode(&jpeg, Limits::default()).unwrap())
    };
    let pixels: Vec<f32> = names.flat_map(tile).collect();
    let got = there.cls_tokens(&model, &pixels).unwrap();
    let worst = worst(&got, &model.cls_tokens(&pixels).unwrap(), 192);
    println!("DeiT-Tiny on 3 real tiles: {worst:.1e}");
    assert!(worst <= 1e-4, "{worst}");
}

#[test]
fn what_the_kernels_cannot_take_is_refused() {
    let wide = Config::plain(16, 8, 600, 1, 2);
    let model = Vit::new(wide.clone(), Parameters::zeros(&wide)).unwrap();
    match GpuVit::new(&model, 1, true) {
        Err(e) if e.to_string().contains("none is there") => println!("skipped: {e}"),
        other => assert!(
            other.unwrap_err().to_string().contains("heads of 300 are wider than its kernels take, 256")
        ),
    }
}
