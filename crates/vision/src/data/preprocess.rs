//! From eight-bit RGB to the normalised pixels a model was trained on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Filter, ImageProblem, Rgb, resize};

/// How a tile is brought to size before the centre is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// As it is.
    Keep,
    /// The shorter side to this many pixels, the other in proportion, rounded down.
    Shorter(usize),
    /// Both sides, in pixels, whatever the proportion was.
    Exact {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
}

/// Where the centre lies when a margin is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// Half the margin, rounded to even (`torchvision`, timm).
    HalfToEven,
    /// Half the margin, rounded down (`transformers`).
    Down,
}

/// Resize, cut the centre square, then `(v·scale − mean)/std` in each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Side of the square that the model takes, and that is cut out.
    pub side: usize,
    /// The size before.
    pub resize: Resize,
    /// The filter that gets there; Pillow's, bit for bit.
    pub filter: Filter,
    /// Where the centre is.
    pub centre: Centre,
    /// What an eight-bit value is multiplied by: 1/255 for nearly every model.
    pub scale: f64,
    /// Mean of each channel, after scaling.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, after scaling.
    pub std: [f32; 3],
}

impl Preprocess {
    /// ImageNet's statistics (DeiT, DINOv2, UNI, Phikon); the shorter side to `side` by bicubic filtering.
    pub fn imagenet(side: usize) -> Self {
        Self {
            side,
            resize: Resize::Shorter(side),
            filter: Filter::Bicubic,
            centre: Centre::HalfToEven,
            scale: 1.0 / 255.0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// Mean and deviation one half: the original ViT checkpoints.
    pub fn half(side: usize) -> Self {
        Self { mean: [0.5; 3], std: [0.5; 3], ..Self::imagenet(side) }
    }

    /// For another input side: the size before the cut keeps its proportion to the side.
    #[must_use]
    pub fn at(&self, side: usize) -> Self {
        let scaled = |v: usize| (v * side) / self.side.max(1);
        let resize = match self.resize {
            Resize::Keep => Resize::Keep,
            Resize::Shorter(short) => Resize::Shorter(scaled(short)),
            Resize::Exact { width, height } => Resize::Exact { width: scaled(width), height: scaled(height) },
        };
        Self { side, resize, ..self.clone() }
    }

    /// Hashes every field in a fixed form.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        let size = match self.resize {
            Resize::Keep => [0, 0, 0],
            Resize::Shorter(short) => [1, short, 0],
            Resize::Exact { width, height } => [2, width, height],
        };
        hash.update(b"preprocessing 2\0");
        for value in [self.side, size[0], size[1], size[2]] {
            hash.update((value as u64).to_le_bytes());
        }
        let centre = match self.centre {
            Centre::HalfToEven => "half to even",
            Centre::Down => "down",
        };
        hash.update(format!("{}\0{centre}\0", self.filter.name()));
        hash.update(self.scale.to_le_bytes());
        for value in self.mean.iter().chain(&self.std) {
            hash.update(value.to_le_bytes());
        }
    }

    /// Refuses a tile that does not cover the square that is cut out.
    ///
    /// # Errors
    /// [`ImageProblem::TooSmall`] for an image that does not cover the square that is cut out.
    pub fn admit(&self, image: &Rgb) -> Result<(), ImageProblem> {
        let (width, height) = self.resized(image.width, image.height);
        if width.min(height) < self.side {
            let (width, height, side) = (image.width, image.height, self.side);
            return Err(ImageProblem::TooSmall { width, height, side });
        }
        Ok(())
    }

    /// The size before the cut.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        match self.resize {
            Resize::Keep => (width, height),
            Resize::Exact { width, height } => (width, height),
            Resize::Shorter(short) if width <= height => (short, short * height / width.max(1)),
            Resize::Shorter(short) => (short * width / height.max(1), short),
        }
    }

    /// Normalised pixels `[3, side, side]`; where a tile does not cover the square ([`Preprocess::admit`] tells), black.
    pub fn pixels(&self, image: &Rgb) -> Vec<f32> {
        let (width, height) = self.resized(image.width, image.height);
        if (width, height) == (image.width, image.height) {
            return self.cut(image);
        }
        self.cut(&resize(image, width.max(1), height.max(1), self.filter))
    }

    fn cut(&self, image: &Rgb) -> Vec<f32> {
        let side = self.side;
        if (image.width, image.height) == (side, side) {
            return self.normalise(&image.pixels);
        }
        let start = |length: usize| {
            let margin = length.saturating_sub(side);
            let odd = self.centre == Centre::HalfToEven && margin % 4 == 3;
            margin / 2 + usize::from(odd)
        };
        let (x, y) = (start(image.width), start(image.height));
        let (width, height) = (side.min(image.width), side.min(image.height));
        let mut out = vec![0; 3 * side * side];
        for row in 0..height {
            let from = 3 * ((y + row) * image.width + x);
            out[3 * row * side..][..3 * width].copy_from_slice(&image.pixels[from..from + 3 * width]);
        }
        self.normalise(&out)
    }

    fn normalise(&self, rgb: &[u8]) -> Vec<f32> {
        let plane = self.side * self.side;
        let mut out = vec![0.0; 3 * plane];
        for c in 0..3 {
            // 256 possible values a channel: a table gives the exact division for each.
            let value = |v: u8| ((f64::from(v) * self.scale) as f32 - self.mean[c]) / self.std[c];
            let table: Vec<f32> = (0..=255u8).map(value).collect();
            for (out, pixel) in out[c * plane..(c + 1) * plane].iter_mut().zip(rgb.as_chunks::<3>().0) {
                *out = table[usize::from(pixel[c])];
            }
        }
        out
    }

    /// The reverse of the normalisation, for showing a reconstruction: `[3, side, side]` → RGB, clamped.
    pub fn to_rgb(&self, pixels: &[f32]) -> Rgb {
        let plane = self.side * self.side;
        let scale = self.scale as f32;
        let value = |i: usize, c: usize| (pixels[c * plane + i] * self.std[c] + self.mean[c]) / scale;
        let pixels =
            (0..plane).flat_map(|i| [0, 1, 2].map(|c| value(i, c).round().clamp(0.0, 255.0) as u8)).collect();
        Rgb { width: self.side, height: self.side, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `round` in Python takes halves to the even number: margins 1, 3, 5, 7 begin at 0, 2, 2, 4; `//` rounds down.
    #[test]
    fn odd_margins_are_cut_as_each_library_does() {
        let starts = |centre: Centre| {
            [1usize, 2, 3, 4, 5, 7].map(|margin| {
                let (side, width) = (2, 2 + margin);
                let pixels = (0..width * width).flat_map(|i| [(i % width) as u8; 3]).collect();
                let image = Rgb { width, height: width, pixels };
                let plain =
                    Preprocess { mean: [0.0; 3], std: [1.0; 3], scale: 1.0, ..Preprocess::half(side) };
                let cut = Preprocess { resize: Resize::Keep, centre, ..plain };
                cut.pixels(&image)[0] as u8
            })
        };
        assert_eq!(starts(Centre::HalfToEven), [0, 1, 2, 2, 2, 4]);
        assert_eq!(starts(Centre::Down), [0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn every_field_is_part_of_the_digest() {
        let base = Preprocess::imagenet(224);
        let digest = |p: &Preprocess| {
            let mut hash = Sha256::new();
            p.hash(&mut hash);
            hash.finalize()
        };
        let others = [
            base.at(192),
            Preprocess { resize: Resize::Shorter(256), ..base.clone() },
            Preprocess { resize: Resize::Exact { width: 224, height: 224 }, ..base.clone() },
            Preprocess { resize: Resize::Keep, ..base.clone() },
            Preprocess { filter: Filter::Bilinear, ..base.clone() },
            Preprocess { centre: Centre::Down, ..base.clone() },
            Preprocess { scale: 1.0, ..base.clone() },
            Preprocess { mean: [0.5; 3], ..base.clone() },
            Preprocess { std: [0.5; 3], ..base.clone() },
        ];
        let all: std::collections::HashSet<_> =
            others.iter().chain([&base]).map(|p| digest(p).to_vec()).collect();
        assert_eq!(all.len(), others.len() + 1);
    }
}
