//! Heads in the form in which they are evaluated: one linear layer, powers of its outputs, one linear layer.
//!
//! A polynomial `Σ a_d·t^d` of degree `n` (2 or 4) loses its term of degree `n - 1` by the shift
//! `v = t + a_(n-1)/(n·a_n)`, so no odd product is ever taken: degree 2 needs `v²` alone, degree 4 needs `v`, `v²`, `v⁴`.

use super::literal::{Affine, Map, Matrix};

/// `logits = W·x + b`, or powers.
#[derive(Debug, Clone, PartialEq)]
pub enum Circuit {
    /// `W·x + b`
    Linear(Affine),
    /// A hidden layer and its powers.
    Powers(Powers),
}

/// `logits = Σ_d A_d·v^d + bias`, `v = inner(x)`, `d` in 1, 2, 4.
#[derive(Debug, Clone, PartialEq)]
pub struct Powers {
    /// The hidden layer, shifted.
    pub inner: Affine,
    /// `(d, A_d)` in rising order; matrices of zeros are left out.
    pub terms: Vec<(u32, Matrix)>,
    /// One a class.
    pub bias: Vec<f64>,
}

impl Circuit {
    pub(super) fn of(map: &Map) -> Self {
        match map {
            Map::Linear { layer } => Self::Linear(layer.clone()),
            Map::Quadratic { forms, squares, linear } => Self::Powers(quadratic(forms, squares, linear)),
            Map::Polynomial { inner, polynomial, outer } => {
                Self::Powers(polynomial_powers(inner, polynomial, outer))
            }
        }
    }

    /// The first layer.
    pub fn first(&self) -> &Affine {
        match self {
            Self::Linear(layer) => layer,
            Self::Powers(p) => &p.inner,
        }
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        match self {
            Self::Linear(layer) => layer.bias.len(),
            Self::Powers(p) => p.bias.len(),
        }
    }

    /// 1, 2 or 4.
    pub fn degree(&self) -> u32 {
        match self {
            Self::Linear(_) => 1,
            Self::Powers(p) => p.terms.last().map_or(1, |t| t.0),
        }
    }
}

/// The linear part rides along as one more hidden unit a class, used in its first power.
fn quadratic(forms: &Affine, squares: &Matrix, linear: &Affine) -> Powers {
    let (rank, classes) = (forms.bias.len(), linear.bias.len());
    let weights: Matrix = forms.weights.iter().chain(&linear.weights).cloned().collect();
    let bias = forms.bias.iter().copied().chain(std::iter::repeat_n(0.0, classes)).collect();
    let row = |k: usize| (0..rank + classes).map(|h| f64::from(h == rank + k)).collect();
    let first = (0..classes).map(row).collect();
    let second = squares.iter().map(|s| s.iter().copied().chain(vec![0.0; classes]).collect()).collect();
    Powers {
        inner: Affine { weights, bias },
        terms: vec![(1, first), (2, second)],
        bias: linear.bias.clone(),
    }
}

fn polynomial_powers(inner: &Affine, p: &[f64], outer: &Affine) -> Powers {
    let degree = p.len() - 1;
    let shift = p[degree - 1] / (degree as f64 * p[degree]);
    let shifted = taylor(p, -shift);
    let mut inner = inner.clone();
    inner.bias.iter_mut().for_each(|b| *b += shift);
    let scaled = |c: f64| outer.weights.iter().map(|row| row.iter().map(|w| w * c).collect()).collect();
    let used = |d: &usize| *d == degree || (*d != degree - 1 && shifted[*d] != 0.0);
    let terms = [1, 2, 4].into_iter().filter(|d| *d <= degree).filter(used);
    let terms = terms.map(|d| (d as u32, scaled(shifted[d]))).collect();
    let sum = |row: &Vec<f64>| row.iter().sum::<f64>();
    let bias = outer.bias.iter().zip(&outer.weights).map(|(b, row)| b + shifted[0] * sum(row)).collect();
    Powers { inner, terms, bias }
}

/// The coefficients of `p(v + at)` in `v`, by repeated synthetic division.
fn taylor(p: &[f64], at: f64) -> Vec<f64> {
    let mut c = p.to_vec();
    for start in 0..c.len() {
        for i in (start..c.len() - 1).rev() {
            c[i] += at * c[i + 1];
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taylor_shifts() {
        let p = [1.0, -2.0, 0.5, 3.0, -0.25];
        let value = |p: &[f64], x: f64| p.iter().rev().fold(0.0, |acc, c| acc * x + c);
        let q = taylor(&p, 0.7);
        for x in [-1.0, 0.0, 2.5] {
            assert!((value(&q, x) - value(&p, x + 0.7)).abs() < 1e-12);
        }
    }
}
