//! Draws the pairs of pictures on which the metrics are compared with scikit-image: a tile and three spoilt copies.
//! `cargo run -p blindscope-audit --example metric_pairs -- crates/audit/tests/vectors`
#![allow(clippy::unwrap_used, reason = "an example that a person runs")]

use std::path::PathBuf;

use blindscope_vision::data::Rgb;
use blindscope_vision::synth::{SyntheticPlan, TileIndex, save_png};

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let plan = SyntheticPlan { side: 64, patients: 2, tiles: 1, sites: 1, seed: 20 };
    let tile = |class, patient| plan.draw(TileIndex { class, site: 0, patient, tile: 0 });
    let original = tile(0, 0);
    let spoil = |f: &dyn Fn(usize, u8) -> u8| Rgb {
        pixels: original.pixels.iter().enumerate().map(|(i, v)| f(i, *v)).collect(),
        ..original.clone()
    };
    let pictures = [
        ("original", original.clone()),
        ("slight", spoil(&|i, v| v.saturating_add((i * 7 % 5) as u8))),
        ("noisy", spoil(&|i, v| v.wrapping_mul(3).wrapping_add((i * 97 % 61) as u8) / 2 + v / 2)),
        ("other", tile(2, 1)),
    ];
    for (name, picture) in pictures {
        save_png(&picture, &folder.join(format!("{name}.png"))).unwrap();
    }
}
