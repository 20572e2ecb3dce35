//! The gradient of one batch, in every parameter: what a site would upload in gradient-based federation, and what an
//! attacker of it would see.

use super::classifier::{Classifier, HeadGradient};
use crate::error::{Error, Result};
use crate::head::cross_entropy;
use crate::vit::{Parameters, Recording, Vit};

/// Loss and gradients of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchGradient {
    /// Mean cross-entropy.
    pub loss: f32,
    /// Gradient of every backbone parameter; dL/dE_pos is `positions`, dL/dW_patch is `patch.weight`
    /// (`[3·patch², d]`, patch values ordered channel, row, column).
    pub backbone: Parameters,
    /// Gradient at the logits `[b, classes]`.
    pub logits: Vec<f32>,
    /// Gradient of a linear head's weight `[classes, d]`; empty for a polynomial head.
    pub head_weight: Vec<f32>,
    /// Gradient of a linear head's bias `[classes]`; empty for a polynomial head.
    pub head_bias: Vec<f32>,
    /// Gradient at the normalised pixels `[b, 3, image, image]`.
    pub pixels: Vec<f32>,
}

/// The gradient of the mean cross-entropy of normalised `pixels: [b, 3, image, image]` and their labels.
///
/// # Errors
/// [`Error::Shape`] when pixels, labels and model disagree, [`Error::Data`] for a label without a class.
pub fn batch_gradient(
    model: &Vit,
    head: &Classifier,
    pixels: &[f32],
    labels: &[usize],
) -> Result<BatchGradient> {
    let (recording, head_gradient, d_class, (loss, d_logits)) = forward(model, head, pixels, labels)?;
    let mut backbone = model.parameters().gradient();
    let pixels = model.backward(&recording, &d_class, &mut backbone)?;
    let (head_weight, head_bias) = match head_gradient {
        HeadGradient::Linear { weight, bias } => (weight, bias),
        HeadGradient::Polynomial(_) => (Vec::new(), Vec::new()),
    };
    Ok(BatchGradient { loss, backbone, logits: d_logits, head_weight, head_bias, pixels })
}

/// The gradient of the same loss at the normalised pixels alone, `[b, 3, image, image]`: no parameter's is formed.
///
/// # Errors
/// As [`batch_gradient`].
pub fn pixel_gradient(model: &Vit, head: &Classifier, pixels: &[f32], labels: &[usize]) -> Result<Vec<f32>> {
    let (recording, _, d_class, _) = forward(model, head, pixels, labels)?;
    model.backward(&recording, &d_class, &mut model.parameters().untrained())
}

type Forward = (Recording, HeadGradient, Vec<f32>, (f32, Vec<f32>));

/// The recorded pass with the head's gradient, dL/d(CLS tokens), the loss and dL/d(logits).
fn forward(model: &Vit, head: &Classifier, pixels: &[f32], labels: &[usize]) -> Result<Forward> {
    head.check_width(model.config().width)?;
    if pixels.len() != labels.len() * model.config().pixels() {
        let expected = labels.len() * model.config().pixels();
        return Err(Error::shape("batch gradient", expected, pixels.len()));
    }
    if let Some(label) = labels.iter().find(|l| **l >= head.classes()) {
        return Err(Error::data("batch gradient", format!("label {label} of {} classes", head.classes())));
    }
    let recording = model.record(pixels, 0)?;
    let logits = head.logits(recording.cls_tokens())?;
    let (loss, d_logits) = cross_entropy(&logits, labels, head.classes());
    let (head_gradient, d_class) = head.backward(recording.cls_tokens(), &d_logits);
    Ok((recording, head_gradient, d_class, (loss, d_logits)))
}
