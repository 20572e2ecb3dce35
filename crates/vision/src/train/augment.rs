//! Augmentation fit for histology: tissue has no upright, and stain varies.

use rand::{Rng, RngExt};

use crate::data::Rgb;

/// The tile in one of its eight orientations, each channel's optical density scaled by 0.9–1.1. A tile that is not
/// square is only flipped.
pub fn augment(image: &Rgb, rng: &mut impl Rng) -> Rgb {
    let (w, h) = (image.width, image.height);
    let orientation: u8 = rng.random_range(0..8);
    let transpose = w == h && orientation & 4 != 0;
    let tables: [[u8; 256]; 3] = std::array::from_fn(|_| {
        let density: f32 = rng.random_range(0.9..1.1);
        // I = 255·10^(−OD): scaling OD raises the relative intensity to that power.
        std::array::from_fn(|v| ((v as f32 / 255.0).powf(density) * 255.0).round() as u8)
    });
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for y in 0..h {
        for x in 0..w {
            let (x, y) = if transpose { (y, x) } else { (x, y) };
            let x = if orientation & 1 != 0 { w - 1 - x } else { x };
            let y = if orientation & 2 != 0 { h - 1 - y } else { y };
            let at = (y * w + x) * 3;
            pixels.extend((0..3).map(|c| tables[c][usize::from(image.pixels[at + c])]));
        }
    }
    Rgb { width: w, height: h, pixels }
}
