//! The model that a job ends in, and heads of training as heads of inference.

use super::{Error, Result};
use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{LinearHead, PolynomialHead};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "blindscope model 1";

/// Largest model file that is read.
const MOST_BYTES: usize = 1 << 28;

/// A model file: JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The file's format and version.
    format: String,
    /// The kind of job that it comes from.
    pub kind: String,
    /// Heads by name, the recommended one first.
    pub heads: Vec<NamedHead>,
    /// Examples behind it, over all sites.
    pub examples: u64,
    /// Sites behind it.
    pub sites: usize,
    /// Counts by true and predicted class on what the sites held back, summed under encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Vec<Vec<u64>>>,
}

/// A head with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHead {
    /// `ridge`, `lda`, `polynomial`, `nearest-mean`.
    pub name: String,
    /// The head.
    pub head: HeadLiteral,
}

impl Model {
    /// A model of these heads.
    pub(super) fn new(kind: &str, heads: Vec<(&str, HeadLiteral)>, examples: u64, sites: usize) -> Self {
        let heads = heads.into_iter().map(|(name, head)| NamedHead { name: name.to_owned(), head }).collect();
        Self { format: FORMAT.to_owned(), kind: kind.to_owned(), heads, examples, sites, validation: None }
    }

    /// The recommended head.
    ///
    /// # Errors
    /// [`Error::Bytes`] for a file without heads; [`Error::Head`] for one that cannot be evaluated.
    pub fn head(&self) -> Result<Head> {
        let first = self.heads.first();
        let first =
            first.ok_or_else(|| Error::Bytes { what: "model file", reason: "it holds no head".into() })?;
        Ok(Head::new(first.head.clone())?)
    }

    /// The head of a name.
    ///
    /// # Errors
    /// [`Error::Bytes`] when there is none; [`Error::Head`].
    pub fn head_named(&self, name: &str) -> Result<Head> {
        let found = self.heads.iter().find(|h| h.name == name);
        let names = || self.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = found.ok_or_else(|| Error::Bytes {
            what: "model file",
            reason: format!("no head `{name}`, there are: {}", names()),
        })?;
        Ok(Head::new(found.head.clone())?)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::Bytes`], [`Error::Head`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let bad = |reason: String| Error::Bytes { what: "model file", reason };
        if bytes.len() > MOST_BYTES {
            return Err(bad(format!("{} bytes, at most {MOST_BYTES} are read", bytes.len())));
        }
        let model: Self = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        if model.format != FORMAT {
            return Err(bad(format!("format `{}`, expected `{FORMAT}`", model.format)));
        }
        for head in &model.heads {
            Head::new(head.head.clone())?;
        }
        Ok(model)
    }

    /// The file's bytes: equal models give equal bytes.
    ///
    /// # Errors
    /// [`Error::Bytes`] for numbers that JSON has not.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Bytes { what: "model file", reason: e.to_string() })
    }
}

/// Rows of `width` values.
pub(super) fn matrix(values: &[f32], width: usize) -> Vec<Vec<f64>> {
    values.chunks(width.max(1)).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}

fn vector(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// A linear head on raw features as a head of inference; features are clamped to `±bound`.
pub fn linear_literal(head: &LinearHead, bound: f64) -> HeadLiteral {
    let layer = Affine { weights: matrix(&head.weight, head.width), bias: vector(&head.bias) };
    HeadLiteral { normalisation: Normalisation::identity(head.width, bound), map: Map::Linear { layer } }
}

/// A polynomial head as a head of inference. Its clipping range becomes the normalisation, `clip` deviations to each side,
/// and its first layer is rewritten for normalised features: W·s, b + W·m.
pub fn polynomial_literal(head: &PolynomialHead, clip: f64) -> HeadLiteral {
    let limits = || head.lowest.iter().zip(&head.highest).map(|(l, h)| (f64::from(*l), f64::from(*h)));
    let mean: Vec<f64> = limits().map(|(l, h)| f64::midpoint(l, h)).collect();
    let deviation: Vec<f64> = limits().map(|(l, h)| (h - l) / (2.0 * clip)).collect();
    let mut inner = Affine { weights: matrix(&head.weight1, head.width), bias: vector(&head.bias1) };
    for (row, bias) in inner.weights.iter_mut().zip(&mut inner.bias) {
        for ((w, m), s) in row.iter_mut().zip(&mean).zip(&deviation) {
            *bias += *w * m;
            *w *= s;
        }
    }
    let outer = Affine { weights: matrix(&head.weight2, head.bias1.len()), bias: vector(&head.bias2) };
    let gain = deviation.iter().map(|s| 1.0 / s).collect();
    HeadLiteral {
        normalisation: Normalisation { mean, gain, bound: clip },
        map: Map::Polynomial { inner, polynomial: vector(&head.polynomial), outer },
    }
}
