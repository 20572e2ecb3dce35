//! How far the hidden values of one candidate image lie outside the spans that a batch's gradient shows.
//!
//! dL/dW of a layer is Σ input·(gradient at its output)ᵀ over all tokens of the batch: every true input lies in its column
//! space. With Π the projection off that space, the misfit of an image is Σ_k |Π·input_k|² over the total of |input_k|², for
//! the inputs of the first block's two feed-forward layers. It is zero, up to rounding, at each image of the batch.

use faer::Mat;

use super::block::{Block, Pass};
use super::seen::ATTACK;
use crate::error::Result;
use crate::linear::{left_singular, product};
use crate::matching::Subspace;
use blindscope_vision::vit::Vit;

/// The misfit of one image as a function of its coordinates in the patches' affine spaces, `[q, n]`.
#[derive(Debug)]
pub(super) struct Fit<'a> {
    block: &'a Block,
    /// Tokens at coordinates zero, `[d, t]`.
    fixed: Mat<f64>,
    /// Tokens' derivative in the coordinates, `[d, q]`.
    ways: Mat<f64>,
    /// Orthonormal columns: the span of fc1's inputs, of fc2's inputs.
    spans: [Mat<f64>; 2],
    /// What each squared misfit is divided by.
    sizes: [f64; 2],
    prefix: usize,
    /// Orthonormal columns: the inputs of fc1 and of fc2 of images that are known. None where none is.
    known: Option<[Mat<f64>; 2]>,
}

/// Added to the distance from what is known, as a share of a token's size: at a known image itself nothing is divided by zero.
const NEAR: f64 = 1e-4;

/// Misfits at one image.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Weighted total.
    pub(super) total: f64,
    /// Its derivative in the coordinates, column by column.
    pub(super) slope: Vec<f64>,
    /// Each token's own, unweighted.
    pub(super) tokens: Vec<f64>,
}

impl<'a> Fit<'a> {
    pub(super) fn new(model: &Vit, block: &'a Block, space: &Subspace, spans: [Mat<f64>; 2]) -> Self {
        let (fixed, ways) = embedded(model, space);
        let prefix = model.config().prefix();
        let pass = block.forward(&fixed);
        let sizes = [pass.normed.squared_norm_l2(), pass.hidden.squared_norm_l2()];
        Self { block, fixed, ways, spans, sizes, prefix, known: None }
    }

    /// The same misfit, with each token's divided by its own squared distance from the span of what some images (by their coordinates)
    /// make of theirs. Near those images both fall alike, so they attract no more, and so do mixtures with them.
    ///
    /// # Errors
    /// [`crate::Error::NotConverged`] where the images' inputs have no singular values.
    pub(super) fn apart_from(&self, images: &[&[f64]]) -> Result<Self> {
        let passes: Vec<Pass> = images.iter().map(|image| self.pass(image)).collect();
        let basis = |of: fn(&Pass) -> &Mat<f64>| -> Result<Mat<f64>> {
            let (rows, each) = (of(&passes[0]).nrows(), self.fixed.ncols());
            let all = Mat::from_fn(rows, each * passes.len(), |i, j| of(&passes[j / each])[(i, j % each)]);
            left_singular(ATTACK, &all, each * passes.len()).map(|(basis, _)| basis)
        };
        let known = if passes.is_empty() {
            None
        } else {
            Some([basis(|pass| &pass.normed)?, basis(|pass| &pass.hidden)?])
        };
        Ok(Self {
            known,
            fixed: self.fixed.clone(),
            ways: self.ways.clone(),
            spans: self.spans.clone(),
            ..*self
        })
    }

    /// Coordinates of one image, and how many.
    pub(super) fn len(&self) -> usize {
        self.ways.ncols() * (self.fixed.ncols() - self.prefix)
    }

    pub(super) fn patches(&self) -> usize {
        self.fixed.ncols() - self.prefix
    }

    /// Tokens before the first patch.
    pub(super) fn prefix(&self) -> usize {
        self.prefix
    }

    fn pass(&self, coordinates: &[f64]) -> Pass {
        let q = self.ways.ncols();
        let z = Mat::from_fn(q, self.patches(), |i, k| coordinates[k * q + i]);
        let mut tokens = self.fixed.clone();
        let mut grid = tokens.as_mut().subcols_mut(self.prefix, z.ncols());
        grid += product(self.ways.as_ref(), z.as_ref());
        self.block.forward(&tokens)
    }

    /// The misfit with token k weighted by `weights[k]`.
    pub(super) fn evaluate(&self, coordinates: &[f64], weights: &[f64]) -> Misfit {
        let pass = self.pass(coordinates);
        let mut tokens = vec![0.0; self.fixed.ncols()];
        let outside = [(&pass.normed, 0), (&pass.hidden, 1)]
            .map(|(i, which)| self.outside(i, which, weights, &mut tokens));
        let total = tokens.iter().zip(weights).map(|(own, weight)| own * weight).sum();
        let [d_normed, d_hidden] = outside;
        let d_tokens = self.block.backward(&pass, &d_normed, &d_hidden);
        let grid = d_tokens.as_ref().subcols(self.prefix, self.patches());
        let slope = product(self.ways.transpose(), grid);
        let slope =
            (0..slope.ncols()).flat_map(|k| slope.col(k).iter().copied().collect::<Vec<_>>()).collect();
        Misfit { total, slope, tokens }
    }

    /// Adds each token's misfit by the inputs of one layer to `tokens` and gives the derivative of their weighted sum in these inputs.
    fn outside(&self, inputs: &Mat<f64>, which: usize, weights: &[f64], tokens: &mut [f64]) -> Mat<f64> {
        let beyond = |span: &Mat<f64>| {
            let inside = product(span.transpose(), inputs.as_ref());
            inputs - product(span.as_ref(), inside.as_ref())
        };
        let mut rest = beyond(&self.spans[which]);
        let apart = self.known.as_ref().map(|known| beyond(&known[which]));
        let (size, count) = (self.sizes[which], rest.ncols() as f64);
        for k in 0..rest.ncols() {
            let squared = rest.col(k).squared_norm_l2();
            let per =
                apart.as_ref().map_or(size, |apart| count * apart.col(k).squared_norm_l2() + NEAR * size);
            tokens[k] += squared / per;
            let scale = 2.0 * weights[k] / per;
            rest.as_mut().col_mut(k).iter_mut().for_each(|v| *v *= scale);
            if let Some(apart) = &apart {
                let scale = scale * count * squared / per;
                for (v, away) in rest.as_mut().col_mut(k).iter_mut().zip(apart.col(k).iter()) {
                    *v -= scale * away;
                }
            }
        }
        rest
    }
}

/// Tokens of one image at coordinates zero, `[d, t]`, and each patch token's derivative in the coordinates, `[d, q]`.
pub(super) fn embedded(model: &Vit, space: &Subspace) -> (Mat<f64>, Mat<f64>) {
    let (config, p) = (model.config(), model.parameters());
    let (d, n, prefix) = (config.width, config.patches(), config.prefix());
    let embed = crate::linear::widen(&p.patch.weight, config.patch_values(), d);
    let start = product(embed.transpose(), space.start());
    let ways = product(embed.transpose(), space.free());
    let positions = |row: usize, i: usize| f64::from(p.positions[row * d + i]);
    let own = config.prefix_positions;
    let fixed = Mat::from_fn(d, prefix + n, |i, k| {
        if k == 0 {
            f64::from(p.class[i]) + if own > 0 { positions(0, i) } else { 0.0 }
        } else if k < prefix {
            f64::from(p.registers[(k - 1) * d + i]) + if own > k { positions(k, i) } else { 0.0 }
        } else {
            let bias = p.patch.bias.get(i).map_or(0.0, |b| f64::from(*b));
            start[(i, k - prefix)] + bias + positions(own + k - prefix, i)
        }
    });
    (fixed, ways)
}
