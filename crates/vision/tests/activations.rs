//! Two tiny transformers, one with GELU and one gated by `SiLU`, against numpy in `f64`: each tells its own activation from those that
//! other libraries use. `vectors/activations/write.py` made the files.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::path::{Path, PathBuf};

use blindscope_vision::vit::{Config, Mlp, load_with};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/activations").join(name)
}

fn tensor(file: &safetensors::SafeTensors<'_>, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// max |a − b| / max |b|
fn relative(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let peak = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / peak
}

#[test]
fn whole_blocks_have_the_activation_that_they_were_made_for() {
    let bytes = std::fs::read(vector("expected.safetensors")).unwrap();
    let expected = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let image = tensor(&expected, "image");
    let plain = Config {
        image: 8,
        patch: 4,
        width: 12,
        depth: 2,
        heads: 2,
        hidden: 19,
        norm_epsilon: 1e-6,
        ..Config::vit_base()
    };
    let gated =
        Config { mlp: Mlp::SwiGlu, registers: 2, prefix_positions: 0, layer_scale: true, ..plain.clone() };
    for (name, own, config) in [("gelu", "gelu", plain), ("swiglu", "silu", gated)] {
        let model = load_with(&vector(&format!("{name}.safetensors")), config).unwrap();
        let tokens = model.tokens(&image).unwrap();
        let class = model.cls_tokens(&image).unwrap();
        for activation in ["gelu", "gelu_tanh", "quick_gelu", "silu", "relu"] {
            let reference = tensor(&expected, &format!("{name}/{activation}"));
            let (all, first) = (relative(&tokens, &reference), relative(&class, &reference[..12]));
            println!("{name} against {activation}: tokens {all:.2e}, CLS token {first:.2e}");
            if activation == own {
                assert!(all <= 1e-5 && first <= 1e-5, "{name}: {all:e}, {first:e}");
            } else {
                assert!(all > 5e-5, "{name} is not told from {activation}: {all:e}");
            }
        }
    }
}
