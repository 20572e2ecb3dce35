//! Classifier heads as data: what a training run hands over, checked once.

mod circuit;
mod file;
mod literal;
mod tensors;
mod twin;

pub use circuit::{Circuit, Powers};
pub use literal::{Affine, Clipped, HeadLiteral, Map, Matrix, Normalisation};

use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

/// Largest width, rank or number of classes.
pub(crate) const MOST: usize = 4096;
/// Largest file that is read.
const MOST_BYTES: usize = 1 << 28;
/// Most bytes of a class's name.
const MOST_NAME: usize = 256;
/// Characters of a refused name that are shown.
const SHOWN: usize = 64;

/// A checked head. Invariants: every length agrees, every number is finite, gains and bound are positive, a
/// polynomial has degree 2 or 4 with a leading coefficient that is not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    literal: HeadLiteral,
    circuit: Circuit,
    notes: Notes,
}

/// What travels with a head's file and is no part of what is evaluated: plans and the digest stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Notes {
    /// Names of the classes, one a logit; empty where nobody said them.
    names: Vec<String>,
    /// Digest of the backbone whose tokens it takes; none where nobody said it.
    backbone: Option<[u8; 32]>,
}

impl Head {
    /// Checks a literal.
    ///
    /// # Errors
    /// [`Error::Length`] for a part of another length than the rest asks for; [`Error::Value`] for a number that
    /// cannot be used.
    pub fn new(literal: HeadLiteral) -> Result<Self> {
        literal.check()?;
        let circuit = Circuit::of(&literal.map);
        Ok(Self { literal, circuit, notes: Notes::default() })
    }

    /// The same with the names of its classes, in the order of the logits. They travel with its file and are no part of what is
    /// evaluated.
    ///
    /// # Errors
    /// [`Error::Length`] unless there is one a logit; [`Error::ClassName`] for one that is empty, too long, or there twice.
    pub fn of_classes(self, names: Vec<String>) -> Result<Self> {
        let (found, classes) = (names.len(), self.classes());
        if found != classes {
            return Err(Error::Length { field: "classes", found, expected: classes.to_string() });
        }
        let usable = |(at, name): (usize, &String)| {
            !name.is_empty() && name.len() <= MOST_NAME && !names[..at].contains(name)
        };
        match names.iter().enumerate().find(|named| !usable(*named)) {
            Some((index, name)) => {
                Err(Error::ClassName { index, name: name.chars().take(SHOWN).collect(), most: MOST_NAME })
            }
            None => Ok(Self { notes: Notes { names, ..self.notes }, ..self }),
        }
    }

    /// The same with the digest of the backbone, preprocessing and pooling included, whose tokens it takes. It travels with its file and
    /// is no part of what is evaluated.
    #[must_use]
    pub fn of_backbone(mut self, backbone: Option<[u8; 32]>) -> Self {
        self.notes.backbone = backbone;
        self
    }

    /// Reads a head from JSON or `safetensors`, whichever the bytes are.
    ///
    /// # Errors
    /// As [`Self::from_json`] or [`Self::from_safetensors`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if tensors::is_tensors(bytes) { Self::from_safetensors(bytes) } else { Self::from_json(bytes) }
    }

    /// SHA-256 of the literal's JSON: its identity, whatever its classes are called.
    ///
    /// # Errors
    /// [`Error::Json`] where it cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest> {
        let json = serde_json::to_vec(&self.literal)?;
        Ok(Hasher::new("blindscope/classify/head/v1").absorb(&json).finish())
    }

    /// The head with a stated range of its units: `margin` times the largest size that these tokens reach.
    ///
    /// # Errors
    /// As [`Self::normalise`] and [`Self::new`].
    pub fn calibrated<T: AsRef<[f64]>>(&self, tokens: &[T], margin: f64) -> Result<Self> {
        let range = self.unit_range(tokens)? * margin;
        let stated = Self::new(HeadLiteral { range: Some(range), ..self.literal.clone() })?;
        Ok(Self { notes: self.notes.clone(), ..stated })
    }

    /// The head with a ball that tokens are shortened to: `margin` times the longest of these, so that with a margin of one
    /// or more it answers all of them as before. Every unit is then bounded for any token, without a stated range.
    ///
    /// # Errors
    /// As [`Self::normalise`] and [`Self::new`].
    pub fn within<T: AsRef<[f64]>>(&self, tokens: &[T], margin: f64) -> Result<Self> {
        let mut longest = f64::MIN_POSITIVE;
        for (i, token) in tokens.iter().enumerate() {
            longest = longest.max(self.norm(i, token.as_ref())?);
        }
        self.shortening_to(longest * margin)
    }

    /// The norm of a token as it is evaluated: normalised and clipped.
    ///
    /// # Errors
    /// As [`Self::normalise`].
    pub fn norm(&self, index: usize, token: &[f64]) -> Result<f64> {
        Ok(self.normalise(index, token)?.iter().map(|x| x * x).sum::<f64>().sqrt())
    }

    /// The head with a ball of this radius that normalised tokens are shortened to.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn shortening_to(&self, radius: f64) -> Result<Self> {
        let mut literal = self.literal.clone();
        literal.normalisation.radius = Some(radius);
        Ok(Self { notes: self.notes.clone(), ..Self::new(literal)? })
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

    /// Names of the classes, in the order of the logits; empty where the head does not say them.
    pub fn class_names(&self) -> &[String] {
        &self.notes.names
    }

    /// Digest of the backbone whose tokens it takes; none where the head does not say it.
    pub fn backbone(&self) -> Option<[u8; 32]> {
        self.notes.backbone
    }

    /// What the asker encrypts: `clamp((x_j - mean_j)·gain_j)` within the bound, shortened to the radius.
    ///
    /// # Errors
    /// [`Error::Width`] for a token of another width; [`Error::NotFinite`] for a token that holds something that is
    /// not a number.
    pub fn normalise(&self, index: usize, token: &[f64]) -> Result<Vec<f64>> {
        self.literal.normalisation.apply(index, token)
    }
}
