//! From eight-bit RGB to the normalised pixels a model was trained on.

use image::imageops::{FilterType, resize};
use serde::{Deserialize, Serialize};

use super::image::Rgb;

/// Resize the shorter side to `side`, cut the centre square, then (v/255 − mean)/std in each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Side of the square that the model takes.
    pub side: usize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

impl Preprocess {
    /// ImageNet's statistics: DeiT, DINOv2, UNI, Phikon.
    pub fn imagenet(side: usize) -> Self {
        Self { side, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }

    /// Mean and deviation one half: the original ViT checkpoints.
    pub fn half(side: usize) -> Self {
        Self { side, mean: [0.5; 3], std: [0.5; 3] }
    }

    /// Normalised pixels `[3, side, side]`.
    pub fn pixels(&self, image: &Rgb) -> Vec<f32> {
        if (image.width, image.height) == (self.side, self.side) {
            return self.normalise(&image.pixels);
        }
        self.normalise(&self.fit(image))
    }

    /// Catmull–Rom resampling with the support stretched when shrinking (antialiased), then the centre square.
    fn fit(&self, image: &Rgb) -> Vec<u8> {
        let (w, h) = (image.width, image.height);
        let short = w.min(h).max(1);
        let scaled = |v: usize| (v * self.side).div_ceil(short).max(self.side) as u32;
        let Some(source) = image::RgbImage::from_raw(w as u32, h as u32, image.pixels.clone()) else {
            return vec![0; 3 * self.side * self.side];
        };
        let resized = resize(&source, scaled(w), scaled(h), FilterType::CatmullRom);
        let side = self.side as u32;
        let (x, y) = ((resized.width() - side) / 2, (resized.height() - side) / 2);
        image::imageops::crop_imm(&resized, x, y, side, side).to_image().into_raw()
    }

    fn normalise(&self, rgb: &[u8]) -> Vec<f32> {
        let plane = self.side * self.side;
        let mut out = vec![0.0; 3 * plane];
        for c in 0..3 {
            // 256 possible values a channel: a table gives the exact division for each.
            let table: Vec<f32> =
                (0..=255u8).map(|v| (f32::from(v) / 255.0 - self.mean[c]) / self.std[c]).collect();
            for (out, pixel) in out[c * plane..(c + 1) * plane].iter_mut().zip(rgb.as_chunks::<3>().0) {
                *out = table[usize::from(pixel[c])];
            }
        }
        out
    }

    /// The reverse of the normalisation, for showing a reconstruction: `[3, side, side]` → RGB, clamped.
    pub fn to_rgb(&self, pixels: &[f32]) -> Rgb {
        let plane = self.side * self.side;
        let value = |i: usize, c: usize| (pixels[c * plane + i] * self.std[c] + self.mean[c]) * 255.0;
        let pixels =
            (0..plane).flat_map(|i| [0, 1, 2].map(|c| value(i, c).round().clamp(0.0, 255.0) as u8)).collect();
        Rgb { width: self.side, height: self.side, pixels }
    }
}
