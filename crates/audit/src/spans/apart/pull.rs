//! A pull towards the tokens of one image.
//!
//! Left to themselves most walks end at tokens of the same one or two images. What attention gives the tokens of one image is much
//! alike, for it is made of the same values; so |o(z) − target|², the distance of a token's attention from that of an image's other
//! tokens, keeps a walk near that image until it is close to one of its tokens.

use faer::Mat;

use super::room::Map;
use crate::linear::product;

/// The pull on walks of one room.
#[derive(Debug)]
pub(super) struct Pull<'a> {
    mixed: &'a Map,
    /// Oᵀ·O of the ways of attention's output, `[q, q]`.
    gram: Mat<f64>,
    /// Oᵀ·o at coordinates zero, `[q, n]`.
    start: Mat<f64>,
}

/// Where an image pulls to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Attention's output, `[d]`.
    pub(super) mixed: Vec<f64>,
    /// Oᵀ of it, `[q]`.
    turned: Vec<f64>,
    /// Weight over |output|².
    weight: f64,
}

impl<'a> Pull<'a> {
    pub(super) fn new(mixed: &'a Map) -> Self {
        let gram = product(mixed.ways.transpose(), mixed.ways.as_ref());
        let start = product(mixed.ways.transpose(), mixed.fixed.as_ref());
        Self { mixed, gram, start }
    }

    /// A pull of `weight` to an output of attention.
    pub(super) fn target(&self, output: &[f64], weight: f64) -> Target {
        let ways = &self.mixed.ways;
        let turned =
            (0..ways.ncols()).map(|j| ways.col(j).iter().zip(output).map(|(a, b)| a * b).sum()).collect();
        let size = output.iter().map(|v| v * v).sum::<f64>().max(f64::MIN_POSITIVE);
        Target { mixed: output.to_vec(), turned, weight: weight / size }
    }

    /// Adds weight·|o_k(z) − target|²/|target|² and its derivative.
    pub(super) fn add(&self, target: &Target, (k, z): (usize, &[f64]), value: &mut f64, slope: &mut [f64]) {
        let fixed = self.mixed.fixed.col(k).iter().zip(&target.mixed);
        let mut distance: f64 = fixed.map(|(o, t)| (o - t).powi(2)).sum();
        for (i, slope) in slope.iter_mut().enumerate() {
            let across = self.start[(i, k)] - target.turned[i];
            let turned: f64 = self.gram.col(i).iter().zip(z).map(|(g, z)| g * z).sum();
            distance += z[i] * (turned + 2.0 * across);
            *slope += 2.0 * target.weight * (turned + across);
        }
        *value += target.weight * distance;
    }
}
