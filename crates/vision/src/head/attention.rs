//! Gated attention over the tiles of a slide, and a linear head on what it pools (Ilse et al., arXiv 1802.04712).
//!
//! Of rows `Z: [n, width]`: `s = (tanh(Z·Vᵀ + b) ⊙ σ(Z·Uᵀ + c))·w`, `a = softmax(s)`, the token `m = aᵀ·Z`, logits `W·m + d`.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::gradient::input_gradient;
use super::linear::{LinearHead, affine, affine_gradient, cross_entropy};
use crate::error::{Error, Result};
use crate::kernels::lanes::add_scaled;
use crate::kernels::softmax::softmax_rows;

/// The attention: which tiles of a slide count, and how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatedAttention {
    /// Width of a row.
    pub width: usize,
    /// V: `[hidden, width]`.
    pub value: Vec<f32>,
    /// b: `[hidden]`.
    pub value_bias: Vec<f32>,
    /// U: `[hidden, width]`.
    pub gate: Vec<f32>,
    /// c: `[hidden]`.
    pub gate_bias: Vec<f32>,
    /// w: `[hidden]`.
    pub score: Vec<f32>,
}

/// A slide as one token.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideToken {
    /// m: `[width]`.
    pub token: Vec<f32>,
    /// a: `[n]`, of sum one.
    pub weights: Vec<f32>,
}

/// What a pass leaves for the gradient.
struct Pass {
    /// tanh(Z·Vᵀ + b): `[n, hidden]`.
    value: Vec<f32>,
    /// σ(Z·Uᵀ + c): `[n, hidden]`.
    gate: Vec<f32>,
    pooled: SlideToken,
}

impl GatedAttention {
    /// Weights drawn uniformly within ±√(6/(inputs + outputs)) (Glorot and Bengio), biases of zero.
    pub fn random(width: usize, hidden: usize, rng: &mut impl Rng) -> Self {
        let mut draw = |count: usize, inputs: usize, outputs: usize| -> Vec<f32> {
            let most = (6.0 / (inputs + outputs) as f32).sqrt();
            (0..count).map(|_| rng.random_range(-most..most)).collect()
        };
        Self {
            width,
            value: draw(hidden * width, width, hidden),
            value_bias: vec![0.0; hidden],
            gate: draw(hidden * width, width, hidden),
            gate_bias: vec![0.0; hidden],
            score: draw(hidden, hidden, 1),
        }
    }

    /// The tensors in one order, V, b, U, c, w, each with whether it is a matrix.
    pub fn tensors_mut(&mut self) -> [(&mut Vec<f32>, bool); 5] {
        [
            (&mut self.value, true),
            (&mut self.value_bias, false),
            (&mut self.gate, true),
            (&mut self.gate_bias, false),
            (&mut self.score, false),
        ]
    }

    /// The tensors in the order of [`Self::tensors_mut`].
    pub fn tensors(&self) -> [&[f32]; 5] {
        [&self.value, &self.value_bias, &self.gate, &self.gate_bias, &self.score]
    }

    /// The token of a slide of `rows: [n, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for no row, or rows of another width.
    pub fn pool(&self, rows: &[f32]) -> Result<SlideToken> {
        Ok(self.pass(rows)?.pooled)
    }

    fn pass(&self, rows: &[f32]) -> Result<Pass> {
        let width = self.width.max(1);
        if rows.is_empty() || !rows.len().is_multiple_of(width) {
            return Err(Error::shape("pooling a slide", format!("rows of {width}"), rows.len()));
        }
        let mut value = affine(rows, &self.value, &self.value_bias, width);
        value.iter_mut().for_each(|v| *v = v.tanh());
        let mut gate = affine(rows, &self.gate, &self.gate_bias, width);
        gate.iter_mut().for_each(|g| *g = 1.0 / (1.0 + (-*g).exp()));
        let hidden = self.score.len().max(1);
        let score =
            |(v, g): (&[f32], &[f32])| v.iter().zip(g).zip(&self.score).map(|((v, g), w)| v * g * w).sum();
        let mut weights: Vec<f32> =
            value.chunks_exact(hidden).zip(gate.chunks_exact(hidden)).map(score).collect();
        let tiles = weights.len();
        softmax_rows(&mut weights, tiles);
        let mut token = vec![0.0; width];
        for (row, weight) in rows.chunks_exact(width).zip(&weights) {
            add_scaled(&mut token, row, *weight);
        }
        Ok(Pass { value, gate, pooled: SlideToken { token, weights } })
    }

    /// dL/d(parameters), tensor by tensor, from dL/dm.
    fn gradient(&self, rows: &[f32], pass: Pass, d_token: &[f32]) -> [Vec<f32>; 5] {
        let Pass { mut value, mut gate, pooled } = pass;
        let (width, hidden) = (self.width, self.score.len());
        let along = |row: &[f32]| -> f32 { row.iter().zip(d_token).map(|(z, d)| z * d).sum() };
        let d_weights: Vec<f32> = rows.chunks_exact(width).map(along).collect();
        let mean: f32 = d_weights.iter().zip(&pooled.weights).map(|(d, a)| d * a).sum();
        let mut d_score = vec![0.0; hidden];
        let rows_of_hidden = value.chunks_exact_mut(hidden).zip(gate.chunks_exact_mut(hidden));
        for ((value, gate), (d, a)) in rows_of_hidden.zip(d_weights.iter().zip(&pooled.weights)) {
            let d = a * (d - mean);
            let units = value.iter_mut().zip(gate.iter_mut()).zip(&self.score).zip(&mut d_score);
            for (((v, g), w), d_w) in units {
                *d_w += d * *v * *g;
                let (d_v, d_g) = (d * w * *g * (1.0 - *v * *v), d * w * *v * *g * (1.0 - *g));
                (*v, *g) = (d_v, d_g);
            }
        }
        let (d_value, d_value_bias) = affine_gradient(rows, &value, width, hidden);
        let (d_gate, d_gate_bias) = affine_gradient(rows, &gate, width, hidden);
        [d_value, d_value_bias, d_gate, d_gate_bias, d_score]
    }
}

/// Attention and the linear head on its token.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideClassifier {
    /// Pools the tiles.
    pub attention: GatedAttention,
    /// W and d.
    pub head: LinearHead,
}

/// The loss of one slide, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideGradient {
    /// Cross-entropy.
    pub loss: f32,
    /// The class of the largest logit.
    pub class: usize,
    /// dL/d(parameters), in the order of [`SlideClassifier::tensors_mut`], one tensor after another.
    pub values: Vec<f32>,
}

impl SlideClassifier {
    /// Random attention under a head of zeros: every class is as likely, whatever the seed.
    pub fn random(width: usize, hidden: usize, classes: usize, rng: &mut impl Rng) -> Self {
        let head = LinearHead { weight: vec![0.0; classes * width], bias: vec![0.0; classes], width };
        Self { attention: GatedAttention::random(width, hidden, rng), head }
    }

    /// Numbers of such a classifier.
    pub fn len_of(width: usize, hidden: usize, classes: usize) -> usize {
        2 * hidden * (width + 1) + hidden + classes * (width + 1)
    }

    /// The tensors in one order, the attention's, W, d, each with whether it is a matrix.
    pub fn tensors_mut(&mut self) -> impl Iterator<Item = (&mut Vec<f32>, bool)> {
        let head = [(&mut self.head.weight, true), (&mut self.head.bias, false)];
        self.attention.tensors_mut().into_iter().chain(head)
    }

    /// All numbers, in the order of [`Self::tensors_mut`].
    pub fn values(&self) -> Vec<f32> {
        let head = [self.head.weight.as_slice(), &self.head.bias];
        self.attention.tensors().into_iter().chain(head).flatten().copied().collect()
    }

    /// Takes all numbers from `values`. Range: as many as [`Self::len_of`] says.
    pub fn set_values(&mut self, values: &[f32]) {
        let mut values = values.iter();
        for (tensor, _) in self.tensors_mut() {
            tensor.iter_mut().zip(&mut values).for_each(|(to, from)| *to = *from);
        }
    }

    /// Loss and gradient of a slide of `rows: [n, width]` with this label.
    ///
    /// # Errors
    /// [`Error::Shape`] for no row or rows of another width; [`Error::Data`] for a label beyond the classes.
    pub fn gradient(&self, rows: &[f32], label: usize) -> Result<SlideGradient> {
        let (width, classes) = (self.attention.width, self.head.bias.len());
        if label >= classes {
            return Err(Error::data("training on slides", format!("label {label} of {classes} classes")));
        }
        let pass = self.attention.pass(rows)?;
        let logits = self.head.logits(&pass.pooled.token)?;
        let class = crate::metrics::argmax(&logits);
        let (loss, d_logits) = cross_entropy(&logits, &[label], classes);
        let (d_weight, d_bias) = affine_gradient(&pass.pooled.token, &d_logits, width, classes);
        let d_token = input_gradient(&d_logits, &self.head.weight, classes, width);
        let attention = self.attention.gradient(rows, pass, &d_token);
        let values = attention.into_iter().chain([d_weight, d_bias]).flatten().collect();
        Ok(SlideGradient { loss, class, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const WIDTH: usize = 5;

    fn rows(count: usize, rng: &mut StdRng) -> Vec<f32> {
        (0..count * WIDTH).map(|_| rng.random_range(-2.0..2.0)).collect()
    }

    /// A classifier with no number at zero: every path of the gradient is walked.
    fn classifier(rng: &mut StdRng) -> SlideClassifier {
        let mut classifier = SlideClassifier::random(WIDTH, 4, 3, rng);
        let values: Vec<f32> = classifier.values().iter().map(|_| rng.random_range(-0.8..0.8)).collect();
        classifier.set_values(&values);
        classifier
    }

    #[test]
    fn the_gradient_is_that_of_central_differences() -> Result<()> {
        let rng = &mut StdRng::seed_from_u64(5);
        let (classifier, rows) = (classifier(rng), rows(7, rng));
        let found = classifier.gradient(&rows, 1)?;
        assert_eq!(found.values.len(), SlideClassifier::len_of(WIDTH, 4, 3));
        let step = 1e-2;
        for (at, found) in found.values.iter().enumerate() {
            let loss = |step: f32| -> Result<f32> {
                let (mut moved, mut values) = (classifier.clone(), classifier.values());
                values[at] += step;
                moved.set_values(&values);
                Ok(moved.gradient(&rows, 1)?.loss)
            };
            let want = (loss(step)? - loss(-step)?) / (2.0 * step);
            assert!((found - want).abs() < 2e-3 * want.abs().max(0.2), "{at}: {found} for {want}");
        }
        Ok(())
    }

    #[test]
    fn a_token_lies_among_its_tiles_in_any_order() -> Result<()> {
        let rng = &mut StdRng::seed_from_u64(6);
        let (attention, rows) = (classifier(rng).attention, rows(9, rng));
        let pooled = attention.pool(&rows)?;
        assert!((pooled.weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let turned: Vec<f32> = rows.chunks(WIDTH).rev().flatten().copied().collect();
        for (a, b) in pooled.token.iter().zip(&attention.pool(&turned)?.token) {
            assert!((a - b).abs() < 1e-6);
        }
        let one = attention.pool(&rows[..WIDTH])?;
        assert_eq!(one.token, &rows[..WIDTH], "a slide of one tile is that tile");
        assert!(attention.pool(&[]).is_err() && attention.pool(&rows[1..]).is_err());
        Ok(())
    }
}
