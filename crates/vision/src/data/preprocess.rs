//! From eight-bit RGB to the normalised pixels a model was trained on.

use std::path::Path;

use image::imageops::{FilterType, resize};
use serde::{Deserialize, Serialize};

use super::image::Rgb;
use crate::error::{Error, Result};

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

    /// What the files beside a checkpoint say: `preprocessor_config.json` of `transformers`, or `pretrained_cfg` in timm's
    /// `config.json`; [`Preprocess::imagenet`] when neither is there.
    ///
    /// # Errors
    /// [`Error::Format`] when such a file is damaged or tells impossible statistics, [`Error::Io`] when it cannot be read.
    pub fn beside(weights: &Path, side: usize) -> Result<Self> {
        let mut found = None;
        for name in ["preprocessor_config.json", "config.json"] {
            let path = weights.with_file_name(name);
            if found.is_none() && path.is_file() {
                let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
                let card: Card = serde_json::from_str(&text).map_err(|e| Error::format("JSON", &path, e))?;
                found = card.statistics().map(|statistics| (path, statistics));
            }
        }
        let Some((path, (mean, std))) = found else { return Ok(Self::imagenet(side)) };
        let possible =
            mean.iter().all(|m| (0.0..=1.0).contains(m)) && std.iter().all(|s| *s > 0.0 && *s <= 1.0);
        if !possible {
            let reason = format!("mean {mean:?} and deviation {std:?} of channels in 0..1 cannot be");
            return Err(Error::format("preprocessing", path, reason));
        }
        Ok(Self { side, mean, std })
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

/// The statistics in either library's file.
#[derive(Deserialize)]
struct Card {
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    pretrained_cfg: Option<TimmStatistics>,
}

#[derive(Deserialize)]
struct TimmStatistics {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
}

impl Card {
    fn statistics(self) -> Option<([f32; 3], [f32; 3])> {
        let timm = self.pretrained_cfg.and_then(|c| c.mean.zip(c.std));
        self.image_mean.zip(self.image_std).or(timm)
    }
}
