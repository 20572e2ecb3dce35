//! A head as its JSON tells it, before any check.

use serde::{Deserialize, Serialize};

use super::MOST;
use crate::{Error, Result};

/// Rows of equal length.
pub type Matrix = Vec<Vec<f64>>;

/// A head before any check, in the shape of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLiteral {
    /// Applied by the asker before encryption; public.
    pub normalisation: Normalisation,
    /// From normalised features to logits.
    pub map: Map,
    /// Size that no unit of the first layer exceeds on the tokens to be asked, as they are evaluated (see
    /// [`crate::Head::unit_range`]), where that is known to be smaller than what clipping alone allows. A token that
    /// breaks it is answered wrongly: plans only leave room for what is stated here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
}

/// `clamp((x_j - mean_j)·gain_j, -bound, bound)`, then shortened to `radius` where it is longer.
///
/// The box and the ball are part of the head: it is learned, evaluated in the clear and asked under encryption with the same
/// clip, so what a plan keeps room for is a fact of every token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// One a feature.
    pub mean: Vec<f64>,
    /// One a feature, positive.
    pub gain: Vec<f64>,
    /// Largest size of a normalised feature; it bounds every value of the encrypted circuit.
    pub bound: f64,
    /// Largest Euclidean norm of a normalised token, where the box alone does not bound it well enough: a unit stays within
    /// `|b| + radius·‖w‖₂`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
}

/// How often the clip of a [`Normalisation`] acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clipped {
    /// Features that were cut to the bound.
    pub features: usize,
    /// Tokens that were shortened to the radius.
    pub tokens: usize,
}

impl Normalisation {
    /// Leaves tokens as they are, clamped to `bound`.
    pub fn identity(width: usize, bound: f64) -> Self {
        Self { mean: vec![0.0; width], gain: vec![1.0; width], bound, radius: None }
    }

    /// How often the clip acts on these tokens: what a user should hear of, since such a token is answered as the clipped one.
    ///
    /// # Errors
    /// [`Error::Width`] for a token of another width; [`Error::NotFinite`] for a token that holds something that is
    /// not a number.
    pub fn clipped<T: AsRef<[f64]>>(&self, tokens: &[T]) -> Result<Clipped> {
        let mut clipped = Clipped::default();
        for (i, token) in tokens.iter().enumerate() {
            let acted = self.clip(i, token.as_ref())?.1;
            clipped.features += acted.features;
            clipped.tokens += acted.tokens;
        }
        Ok(clipped)
    }

    /// The largest norm that a clipped token can have.
    pub(crate) fn longest(&self) -> f64 {
        let corner = self.bound * (self.mean.len() as f64).sqrt();
        self.radius.map_or(corner, |radius| radius.min(corner))
    }

    /// The clipped token; `index` names it in errors.
    pub(crate) fn apply(&self, index: usize, token: &[f64]) -> Result<Vec<f64>> {
        Ok(self.clip(index, token)?.0)
    }

    fn clip(&self, index: usize, token: &[f64]) -> Result<(Vec<f64>, Clipped)> {
        const OP: &str = "normalise";
        let (found, expected) = (token.len(), self.mean.len());
        if found != expected {
            return Err(Error::Width { op: OP, index, found, expected });
        }
        if let Some((place, &value)) = token.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NotFinite { op: OP, index, place, value });
        }
        let mut clipped = Clipped::default();
        let one = |((x, m), g): ((&f64, &f64), &f64)| {
            let z = (x - m) * g;
            clipped.features += usize::from(z.abs() > self.bound);
            z.clamp(-self.bound, self.bound)
        };
        let mut x: Vec<f64> = token.iter().zip(&self.mean).zip(&self.gain).map(one).collect();
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        if let Some(radius) = self.radius.filter(|radius| norm > *radius) {
            clipped.tokens = 1;
            for x in &mut x {
                *x *= radius / norm;
            }
        }
        Ok((x, clipped))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let width = self.mean.len();
        size("normalisation.mean", width)?;
        length("normalisation.gain", self.gain.len(), width)?;
        finite("normalisation.mean", &self.mean)?;
        self.gain
            .iter()
            .chain([&self.bound])
            .try_for_each(|&v| positive("normalisation.gain or bound", v))?;
        self.radius.map_or(Ok(()), |radius| positive("normalisation.radius", radius))
    }
}

/// `weights·x + bias`, a row an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// A row an output.
    pub weights: Matrix,
    /// One an output.
    pub bias: Vec<f64>,
}

/// From normalised features `x` to logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Map {
    /// `W·x + b`
    Linear {
        /// `W` and `b`: classes × width.
        layer: Affine,
    },
    /// `S·(U·x + c)² + W·x + b`: a quadratic form of low rank a class.
    Quadratic {
        /// `U` and `c`: rank × width.
        forms: Affine,
        /// `S`: classes × rank.
        squares: Matrix,
        /// `W` and `b`: classes × width.
        linear: Affine,
    },
    /// `W2·p(W1·x + b1) + b2`
    Polynomial {
        /// `W1` and `b1`: hidden × width.
        inner: Affine,
        /// `p`, lowest coefficient first: three or five of them.
        polynomial: Vec<f64>,
        /// `W2` and `b2`: classes × hidden.
        outer: Affine,
    },
}

impl HeadLiteral {
    pub(super) fn check(&self) -> Result<()> {
        self.normalisation.check()?;
        let width = self.normalisation.mean.len();
        if let Some(range) = self.range {
            positive("range", range)?;
        }
        match &self.map {
            Map::Linear { layer } => layer.check("layer", width).map(drop),
            Map::Quadratic { forms, squares, linear } => {
                let rank = forms.check("forms", width)?;
                let classes = linear.check("linear", width)?;
                length("squares", squares.len(), classes)?;
                rows("squares", squares, rank)
            }
            Map::Polynomial { inner, polynomial, outer } => {
                let hidden = inner.check("inner", width)?;
                outer.check("outer", hidden)?;
                finite("polynomial", polynomial)?;
                if !matches!(polynomial.len(), 3 | 5) {
                    let (field, found) = ("polynomial", polynomial.len());
                    return Err(Error::Length { field, found, expected: "3 or 5".into() });
                }
                match polynomial.last() {
                    Some(&value) if value == 0.0 => Err(Error::Value {
                        field: "polynomial",
                        value,
                        expected: "a leading coefficient that is not zero",
                    }),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Affine {
    /// Returns the number of outputs.
    fn check(&self, field: &'static str, width: usize) -> Result<usize> {
        size(field, self.weights.len())?;
        rows(field, &self.weights, width)?;
        length(field, self.bias.len(), self.weights.len())?;
        finite(field, &self.bias)?;
        Ok(self.weights.len())
    }
}

fn positive(field: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Value { field, value, expected: "a positive number" })
}

fn rows(field: &'static str, matrix: &Matrix, width: usize) -> Result<()> {
    matrix.iter().try_for_each(|row| length(field, row.len(), width).and_then(|()| finite(field, row)))
}

fn length(field: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Length { field, found, expected: expected.to_string() })
}

fn size(field: &'static str, found: usize) -> Result<()> {
    if (1..=MOST).contains(&found) {
        return Ok(());
    }
    Err(Error::Length { field, found, expected: format!("1 to {MOST}") })
}

fn finite(field: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        Some(&value) => Err(Error::Value { field, value, expected: "a finite number" }),
        None => Ok(()),
    }
}
