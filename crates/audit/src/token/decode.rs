//! A decoder from tokens to pictures, learned on other tiles: what a curious party with a tile collection of its own
//! would build. Ridge regression onto a small picture, in closed form.

use faer::Mat;

use crate::Picture;
use crate::error::{Error, Result};
use crate::linear::Spectrum;

/// Side of the picture that is predicted; it is enlarged afterwards.
const SMALL: usize = 28;

/// picture = mean + W·(token − mean token), learned.
#[derive(Debug)]
pub struct Decoder {
    mean_token: Vec<f64>,
    scale: Vec<f64>,
    mean_picture: Vec<f64>,
    /// `[d, 3·28²]`
    weight: Mat<f64>,
    side: usize,
}

impl Decoder {
    /// Learns from tokens `[n, d]` and their pictures; `penalty` is relative to n.
    ///
    /// # Errors
    /// [`Error::Shape`] for no picture, or tokens that do not pair up; [`Error::NotFinite`] for a token or picture that is not
    /// finite.
    pub fn train(tokens: &[f32], pictures: &[Picture], penalty: f64) -> Result<Self> {
        const OPERATION: &str = "training a decoder";
        let n = pictures.len();
        let side = pictures.first().map_or(0, |p| p.side);
        if n == 0 || !tokens.len().is_multiple_of(n) || side < SMALL {
            let expected = format!("tokens for {n} pictures of at least {SMALL} pixels a side");
            return Err(Error::shape(OPERATION, expected, tokens.len()));
        }
        let d = tokens.len() / n;
        let mut z = crate::linear::widen(tokens, n, d);
        let (mean_token, scale) = standardise(&mut z);
        let values = 3 * SMALL * SMALL;
        let small: Vec<Vec<f64>> = pictures.iter().map(shrink).collect();
        let mean_picture: Vec<f64> =
            (0..values).map(|j| small.iter().map(|p| p[j]).sum::<f64>() / n as f64).collect();
        let y = Mat::from_fn(n, values, |i, j| small[i][j] - mean_picture[j]);
        let mut gram = z.transpose() * &z;
        for i in 0..d {
            gram[(i, i)] += penalty * n as f64;
        }
        let weight = Spectrum::new(OPERATION, &gram, 1e-14)?.solve(&(z.transpose() * y));
        Ok(Self { mean_token, scale, mean_picture, weight, side })
    }

    /// The picture of one token `[d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for a token of another width.
    pub fn decode(&self, token: &[f32]) -> Result<Picture> {
        if token.len() != self.mean_token.len() {
            return Err(Error::shape("decoding a token", self.mean_token.len(), token.len()));
        }
        let z =
            Mat::from_fn(1, token.len(), |_, j| (f64::from(token[j]) - self.mean_token[j]) * self.scale[j]);
        let y = z * &self.weight;
        let small: Vec<f64> = self.mean_picture.iter().enumerate().map(|(j, m)| m + y[(0, j)]).collect();
        Ok(enlarge(&small, self.side))
    }
}

/// Columns to mean 0 and deviation 1; the means, and 1/deviation.
fn standardise(z: &mut Mat<f64>) -> (Vec<f64>, Vec<f64>) {
    let n = z.nrows() as f64;
    let mut both = (Vec::new(), Vec::new());
    for j in 0..z.ncols() {
        let mean = (0..z.nrows()).map(|i| z[(i, j)]).sum::<f64>() / n;
        let variance = (0..z.nrows()).map(|i| (z[(i, j)] - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / variance.sqrt().max(1e-9);
        for i in 0..z.nrows() {
            z[(i, j)] = (z[(i, j)] - mean) * scale;
        }
        both.0.push(mean);
        both.1.push(scale);
    }
    both
}

/// Means over the cells of a 28×28 grid.
fn shrink(picture: &Picture) -> Vec<f64> {
    let side = picture.side;
    let mut out = vec![0.0; 3 * SMALL * SMALL];
    let mut counts = vec![0.0f64; SMALL * SMALL];
    for y in 0..side {
        for x in 0..side {
            let cell = y * SMALL / side * SMALL + x * SMALL / side;
            counts[cell] += 1.0;
            for c in 0..3 {
                out[c * SMALL * SMALL + cell] += f64::from(picture.values[(c * side + y) * side + x]);
            }
        }
    }
    for (i, v) in out.iter_mut().enumerate() {
        *v /= counts[i % (SMALL * SMALL)].max(1.0);
    }
    out
}

/// Bilinear, cell centres aligned.
fn enlarge(small: &[f64], side: usize) -> Picture {
    let place = |i: usize| {
        let at = ((i as f64 + 0.5) * SMALL as f64 / side as f64 - 0.5).clamp(0.0, (SMALL - 1) as f64);
        let first = (at as usize).min(SMALL - 2);
        (first, at - first as f64)
    };
    let mut values = Vec::with_capacity(3 * side * side);
    for plane in small.chunks_exact(SMALL * SMALL) {
        for y in 0..side {
            let (y0, fy) = place(y);
            for x in 0..side {
                let (x0, fx) = place(x);
                let row = |r: usize| plane[r * SMALL + x0] * (1.0 - fx) + plane[r * SMALL + x0 + 1] * fx;
                values.push((row(y0) * (1.0 - fy) + row(y0 + 1) * fy).clamp(0.0, 1.0) as f32);
            }
        }
    }
    Picture { side, values }
}
