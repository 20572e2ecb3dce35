//! The forward pass against reference outputs of ONNX Runtime on real tiles.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "a test"
)]

mod common;

use blindscope_vision::data::{Limits, Preprocess, decode, read_image};
use blindscope_vision::vit;

/// max |a − b| / max |b|
fn relative(a: &[f32], b: &[f32]) -> f32 {
    let peak = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / peak
}

fn normalised(rgb: &[u8], side: usize) -> Vec<f32> {
    let (mean, std) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
    let mut out = vec![0.0; 3 * side * side];
    for (i, pixel) in rgb.chunks_exact(3).enumerate() {
        for c in 0..3 {
            out[c * side * side + i] = (f32::from(pixel[c]) / 255.0 - mean[c]) / std[c];
        }
    }
    out
}

fn tensor(file: &safetensors::SafeTensors<'_>, name: &str) -> Vec<f32> {
    file.tensor(name)
        .unwrap()
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn deit_tiny_equals_the_reference_from_its_pixels() {
    let Some(folder) = common::deit() else { return };
    let model = vit::load(&folder.join("deit_tiny_patch16_224.safetensors")).unwrap();
    let bytes = std::fs::read(folder.join("reference_outputs.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (class, mean_patch) = (tensor(&file, "cls"), tensor(&file, "mean_patch"));
    let (logits, pixels) = (tensor(&file, "logits"), file.tensor("pixels_rgb_u8_first3").unwrap());
    for (i, rgb) in pixels.data().chunks_exact(3 * 224 * 224).enumerate() {
        let image = i * 8;
        let input = normalised(rgb, 224);
        let got = model.cls_tokens(&input).unwrap();
        let error = relative(&got, &class[image * 192..(image + 1) * 192]);
        let tokens = model.tokens(&input).unwrap();
        let mut mean = vec![0.0f32; 192];
        for row in tokens[192..].chunks_exact(192) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / 196.0);
        }
        let mean_error = relative(&mean, &mean_patch[image * 192..(image + 1) * 192]);
        let logit_error = relative(&model.logits(&got).unwrap(), &logits[image * 1000..(image + 1) * 1000]);
        println!("image {image}: cls {error:.2e}, mean patch {mean_error:.2e}, logits {logit_error:.2e}");
        assert!(error <= 1e-5, "CLS token differs by {error}");
        assert!(mean_error <= 1e-5, "mean patch token differs by {mean_error}");
        assert!(logit_error <= 1e-5, "logits differ by {logit_error}");
        assert!(
            relative(&got, &tokens[..192]) <= 1e-5,
            "the class-only last block differs from the full one"
        );
    }
}

/// JPEG decoders differ by rounding in the inverse DCT and the colour conversion. The bounds, against libjpeg-turbo's
/// pixels: 5 levels in any value, half a level on average, and 5 % of the CLS token's largest value.
#[test]
fn deit_tiny_is_near_the_reference_from_jpeg() {
    let Some(folder) = common::deit() else { return };
    let model = vit::load(&folder.join("deit_tiny_patch16_224.safetensors")).unwrap();
    let bytes = std::fs::read(folder.join("reference_outputs.safetensors")).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let notes = metadata.metadata().clone().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let class = tensor(&file, "cls");
    let names: Vec<&str> =
        notes["images"].split(['"', '[', ']', ',', '\n', ' ']).filter(|n| n.contains('.')).collect();
    assert_eq!(names.len(), 24, "{:?}", notes["images"]);
    let tiles = common::data().unwrap().join("lung-histology");
    let mut worst = 0.0f32;
    let pixels = file.tensor("pixels_rgb_u8_first3").unwrap();
    for (i, reference) in pixels.data().chunks_exact(3 * 224 * 224).enumerate() {
        let jpeg = read_image(&tiles.join(names[i * 8]), Limits::default()).unwrap();
        let image = decode(&jpeg, Limits::default()).unwrap();
        let levels = image.pixels.iter().zip(reference).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let mean = levels.clone().sum::<u32>() as f32 / image.pixels.len() as f32;
        println!(
            "decoded pixels of image {i}: {} levels at most, {mean:.3} on average",
            levels.max().unwrap()
        );
    }
    for (name, expected) in names.into_iter().zip(class.chunks_exact(192)) {
        let jpeg = read_image(&tiles.join(name), Limits::default()).unwrap();
        let image = decode(&jpeg, Limits::default()).unwrap();
        let got = model.cls_tokens(&Preprocess::imagenet(224).pixels(&image)).unwrap();
        worst = worst.max(relative(&got, expected));
    }
    println!("worst of 24 from JPEG: {worst:.2e}");
    assert!(worst <= 5e-2, "CLS token differs by {worst} from JPEG");
}
