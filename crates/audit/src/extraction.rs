//! Extracting a head through its answers (Tramèr et al., arXiv 1609.02943): an asker chooses queries and keeps what comes
//! back. Queries are tokens in the range that the head accepts; nothing is broken, the answers simply tell.

use crate::error::{Error, Result};
use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};

/// One query's answer.
pub type Answer<'a> = &'a mut dyn FnMut(&[f64]) -> Result<Vec<f64>>;

/// A linear head from its logits: width + 1 queries give W and b outright.
///
/// # Errors
/// What the answers refuse with; [`Error::Classify`] if they are not finite.
pub fn linear_from_logits(width: usize, step: f64, answer: Answer<'_>) -> Result<Head> {
    let origin = answer(&vec![0.0; width])?;
    let mut weights = vec![vec![0.0; width]; origin.len()];
    for j in 0..width {
        let mut query = vec![0.0; width];
        query[j] = step;
        for (row, (value, base)) in weights.iter_mut().zip(answer(&query)?.iter().zip(&origin)) {
            row[j] = (value - base) / step;
        }
    }
    build(width, Map::Linear { layer: Affine { weights, bias: origin } })
}

/// Any head of degree two from its logits, by (width + 1)(width + 2)/2 queries: value, slope and curvature at the origin.
/// The result is a quadratic form a class, evaluated by [`Quadratic::logits`].
///
/// # Errors
/// What the answers refuse with.
pub fn quadratic_from_logits(width: usize, step: f64, answer: Answer<'_>) -> Result<Quadratic> {
    let origin = answer(&vec![0.0; width])?;
    let classes = origin.len();
    let mut at = |pairs: &[(usize, f64)]| {
        let mut query = vec![0.0; width];
        for (j, v) in pairs {
            query[*j] += v;
        }
        answer(&query)
    };
    let mut linear = vec![vec![0.0; width]; classes];
    let mut square = vec![vec![0.0; width * width]; classes];
    let mut ahead = Vec::with_capacity(width);
    for j in 0..width {
        let (up, down) = (at(&[(j, step)])?, at(&[(j, -step)])?);
        for c in 0..classes {
            linear[c][j] = (up[c] - down[c]) / (2.0 * step);
            square[c][j * width + j] = (up[c] + down[c] - 2.0 * origin[c]) / (2.0 * step * step);
        }
        ahead.push(up);
    }
    for i in 0..width {
        for j in 0..i {
            let both = at(&[(i, step), (j, step)])?;
            for c in 0..classes {
                let mixed = (both[c] - ahead[i][c] - ahead[j][c] + origin[c]) / (2.0 * step * step);
                square[c][i * width + j] = mixed;
                square[c][j * width + i] = mixed;
            }
        }
    }
    Ok(Quadratic { width, origin, linear, square })
}

/// An extracted head of degree two.
#[derive(Clone, Debug)]
pub struct Quadratic {
    width: usize,
    origin: Vec<f64>,
    linear: Vec<Vec<f64>>,
    square: Vec<Vec<f64>>,
}

impl Quadratic {
    /// Queries that [`quadratic_from_logits`] makes: one more a coordinate than the counting bound.
    pub fn queries(width: usize) -> usize {
        1 + 2 * width + width * (width - 1) / 2
    }

    /// xᵀ·A·x + b·x + c for each class.
    pub fn logits(&self, x: &[f64]) -> Vec<f64> {
        (0..self.origin.len())
            .map(|c| {
                let rows = self.square[c].chunks_exact(self.width);
                let square: f64 = rows.zip(x).map(|(row, xi)| xi * dot(row, x)).sum();
                self.origin[c] + dot(&self.linear[c], x) + square
            })
            .collect()
    }
}

/// Share of tokens for which two lists of logits name the same class.
pub fn agreement(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| top(a) == top(b)).count();
    same as f64 / a.len().max(1) as f64
}

/// Index of the largest logit.
pub fn top(row: &[f64]) -> Option<usize> {
    row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(c, _)| c)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn build(width: usize, map: Map) -> Result<Head> {
    // The extracted map works on what the head sees, so it needs no normalisation of its own; the bound is a formality.
    let literal = HeadLiteral { normalisation: Normalisation::identity(width, 1e6), map, range: None };
    Head::new(literal).map_err(Error::from)
}
