//! The clear twin: the head as it is defined, in `f64`. Encrypted answers are measured against it.

use super::{Affine, Head, Map, Matrix};
use crate::Result;

impl Head {
    /// The logits of each token.
    ///
    /// # Errors
    /// As [`Self::normalise`].
    pub fn logits<T: AsRef<[f64]>>(&self, tokens: &[T]) -> Result<Matrix> {
        let one = |(i, t): (usize, &T)| self.normalise(i, t.as_ref()).map(|x| self.evaluate(&x));
        tokens.iter().enumerate().map(one).collect()
    }

    /// The largest size that a unit of the first layer reaches on these tokens, as the circuit evaluates it: a
    /// polynomial's shift included.
    ///
    /// # Errors
    /// As [`Self::normalise`].
    pub fn unit_range<T: AsRef<[f64]>>(&self, tokens: &[T]) -> Result<f64> {
        let mut most = f64::MIN_POSITIVE;
        for (i, t) in tokens.iter().enumerate() {
            let units = self.circuit().first().apply(&self.normalise(i, t.as_ref())?);
            most = units.iter().fold(most, |m, v| m.max(v.abs()));
        }
        Ok(most)
    }

    /// The logits of one normalised token.
    fn evaluate(&self, x: &[f64]) -> Vec<f64> {
        match &self.literal().map {
            Map::Linear { layer } => layer.apply(x),
            Map::Quadratic { forms, squares, linear } => {
                let t: Vec<f64> = forms.apply(x).iter().map(|t| t * t).collect();
                linear.apply(x).iter().zip(squares).map(|(l, s)| l + dot(s, &t)).collect()
            }
            Map::Polynomial { inner, polynomial, outer } => {
                let p = |t: &f64| polynomial.iter().rev().fold(0.0, |acc, c| acc * t + c);
                outer.apply(&inner.apply(x).iter().map(p).collect::<Vec<_>>())
            }
        }
    }
}

impl Affine {
    /// `weights·x + bias`
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(&self.bias).map(|(w, b)| dot(w, x) + b).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
