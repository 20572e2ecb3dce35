//! Images as attacks see them: three planes of real numbers.

use blindscope_vision::data::{Preprocess, Rgb};

/// An RGB image of real values, 0 black and 1 full, planes in order R, G, B: `[3, side, side]`.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// Pixels in a row, and rows.
    pub side: usize,
    /// `[3, side, side]`.
    pub values: Vec<f32>,
}

impl std::fmt::Debug for Picture {
    /// The size alone: pixels are patients' data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({0}×{0})", self.side)
    }
}

impl Picture {
    /// From the normalised pixels that a model takes, cut to 0..=1: an attacker knows that colours lie there.
    pub fn from_normalised(pixels: &[f32], preprocess: &Preprocess) -> Self {
        let plane = preprocess.side * preprocess.side;
        let channels = pixels.chunks(plane.max(1)).zip(preprocess.mean.iter().zip(&preprocess.std));
        let values = channels
            .flat_map(|(c, (mean, std))| c.iter().map(move |v| (v * std + mean).clamp(0.0, 1.0)))
            .collect();
        Self { side: preprocess.side, values }
    }

    /// Normalised pixels for a model.
    pub fn normalised(&self, preprocess: &Preprocess) -> Vec<f32> {
        let plane = self.side * self.side;
        let channels = self.values.chunks(plane.max(1)).zip(preprocess.mean.iter().zip(&preprocess.std));
        channels.flat_map(|(c, (mean, std))| c.iter().map(move |v| (v - mean) / std)).collect()
    }

    /// From eight-bit pixels of a square image.
    pub fn from_rgb(image: &Rgb) -> Self {
        let plane = image.width * image.height;
        let mut values = vec![0.0; 3 * plane];
        for (i, pixel) in image.pixels.chunks_exact(3).enumerate() {
            for (c, v) in pixel.iter().enumerate() {
                values[c * plane + i] = f32::from(*v) / 255.0;
            }
        }
        Self { side: image.width, values }
    }

    /// Eight-bit pixels, rounded.
    pub fn to_rgb(&self) -> Rgb {
        let plane = self.side * self.side;
        let byte = |v: f32| (v * 255.0).round().clamp(0.0, 255.0) as u8;
        let pixels = (0..plane).flat_map(|i| [0, 1, 2].map(|c| byte(self.values[c * plane + i]))).collect();
        Rgb { width: self.side, height: self.side, pixels }
    }

    /// |self − other|, enlarged `gain` times and cut to 0..=1: for people to look at. *Shapes*: equal sides.
    #[must_use]
    pub fn difference(&self, other: &Self, gain: f32) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self { side: self.side, values: pairs.map(|(a, b)| ((a - b).abs() * gain).min(1.0)).collect() }
    }

    /// The mean of some pictures of one side: what an attacker guesses who has seen other tiles and nothing of this
    /// one. Nothing for no picture.
    pub fn mean(pictures: &[Self]) -> Option<Self> {
        let first = pictures.first()?;
        let mut total = vec![0.0f64; first.values.len()];
        for picture in pictures {
            for (t, v) in total.iter_mut().zip(&picture.values) {
                *t += f64::from(*v);
            }
        }
        let n = pictures.len() as f64;
        Some(Self { side: first.side, values: total.into_iter().map(|t| (t / n) as f32).collect() })
    }
}
