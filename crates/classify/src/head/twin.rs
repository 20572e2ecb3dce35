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
