//! The gradient of one batch, in every parameter: what a site would upload in gradient-based federation, and what an
//! attacker of it would see.

use super::classifier::Classifier;
use crate::error::{Error, Result};
use crate::head::cross_entropy;
use crate::vit::{Parameters, Vit};

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
    head.check_width(model.config().width)?;
    if pixels.len() != labels.len() * model.config().pixels() {
        let expected = labels.len() * model.config().pixels();
        return Err(Error::shape("batch gradient", expected, pixels.len()));
    }
    if let Some(label) = labels.iter().find(|l| **l >= head.classes()) {
        return Err(Error::data("batch gradient", format!("label {label} of {} classes", head.classes())));
    }
    let recording = model.record(pixels, 0)?;
    let logits = head.logits(recording.class_tokens())?;
    let (loss, d_logits) = cross_entropy(&logits, labels, head.classes());
    let (head_gradient, d_class) = head.backward(recording.class_tokens(), &d_logits);
    let mut backbone = model.parameters().gradient();
    let pixels = model.backward(&recording, &d_class, &mut backbone)?;
    let (head_weight, head_bias) = match head_gradient {
        super::classifier::HeadGradient::Linear { weight, bias } => (weight, bias),
        super::classifier::HeadGradient::Polynomial(_) => (Vec::new(), Vec::new()),
    };
    Ok(BatchGradient { loss, backbone, logits: d_logits, head_weight, head_bias, pixels })
}
