//! The cosine distance of gradients and its derivative in pixels.
//!
//! With v = ∂D/∂g held fixed, ∂D/∂x = ∇ₓ⟨∇_w L(x, w), v⟩ = d/dε ∇ₓL(x, w + ε·v): a central difference of *first-order*
//! pixel gradients at two shifted models gives the second-order term to O(ε²), at three times the cost of one
//! gradient and with no second-order code. The shift is a fixed share of the weights' own length.

use crate::error::{Error, Result};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{BatchGradient, Classifier, batch_gradient};
use blindscope_vision::vit::{Parameters, Vit};

const OPERATION: &str = "gradient matching";

/// |ε·v| over |w|: large enough for `f32` pixel gradients to differ in their upper half, small enough for the cubic
/// term to stay below.
const SHIFT: f64 = 1e-4;

/// An observed gradient, the model it is of, and the labels (known, or from [`crate::label`]).
#[derive(Debug)]
pub struct Objective<'a> {
    model: &'a Vit,
    head: &'a LinearHead,
    labels: Vec<usize>,
    target: Flat,
}

/// A gradient of backbone and head as lists of values.
#[derive(Clone, Debug)]
struct Flat {
    backbone: Parameters,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The objective at some images.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// 1 − cosine.
    pub distance: f64,
    /// Its derivative, `[b, 3, image, image]`.
    pub pixels: Vec<f32>,
}

impl Flat {
    fn of(gradient: BatchGradient) -> Self {
        let BatchGradient { backbone, head_weight, head_bias, .. } = gradient;
        Self { backbone, weight: head_weight, bias: head_bias }
    }

    fn parts(&self) -> Vec<&[f32]> {
        let mut parts: Vec<&[f32]> = self.backbone.tensors().into_iter().map(Vec::as_slice).collect();
        parts.extend([self.weight.as_slice(), &self.bias]);
        parts
    }

    /// Inner product over the tensors that both hold.
    fn dot(&self, other: &Self) -> f64 {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs.filter(|(a, b)| a.len() == b.len()).map(|(a, b)| dot(a, b)).sum()
    }

    /// a·self + b·other where both are held, nothing elsewhere.
    fn combine(&self, a: f64, other: &Self, b: f64) -> Self {
        let mut out = self.clone();
        for (x, y) in out.backbone.tensors_mut().into_iter().zip(other.backbone.tensors()) {
            mix(x, a, y, b);
        }
        mix(&mut out.weight, a, &other.weight, b);
        mix(&mut out.bias, a, &other.bias, b);
        out
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Sixty-four products in f32 are short enough to lose nothing that matters; the rest is summed in f64.
    a.chunks(64)
        .zip(b.chunks(64))
        .map(|(a, b)| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()))
        .sum()
}

fn mix(x: &mut Vec<f32>, a: f64, y: &[f32], b: f64) {
    if x.len() != y.len() {
        x.clear();
    }
    let (a, b) = (a as f32, b as f32);
    for (x, y) in x.iter_mut().zip(y) {
        *x = a * *x + b * y;
    }
}

impl<'a> Objective<'a> {
    /// The objective of an observed gradient: `backbone` (tensors may be missing), and the head's `weight`
    /// `[classes, d]` and `bias` `[classes]` (may be empty).
    ///
    /// # Errors
    /// [`Error::Shape`] without a label, or for another model's gradient; [`Error::NotFinite`] for a gradient that is not finite.
    pub fn new(
        model: &'a Vit,
        head: &'a LinearHead,
        labels: Vec<usize>,
        backbone: Parameters,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Self> {
        let tensors = model.parameters().tensors();
        let fits = backbone.tensors().len() == tensors.len()
            && backbone.tensors().iter().zip(&tensors).all(|(g, p)| g.is_empty() || g.len() == p.len());
        if labels.is_empty() || !fits {
            return Err(Error::shape(OPERATION, "labels and the model's own gradient", labels.len()));
        }
        let target = Flat { backbone, weight, bias };
        if !target.dot(&target).is_finite() {
            return Err(Error::NotFinite { operation: OPERATION, what: "the observed gradient" });
        }
        Ok(Self { model, head, labels, target })
    }

    /// Images in the batch.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// The model under attack.
    pub fn model(&self) -> &Vit {
        self.model
    }

    /// 1 − cosine between the gradient at `pixels: [b, 3, image, image]` and the observed one.
    ///
    /// # Errors
    /// [`Error::Vision`] for pixels of another size.
    pub fn distance(&self, pixels: &[f32]) -> Result<f64> {
        let head = Classifier::Linear(self.head.clone());
        let g = Flat::of(batch_gradient(self.model, &head, pixels, &self.labels)?);
        Ok(1.0 - self.cosine(&g).0)
    }

    fn cosine(&self, g: &Flat) -> (f64, f64, f64) {
        let shared = g.combine(1.0, &self.target, 0.0);
        let (length, target) =
            (shared.dot(&shared).sqrt().max(1e-30), self.target.dot(&self.target).sqrt().max(1e-30));
        (g.dot(&self.target) / (length * target), length, target)
    }

    /// The distance and its derivative in pixels.
    ///
    /// # Errors
    /// As [`Objective::distance`].
    pub fn evaluate(&self, pixels: &[f32]) -> Result<Evaluation> {
        let head = Classifier::Linear(self.head.clone());
        let g = Flat::of(batch_gradient(self.model, &head, pixels, &self.labels)?);
        let (cosine, length, target) = self.cosine(&g);
        // dD/dg = −g*/(|g|·|g*|) + cos·g/|g|²
        let v = g.combine(cosine / (length * length), &self.target, -1.0 / (length * target));
        let size = v.dot(&v).sqrt();
        if size == 0.0 {
            return Ok(Evaluation { distance: 1.0 - cosine, pixels: vec![0.0; pixels.len()] });
        }
        let epsilon = SHIFT * self.weights() / size;
        let ahead = self.pixel_gradient(&v, epsilon, pixels)?;
        let behind = self.pixel_gradient(&v, -epsilon, pixels)?;
        let scale = 1.0 / (2.0 * epsilon);
        let derivative = ahead
            .iter()
            .zip(&behind)
            .map(|(a, b)| ((f64::from(*a) - f64::from(*b)) * scale) as f32)
            .collect();
        Ok(Evaluation { distance: 1.0 - cosine, pixels: derivative })
    }

    /// Length of the weights that are shared.
    fn weights(&self) -> f64 {
        let parameters = self.model.parameters().tensors();
        let shared = parameters.iter().zip(self.target.backbone.tensors()).filter(|(_, g)| !g.is_empty());
        shared.map(|(p, _)| dot(p, p)).sum::<f64>().sqrt().max(1e-3)
    }

    /// ∇ₓL at the model shifted by `epsilon`·`v`.
    fn pixel_gradient(&self, v: &Flat, epsilon: f64, pixels: &[f32]) -> Result<Vec<f32>> {
        let mut parameters = self.model.parameters().clone();
        for (p, v) in parameters.tensors_mut().into_iter().zip(v.backbone.tensors()) {
            shift(p, v, epsilon);
        }
        let mut head = self.head.clone();
        shift(&mut head.weight, &v.weight, epsilon);
        shift(&mut head.bias, &v.bias, epsilon);
        let model = Vit::new(self.model.config().clone(), parameters)?;
        Ok(blindscope_vision::train::pixel_gradient(&model, &Classifier::Linear(head), pixels, &self.labels)?)
    }
}

fn shift(p: &mut [f32], v: &[f32], epsilon: f64) {
    for (p, v) in p.iter_mut().zip(v) {
        *p = (f64::from(*p) + epsilon * f64::from(*v)) as f32;
    }
}
