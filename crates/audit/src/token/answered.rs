//! The token behind answers: whoever sees the logits of one token from heads that it knows has a few linear equations a head, and knows how
//! tokens scatter. The likeliest token that gives these logits follows in closed form.

use faer::Mat;

use crate::error::{Error, Result};
use crate::linear::{Spectrum, moments};
use blindscope_classify::{Head, Map};

/// Where the equations of a head say the same as others.
const FLOOR: f64 = 1e-12;

/// A known linear head as equations on raw features.
#[derive(Clone, Debug)]
pub struct AnsweredHead {
    /// A row a class.
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

/// What an attacker knows of tokens at large, from tiles of its own.
#[derive(Debug)]
pub struct TokenFromAnswers {
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl AnsweredHead {
    /// The equations of a linear head, for tokens that it does not clip; none of a head of another form.
    pub fn of(head: &Head) -> Option<Self> {
        let literal = head.literal();
        let Map::Linear { layer } = &literal.map else { return None };
        let (mean, gain) = (&literal.normalisation.mean, &literal.normalisation.gain);
        let raw = |row: &Vec<f64>| -> Vec<f64> { row.iter().zip(gain).map(|(w, g)| w * g).collect() };
        let weights: Vec<Vec<f64>> = layer.weights.iter().map(raw).collect();
        let shift = |row: &Vec<f64>| row.iter().zip(mean).map(|(w, m)| w * m).sum::<f64>();
        let bias = layer.bias.iter().zip(&weights).map(|(b, row)| b - shift(row)).collect();
        Some(Self { weights, bias })
    }
}

impl TokenFromAnswers {
    /// Mean and covariance of `tokens: [n, width]`, shrunk a little towards a multiple of the identity.
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer than two tokens.
    pub fn new(tokens: &[f32], width: usize) -> Result<Self> {
        let (mean, covariance) = moments("knowing tokens at large", tokens, width)?;
        Ok(Self { mean, covariance })
    }

    /// The likeliest token that these heads give these logits, whose noise has the deviation `noise`:
    /// `μ + ΣWᵀ(WΣWᵀ + noise²)⁻¹(z − Wμ − b)`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of logits than of classes, or heads of another width; [`Error::NotFinite`] for logits that are
    /// not finite.
    pub fn token(&self, heads: &[&AnsweredHead], logits: &[&[f64]], noise: f64) -> Result<Vec<f32>> {
        const OPERATION: &str = "a token from answers";
        let d = self.mean.len();
        let rows: Vec<(&Vec<f64>, f64)> =
            heads.iter().flat_map(|head| head.weights.iter().zip(head.bias.iter().copied())).collect();
        let seen: Vec<f64> = logits.iter().copied().flatten().copied().collect();
        if rows.len() != seen.len() || heads.len() != logits.len() || rows.iter().any(|(w, _)| w.len() != d) {
            let expected = format!("{} logits of heads of {d} features", rows.len());
            return Err(Error::shape(OPERATION, expected, seen.len()));
        }
        if seen.iter().any(|z| !z.is_finite()) {
            return Err(Error::NotFinite { operation: OPERATION, what: "a logit" });
        }
        if rows.is_empty() {
            // Nothing was answered: the likeliest token is the mean.
            return Ok(self.mean.iter().map(|m| *m as f32).collect());
        }
        let w = Mat::from_fn(rows.len(), d, |i, j| rows[i].0[j]);
        let reached = &w * &self.covariance;
        let mut spread = &reached * w.transpose();
        for i in 0..rows.len() {
            spread[(i, i)] += noise * noise;
        }
        let expected =
            |i: usize| rows[i].0.iter().zip(&self.mean).map(|(w, m)| w * m).sum::<f64>() + rows[i].1;
        let offset = Mat::from_fn(rows.len(), 1, |i, _| seen[i] - expected(i));
        let moved = reached.transpose() * Spectrum::new(OPERATION, &spread, FLOOR)?.solve(&offset);
        Ok((0..d).map(|j| (self.mean[j] + moved[(j, 0)]) as f32).collect())
    }
}
