//! How far a token's hidden values lie outside the span of dL/dW_fc2.
//!
//! fc1 and GELU act on one token alone. So the squared distance of GELU(W_fc1ᵀ·h + b) from that span is a function of one
//! token's coordinates, whose zeros are the batch's own tokens: a mixture of tokens goes through a nonlinear layer as
//! something else. A token is 10⁶ products instead of a whole block, and tokens are judged side by side.

use faer::Mat;
use rayon::prelude::*;

use super::super::gelu::gelu;
use super::room::{Map, Room};
use super::taken::Token;
use crate::linear::{product, widen};
use blindscope_vision::vit::Vit;

/// Tokens in one product.
const TOGETHER: usize = 32;

/// A token's position, and its coordinates in the room.
pub(super) type At<'a> = (usize, &'a [f64]);

/// The misfit of single tokens.
#[derive(Debug)]
pub(super) struct Hidden {
    /// W_fc1ᵀ·(γ∘m) of the room's centred token, before it is divided by its deviation.
    through: Map,
    /// W_fc1ᵀ·β + b, `[f]`.
    bias: Vec<f64>,
    /// |m|² at coordinates zero, `[n]`.
    rest: Vec<f64>,
    /// Orthonormal columns, `[f, b·t]`.
    span: Mat<f64>,
    /// What a squared misfit is divided by.
    size: f64,
    width: f64,
    epsilon: f64,
}

impl Hidden {
    pub(super) fn new(model: &Vit, room: &Room, span: Mat<f64>) -> Self {
        let (config, block) = (model.config(), &model.parameters().blocks[0]);
        let (d, f) = (config.width, config.hidden);
        let weight = widen(&block.fc1.weight, d, f);
        let scaled = Mat::from_fn(f, d, |i, j| weight[(j, i)] * f64::from(block.norm2.gamma[j]));
        let bias = (0..f)
            .map(|i| {
                let shift: f64 = (0..d).map(|j| weight[(j, i)] * f64::from(block.norm2.beta[j])).sum();
                shift + block.fc1.bias.get(i).map_or(0.0, |b| f64::from(*b))
            })
            .collect();
        let rest =
            (0..room.middle.fixed.ncols()).map(|k| room.middle.fixed.col(k).squared_norm_l2()).collect();
        let through = Map {
            fixed: product(scaled.as_ref(), room.middle.fixed.as_ref()),
            ways: product(scaled.as_ref(), room.middle.ways.as_ref()),
        };
        let (width, epsilon) = (d as f64, f64::from(config.norm_epsilon));
        let mut hidden = Self { through, bias, rest, span, size: 1.0, width, epsilon };
        hidden.size = hidden.typical();
        hidden
    }

    /// |hidden values|² at coordinates zero, over the positions.
    fn typical(&self) -> f64 {
        let zero = vec![0.0; self.through.ways.ncols()];
        let at: Vec<At<'_>> = (0..self.rest.len()).map(|k| (k, zero.as_slice())).collect();
        let pass = self.pass(&at);
        pass.values.squared_norm_l2() / at.len().max(1) as f64
    }

    /// Positions that tokens are searched at.
    pub(super) fn positions(&self) -> usize {
        self.rest.len()
    }

    /// Coordinates of a token.
    pub(super) fn open(&self) -> usize {
        self.through.ways.ncols()
    }

    /// The token at a place of its room, with what the layer makes of it.
    pub(super) fn token(&self, room: &Room, (k, z): At<'_>) -> Token {
        let Pass { deviations, values, slopes, .. } = self.pass(&[(k, z)]);
        let column = |m: &Mat<f64>| m.col(0).iter().copied().collect();
        Token {
            patch: room.patch.at(k, z),
            mixed: room.mixed.at(k, z),
            middle: (room.middle.at(k, z), deviations[0]),
            hidden: (column(&values), column(&slopes)),
        }
    }

    /// |m|² of the token at coordinates zero.
    pub(super) fn rest(&self, k: usize) -> f64 {
        self.rest[k]
    }

    /// Each token's misfit and its derivative in the coordinates.
    pub(super) fn misfits(&self, at: &[At<'_>]) -> Vec<(f64, Vec<f64>)> {
        at.par_chunks(TOGETHER).flat_map_iter(|some| self.together(some)).collect()
    }

    fn pass(&self, at: &[At<'_>]) -> Pass {
        let q = self.through.ways.ncols();
        let z = Mat::from_fn(q, at.len(), |i, j| at[j].1[i]);
        let mut raw = product(self.through.ways.as_ref(), z.as_ref());
        let (mut values, mut slopes) = (Mat::zeros(raw.nrows(), at.len()), Mat::zeros(raw.nrows(), at.len()));
        let mut deviations = Vec::with_capacity(at.len());
        for (j, (k, z)) in at.iter().enumerate() {
            let size = z.iter().map(|z| z * z).sum::<f64>() + self.rest[*k];
            let deviation = (size / self.width + self.epsilon).sqrt();
            for i in 0..raw.nrows() {
                raw[(i, j)] += self.through.fixed[(i, *k)];
                (values[(i, j)], slopes[(i, j)]) = gelu(raw[(i, j)] / deviation + self.bias[i]);
            }
            deviations.push(deviation);
        }
        Pass { raw, deviations, values, slopes }
    }

    fn together(&self, at: &[At<'_>]) -> Vec<(f64, Vec<f64>)> {
        let Pass { raw, deviations, values, slopes } = self.pass(at);
        let inside = product(self.span.transpose(), values.as_ref());
        let mut rest = values - product(self.span.as_ref(), inside.as_ref());
        let (mut told, mut pulls) = (Vec::with_capacity(at.len()), Vec::with_capacity(at.len()));
        for j in 0..at.len() {
            let mut along = 0.0;
            told.push(rest.col(j).squared_norm_l2() / self.size);
            for i in 0..rest.nrows() {
                rest[(i, j)] *= 2.0 * slopes[(i, j)] / (self.size * deviations[j]);
                along += rest[(i, j)] * raw[(i, j)];
            }
            pulls.push(along / (self.width * deviations[j].powi(2)));
        }
        let slope = product(self.through.ways.transpose(), rest.as_ref());
        let each = |(j, value): (usize, f64)| {
            let z = slope.col(j).iter().zip(at[j].1);
            (value, z.map(|(slope, z)| slope - pulls[j] * z).collect())
        };
        told.into_iter().enumerate().map(each).collect()
    }
}

/// A forward pass with what its derivative needs.
struct Pass {
    raw: Mat<f64>,
    deviations: Vec<f64>,
    values: Mat<f64>,
    slopes: Mat<f64>,
}
