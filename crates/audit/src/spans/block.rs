//! The first block up to its hidden values, in `f64`, with its derivative: x → LN → attention → + x → LN → fc1 → GELU.
//!
//! Tokens stand in columns, `[d, t]`, so that normalisation and softmax run along memory.

use faer::{Mat, MatRef};

use super::gelu::gelu;
use super::softmax::{softmax_columns, softmax_columns_backward};
use crate::linear::{product, widen};
use blindscope_vision::vit::{BlockParameters, Config, Linear, Norm};

/// One layer normalisation.
#[derive(Debug)]
struct Normalise {
    gamma: Vec<f64>,
    beta: Vec<f64>,
    epsilon: f64,
}

/// A linear layer, weight `[outputs, inputs]`.
#[derive(Debug)]
struct Layer {
    weight: Mat<f64>,
    bias: Vec<f64>,
}

/// The block's weights.
#[derive(Debug)]
pub(super) struct Block {
    heads: usize,
    norm1: Normalise,
    qkv: Layer,
    proj: Layer,
    scale: Vec<f64>,
    norm2: Normalise,
    fc1: Layer,
}

/// A forward pass with what its derivative needs.
#[derive(Debug)]
pub(super) struct Pass {
    unit1: (Mat<f64>, Vec<f64>),
    qkv: Mat<f64>,
    probabilities: Vec<Mat<f64>>,
    unit2: (Mat<f64>, Vec<f64>),
    slope: Mat<f64>,
    /// The second normalisation's output, `[d, t]`: what fc1 reads.
    pub(super) normed: Mat<f64>,
    /// GELU's output, `[f, t]`: what fc2 reads.
    pub(super) hidden: Mat<f64>,
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

impl Normalise {
    fn new(norm: &Norm, epsilon: f32) -> Self {
        Self { gamma: wide(&norm.gamma), beta: wide(&norm.beta), epsilon: f64::from(epsilon) }
    }

    /// Columns of mean 0 and deviation 1, and one over their deviations.
    fn unit(&self, x: &Mat<f64>) -> (Mat<f64>, Vec<f64>) {
        let (mut out, n) = (x.clone(), x.nrows() as f64);
        let inverse = (0..x.ncols())
            .map(|k| {
                let mean = (0..x.nrows()).map(|i| x[(i, k)]).sum::<f64>() / n;
                let variance = (0..x.nrows()).map(|i| (x[(i, k)] - mean).powi(2)).sum::<f64>() / n;
                let inverse = 1.0 / (variance + self.epsilon).sqrt();
                for i in 0..x.nrows() {
                    out[(i, k)] = (x[(i, k)] - mean) * inverse;
                }
                inverse
            })
            .collect();
        (out, inverse)
    }

    fn affine(&self, unit: &Mat<f64>) -> Mat<f64> {
        Mat::from_fn(unit.nrows(), unit.ncols(), |i, k| unit[(i, k)] * self.gamma[i] + self.beta[i])
    }

    /// dL/dx from dL/dy.
    fn backward(&self, dy: &Mat<f64>, (unit, inverse): &(Mat<f64>, Vec<f64>)) -> Mat<f64> {
        let (d, n) = (dy.nrows(), dy.nrows() as f64);
        let mut out = Mat::from_fn(d, dy.ncols(), |i, k| dy[(i, k)] * self.gamma[i]);
        for k in 0..dy.ncols() {
            let mean = (0..d).map(|i| out[(i, k)]).sum::<f64>() / n;
            let along = (0..d).map(|i| out[(i, k)] * unit[(i, k)]).sum::<f64>() / n;
            for i in 0..d {
                out[(i, k)] = inverse[k] * (out[(i, k)] - mean - unit[(i, k)] * along);
            }
        }
        out
    }
}

impl Layer {
    fn new(layer: &Linear) -> Self {
        let weight = widen(&layer.weight, layer.inputs, layer.outputs).transpose().to_owned();
        Self { weight, bias: wide(&layer.bias) }
    }

    fn forward(&self, x: &Mat<f64>) -> Mat<f64> {
        let mut y = product(self.weight.as_ref(), x.as_ref());
        if !self.bias.is_empty() {
            for k in 0..y.ncols() {
                for i in 0..y.nrows() {
                    y[(i, k)] += self.bias[i];
                }
            }
        }
        y
    }

    fn backward(&self, dy: &Mat<f64>) -> Mat<f64> {
        product(self.weight.transpose(), dy.as_ref())
    }
}

impl Block {
    pub(super) fn new(config: &Config, block: &BlockParameters) -> Self {
        let scale = if block.scale1.is_empty() { vec![1.0; config.width] } else { wide(&block.scale1) };
        Self {
            heads: config.heads,
            norm1: Normalise::new(&block.norm1, config.norm_epsilon),
            qkv: Layer::new(&block.qkv),
            proj: Layer::new(&block.proj),
            scale,
            norm2: Normalise::new(&block.norm2, config.norm_epsilon),
            fc1: Layer::new(&block.fc1),
        }
    }

    /// Q, K or V of one head, `[e, t]`.
    fn part<'a>(&self, qkv: &'a Mat<f64>, part: usize, head: usize) -> MatRef<'a, f64> {
        let d = qkv.nrows() / 3;
        let e = d / self.heads;
        qkv.as_ref().subrows(part * d + head * e, e)
    }

    pub(super) fn forward(&self, x: &Mat<f64>) -> Pass {
        let unit1 = self.norm1.unit(x);
        let qkv = self.qkv.forward(&self.norm1.affine(&unit1.0));
        let (d, e) = (x.nrows(), x.nrows() / self.heads);
        let scale = 1.0 / (e as f64).sqrt();
        let (mut mixed, mut probabilities) = (Mat::zeros(d, x.ncols()), Vec::with_capacity(self.heads));
        for head in 0..self.heads {
            let [q, k, v] = [0, 1, 2].map(|p| self.part(&qkv, p, head));
            // Keys in rows, queries in columns.
            let mut scores = product(k.transpose(), q);
            softmax_columns(&mut scores, scale);
            mixed.as_mut().subrows_mut(head * e, e).copy_from(product(v, scores.as_ref()));
            probabilities.push(scores);
        }
        let branch = self.proj.forward(&mixed);
        let middle = Mat::from_fn(d, x.ncols(), |i, k| x[(i, k)] + self.scale[i] * branch[(i, k)]);
        let unit2 = self.norm2.unit(&middle);
        let normed = self.norm2.affine(&unit2.0);
        let mut hidden = self.fc1.forward(&normed);
        let mut slope = Mat::zeros(hidden.nrows(), hidden.ncols());
        for k in 0..hidden.ncols() {
            for i in 0..hidden.nrows() {
                (hidden[(i, k)], slope[(i, k)]) = gelu(hidden[(i, k)]);
            }
        }
        Pass { unit1, qkv, probabilities, unit2, slope, normed, hidden }
    }

    /// dL/dx from dL/d(normed) and dL/d(hidden).
    pub(super) fn backward(&self, pass: &Pass, d_normed: &Mat<f64>, d_hidden: &Mat<f64>) -> Mat<f64> {
        let before =
            Mat::from_fn(d_hidden.nrows(), d_hidden.ncols(), |i, k| d_hidden[(i, k)] * pass.slope[(i, k)]);
        let d_normed = self.fc1.backward(&before) + d_normed;
        let d_middle = self.norm2.backward(&d_normed, &pass.unit2);
        let branch =
            Mat::from_fn(d_middle.nrows(), d_middle.ncols(), |i, k| self.scale[i] * d_middle[(i, k)]);
        let d_mixed = self.proj.backward(&branch);
        let (d, e) = (d_mixed.nrows(), d_mixed.nrows() / self.heads);
        let scale = 1.0 / (e as f64).sqrt();
        let mut d_qkv = Mat::zeros(3 * d, d_mixed.ncols());
        for (head, p) in pass.probabilities.iter().enumerate() {
            let [q, k, v] = [0, 1, 2].map(|part| self.part(&pass.qkv, part, head));
            let out = d_mixed.as_ref().subrows(head * e, e);
            let mut d_scores = product(v.transpose(), out);
            softmax_columns_backward(&mut d_scores, p, scale);
            let gradients = [
                product(k, d_scores.as_ref()),
                product(q, d_scores.transpose()),
                product(out, p.transpose()),
            ];
            for (part, g) in gradients.iter().enumerate() {
                d_qkv.as_mut().subrows_mut(part * d + head * e, e).copy_from(g);
            }
        }
        d_middle + self.norm1.backward(&self.qkv.backward(&d_qkv), &pass.unit1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_vision::vit::{Parameters, Vit};

    /// A model of one block whose tokens before it are its positions: patches and CLS token are zero.
    fn one_block(heads: usize, layer_scale: bool) -> (Config, Parameters) {
        let config = Config { layer_scale, ..Config::plain(32, 8, 24, 1, heads) };
        let mut parameters = Parameters::zeros(&config);
        let mut at = 0u32;
        let mut varied = |values: &mut Vec<f32>, size: f32, around: f32| {
            for value in values {
                at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = around + size * ((at >> 8) as f32 / (1 << 24) as f32 - 0.5);
            }
        };
        varied(&mut parameters.positions, 4.0, 0.0);
        let block = &mut parameters.blocks[0];
        for layer in [&mut block.qkv, &mut block.proj, &mut block.fc1, &mut block.fc2] {
            varied(&mut layer.weight, 0.5, 0.0);
            varied(&mut layer.bias, 0.5, 0.0);
        }
        for norm in [&mut block.norm1, &mut block.norm2] {
            varied(&mut norm.gamma, 1.0, 1.0);
            varied(&mut norm.beta, 1.0, 0.0);
        }
        varied(&mut block.scale1, 1.0, 1.0);
        varied(&mut block.scale2, 1.0, 1.0);
        (config, parameters)
    }

    /// What vision's forward pass gives for all tokens, `[d, t]`.
    fn tokens(config: &Config, parameters: Parameters) -> Mat<f64> {
        let model = Vit::new(config.clone(), parameters).unwrap();
        let out = model.tokens(&vec![0.0; config.pixels()]).unwrap();
        Mat::from_fn(config.width, config.tokens(), |i, k| f64::from(out[k * config.width + i]))
    }

    fn start(config: &Config, parameters: &Parameters) -> Mat<f64> {
        let d = config.width;
        Mat::from_fn(d, config.tokens(), |i, k| f64::from(parameters.positions[k * d + i]))
    }

    fn furthest(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
        let places = (0..a.ncols()).flat_map(|k| (0..a.nrows()).map(move |i| (i, k)));
        places.map(|at| (a[at] - b[at]).abs()).fold(0.0, f64::max)
    }

    /// With nothing added by the second half, the final normalisation of vision's pass is what fc1 reads here.
    #[test]
    fn the_first_half_is_visions() {
        for (heads, layer_scale) in [(1, false), (3, true), (4, false)] {
            let (config, mut parameters) = one_block(heads, layer_scale);
            let pass = Block::new(&config, &parameters.blocks[0]).forward(&start(&config, &parameters));
            parameters.blocks[0].fc2.weight.fill(0.0);
            parameters.blocks[0].fc2.bias.fill(0.0);
            parameters.norm = parameters.blocks[0].norm2.clone();
            let error = furthest(&pass.normed, &tokens(&config, parameters));
            assert!(error < 1e-4, "{heads} heads: {error}");
        }
    }

    /// With nothing added by the first half, vision's pass is the tokens and what fc2 makes of the hidden values here.
    #[test]
    fn the_hidden_values_are_visions() {
        for layer_scale in [false, true] {
            let (config, mut parameters) = one_block(3, layer_scale);
            parameters.blocks[0].proj.weight.fill(0.0);
            parameters.blocks[0].proj.bias.fill(0.0);
            let (block, x) = (&parameters.blocks[0], start(&config, &parameters));
            let pass = Block::new(&config, block).forward(&x);
            let branch = Layer::new(&block.fc2).forward(&pass.hidden);
            let scale = if layer_scale { wide(&block.scale2) } else { vec![1.0; config.width] };
            let out = Mat::from_fn(x.nrows(), x.ncols(), |i, k| x[(i, k)] + scale[i] * branch[(i, k)]);
            let norm = Normalise::new(&parameters.norm, config.norm_epsilon);
            let expected = norm.affine(&norm.unit(&out).0);
            let error = furthest(&expected, &tokens(&config, parameters));
            assert!(error < 1e-4, "{error}");
        }
    }
}
