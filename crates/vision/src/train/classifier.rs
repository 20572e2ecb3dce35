//! A head of either kind on top of a backbone.

use crate::error::{Error, Result};
use crate::head::{Activation, AdamW, LinearHead, PolynomialGradient, PolynomialHead};

/// The head that is trained with a backbone.
#[derive(Clone, Debug, PartialEq)]
pub enum Classifier {
    /// One layer.
    Linear(LinearHead),
    /// Two layers with a polynomial between them.
    Polynomial {
        /// The head.
        head: PolynomialHead,
        /// Whether its polynomial is trained.
        activation: Activation,
        /// |h| that training keeps to.
        range: f32,
    },
}

/// A head's gradient, and the loss's gradient with respect to the CLS tokens.
pub(super) enum HeadGradient {
    Linear { weight: Vec<f32>, bias: Vec<f32> },
    Polynomial(Box<PolynomialGradient>),
}

impl Classifier {
    /// Logits `[n, classes]` of CLS tokens `[n, d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for tokens of another width.
    pub fn logits(&self, class: &[f32]) -> Result<Vec<f32>> {
        match self {
            Self::Linear(head) => head.logits(class),
            Self::Polynomial { head, .. } => head.logits(class),
        }
    }

    /// Classes of the head.
    pub fn classes(&self) -> usize {
        match self {
            Self::Linear(head) => head.bias.len(),
            Self::Polynomial { head, .. } => head.bias2.len(),
        }
    }

    pub(super) fn check_width(&self, width: usize) -> Result<()> {
        let got = match self {
            Self::Linear(head) => head.width,
            Self::Polynomial { head, .. } => head.width,
        };
        if got == width { Ok(()) } else { Err(Error::shape("head on a backbone", width, got)) }
    }

    /// The head's gradient and dL/d(CLS tokens); a token beyond the clipping range passes none on.
    pub(super) fn backward(&self, class: &[f32], d_logits: &[f32]) -> (HeadGradient, Vec<f32>) {
        match self {
            Self::Linear(head) => {
                let g = head.gradient(class, d_logits);
                (HeadGradient::Linear { weight: g.weight, bias: g.bias }, g.rows)
            }
            Self::Polynomial { head, range, .. } => {
                let clipped = head.clip(class);
                let mut g = head.gradient(&clipped, d_logits, *range);
                let mut rows = std::mem::take(&mut g.rows);
                for ((d, x), kept) in rows.iter_mut().zip(class).zip(&clipped) {
                    if x.to_bits() != kept.to_bits() {
                        *d = 0.0;
                    }
                }
                (HeadGradient::Polynomial(Box::new(g)), rows)
            }
        }
    }

    pub(super) fn step(&mut self, gradient: &HeadGradient, optimiser: &mut AdamW) {
        match (self, gradient) {
            (Self::Linear(head), HeadGradient::Linear { weight, bias }) => {
                let tensors =
                    [(head.weight.as_mut_slice(), weight.as_slice(), true), (&mut head.bias, bias, false)];
                optimiser.step(tensors.into_iter());
            }
            (Self::Polynomial { head, activation, .. }, HeadGradient::Polynomial(gradient)) => {
                optimiser.step(head.tensors(gradient, *activation));
            }
            _ => {}
        }
    }
}
