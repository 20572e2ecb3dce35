//! Classifier heads as data: what a training run hands over, checked once.

mod circuit;
mod literal;
mod twin;

pub use circuit::{Circuit, Powers};
pub use literal::{Affine, HeadLiteral, Map, Matrix, Normalisation};

use crate::{ClassifyError, Result};

/// Largest width, rank or number of classes.
const MOST: usize = 4096;
/// Largest JSON that is read.
const MOST_BYTES: usize = 1 << 28;

/// A checked head. Invariants: every length agrees, every number is finite, gains and bound are positive, a
/// polynomial has degree 2 or 4 with a leading coefficient that is not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    literal: HeadLiteral,
    circuit: Circuit,
}

impl Head {
    /// Checks a literal.
    ///
    /// # Errors
    /// [`ClassifyError::Length`], [`ClassifyError::Value`].
    pub fn new(literal: HeadLiteral) -> Result<Self> {
        literal.check()?;
        let circuit = Circuit::of(&literal.map);
        Ok(Self { literal, circuit })
    }

    /// Reads a head from JSON.
    ///
    /// # Errors
    /// [`ClassifyError::TooLarge`], [`ClassifyError::Json`], or as [`Self::new`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MOST_BYTES {
            return Err(ClassifyError::TooLarge { found: bytes.len(), most: MOST_BYTES });
        }
        Self::new(serde_json::from_slice(bytes)?)
    }

    /// The head as JSON.
    ///
    /// # Errors
    /// [`ClassifyError::Json`].
    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.literal)?)
    }

    /// The head as it was given.
    pub fn literal(&self) -> &HeadLiteral {
        &self.literal
    }

    /// The form in which it is evaluated.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Features a token has.
    pub fn width(&self) -> usize {
        self.literal.normalisation.mean.len()
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.circuit.classes()
    }

    /// What the asker encrypts: `clamp((x_j - mean_j)·gain_j)` within the bound.
    ///
    /// # Errors
    /// [`ClassifyError::Width`], [`ClassifyError::NotFinite`].
    pub fn normalise(&self, index: usize, token: &[f64]) -> Result<Vec<f64>> {
        const OP: &str = "normalise";
        if token.len() != self.width() {
            return Err(ClassifyError::Width { op: OP, index, found: token.len(), expected: self.width() });
        }
        if let Some((place, &value)) = token.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(ClassifyError::NotFinite { op: OP, index, place, value });
        }
        let n = &self.literal.normalisation;
        let one = |((x, m), g): ((&f64, &f64), &f64)| ((x - m) * g).clamp(-n.bound, n.bound);
        Ok(token.iter().zip(&n.mean).zip(&n.gain).map(one).collect())
    }
}
