//! Taking single tokens off a gradient.
//!
//! dL/dW_fc1 = Σ h_i·g_iᵀ and dL/dW_fc2 = Σ f_i·d_iᵀ over the tokens, with g_i = GELU'(u_i)∘(W_fc2·d_i). Of a token that is found h, f and u
//! are known; d lies in the rows of dL/dW_fc2 and g in those of dL/dW_fc1, so d is the kernel of a matrix of b·t columns, but
//! for its size; and that is the one that lowers the gradients' rank by one, 1/(gᵀ·G⁺·h). From d and g follows dL/dm, and with it what the
//! token adds to dL/dW_o. What is left is the gradient of fewer tokens: a smaller room, where those that drew no walk so far
//! have more of it.

use faer::{Mat, Side};

use super::super::seen::{ATTACK, Seen};
use crate::error::{Error, Result};
use crate::linear::{product, widen};
use blindscope_vision::vit::Vit;

/// A token that was found.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Coordinates in the patches' affine space; none for a CLS token.
    pub(super) patch: Vec<f64>,
    /// Attention's output before its projection, `[d]`.
    pub(super) mixed: Vec<f64>,
    /// The centred token before the second normalisation, `[d]`, and its deviation.
    pub(super) middle: (Vec<f64>, f64),
    /// What fc2 reads, `[f]`, and GELU's slopes.
    pub(super) hidden: (Vec<f64>, Vec<f64>),
}

/// A decomposed gradient, cut at the rank of the tokens left: U, the values, V.
#[derive(Debug)]
struct Cut {
    left: Mat<f64>,
    values: Vec<f64>,
    right: Mat<f64>,
}

impl Cut {
    fn new(matrix: &Mat<f64>, rank: usize) -> Result<Self> {
        let size = matrix.ncols();
        let svd = matrix.thin_svd().map_err(|_| Error::NotConverged { operation: ATTACK, size })?;
        let values = svd.S().column_vector().iter().take(rank).copied().collect();
        let cut = |m: faer::MatRef<'_, f64>| m.subcols(0, rank.min(m.ncols())).to_owned();
        Ok(Self { left: cut(svd.U()), values, right: cut(svd.V()) })
    }

    /// aᵀ·G⁺·b for a on the right and b on the left: the inverse of the share of b·aᵀ in G.
    fn share(&self, left: &[f64], right: &[f64]) -> f64 {
        let along =
            |m: &Mat<f64>, v: &[f64], i: usize| -> f64 { m.col(i).iter().zip(v).map(|(m, v)| m * v).sum() };
        (0..self.values.len())
            .map(|i| {
                along(&self.left, left, i) * along(&self.right, right, i)
                    / self.values[i].max(f64::MIN_POSITIVE)
            })
            .sum()
    }
}

/// What is left of a gradient, decomposed.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    model: &'a Vit,
    fc1: Cut,
    fc2: Cut,
    /// W_fc2 times the rows' basis of its gradient, `[f, b·t]`.
    back: Mat<f64>,
    /// W_fc1, `[d, f]`.
    first: Mat<f64>,
}

impl<'a> Sides<'a> {
    /// Of a gradient of `tokens` tokens.
    pub(super) fn new(model: &'a Vit, seen: &Seen, tokens: usize) -> Result<Self> {
        let (config, block) = (model.config(), &model.parameters().blocks[0]);
        let (fc1, fc2) = (Cut::new(&seen.fc1, tokens)?, Cut::new(&seen.fc2, tokens)?);
        let second = widen(&block.fc2.weight, config.hidden, config.width);
        let back = product(second.as_ref(), fc2.right.as_ref());
        Ok(Self { model, fc1, fc2, back, first: widen(&block.fc1.weight, config.width, config.hidden) })
    }

    /// The span of what fc1 reads, `[d, b·t]`.
    pub(super) fn normed(&self) -> &Mat<f64> {
        &self.fc1.left
    }

    /// The span of what fc2 reads, `[f, b·t]`.
    pub(super) fn hidden(&self) -> &Mat<f64> {
        &self.fc2.left
    }

    /// Takes a token off `seen`; `false` where the gradient knows no such token: where the sizes that its two parts say differ by more
    /// than a share of `most`.
    pub(super) fn take(&self, token: &Token, seen: &mut Seen, most: f64) -> bool {
        let (values, slopes) = &token.hidden;
        let scaled = Mat::from_fn(self.back.nrows(), self.back.ncols(), |i, j| slopes[i] * self.back[(i, j)]);
        let inside = product(self.fc1.right.transpose(), scaled.as_ref());
        let outside =
            product(scaled.transpose(), scaled.as_ref()) - product(inside.transpose(), inside.as_ref());
        let Ok(eigen) = outside.self_adjoint_eigen(Side::Lower) else { return false };
        let y: Vec<f64> = eigen.U().col(0).iter().copied().collect();
        let through = |m: &Mat<f64>| -> Vec<f64> {
            (0..m.nrows()).map(|i| y.iter().enumerate().map(|(j, y)| m[(i, j)] * y).sum()).collect()
        };
        let (g, d) = (through(&scaled), through(&self.fc2.right));
        let h = self.normalised(token);
        let sizes = [1.0 / self.fc1.share(&h, &g), 1.0 / self.fc2.share(values, &d)];
        let agreed = (sizes[0] - sizes[1]).abs() < most * sizes[0].abs().max(sizes[1].abs());
        if !agreed || !sizes.iter().all(|s| s.is_finite()) {
            return false;
        }
        let size = 0.5 * (sizes[0] + sizes[1]);
        less(&mut seen.fc1, size, &h, &g);
        less(&mut seen.fc2, size, values, &d);
        less(&mut seen.proj, size, &token.mixed, &self.before(token, &g, &d));
        true
    }

    /// What fc1 reads of a token.
    fn normalised(&self, token: &Token) -> Vec<f64> {
        let norm = &self.model.parameters().blocks[0].norm2;
        let (middle, deviation) = &token.middle;
        let unit = middle.iter().map(|m| m / deviation);
        unit.zip(&norm.gamma).zip(&norm.beta).map(|((u, g), b)| u * f64::from(*g) + f64::from(*b)).collect()
    }

    /// The gradient at the output of attention's projection, from g at fc1's output and d at fc2's.
    fn before(&self, token: &Token, g: &[f64], d: &[f64]) -> Vec<f64> {
        let block = &self.model.parameters().blocks[0];
        let (middle, deviation) = &token.middle;
        let n = middle.len();
        let scale = |scale: &[f32], i: usize| scale.get(i).map_or(1.0, |s| f64::from(*s));
        let inward: Vec<f64> = (0..n)
            .map(|i| {
                let read: f64 = g.iter().enumerate().map(|(j, g)| self.first[(i, j)] * g).sum();
                read * f64::from(block.norm2.gamma[i])
            })
            .collect();
        let mean = inward.iter().sum::<f64>() / n as f64;
        let along = inward.iter().zip(middle).map(|(a, m)| a * m / deviation).sum::<f64>() / n as f64;
        (0..n)
            .map(|i| {
                let normed = (inward[i] - mean - middle[i] / deviation * along) / deviation;
                scale(&block.scale1, i) * (d[i] / scale(&block.scale2, i) + normed)
            })
            .collect()
    }
}

/// matrix − size·left·rightᵀ
fn less(matrix: &mut Mat<f64>, size: f64, left: &[f64], right: &[f64]) {
    for (j, right) in right.iter().enumerate() {
        for (i, left) in left.iter().enumerate() {
            matrix[(i, j)] -= size * left * right;
        }
    }
}
