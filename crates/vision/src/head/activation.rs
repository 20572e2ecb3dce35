//! The polynomial between the two layers of an encryption-friendly head.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The polynomial of the hidden layer and whether training may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// p(h) = h², fixed: the cheapest.
    Square,
    /// Degree 2 or 4, started at a least-squares fit of GELU on the range, coefficients trained.
    Trained {
        /// 2 or 4.
        degree: usize,
    },
    /// Degree 2 or 4, the same fit, fixed.
    Fixed {
        /// 2 or 4.
        degree: usize,
    },
}

impl Activation {
    pub(super) fn start(self, range: f32) -> Result<Vec<f32>> {
        match self {
            Self::Square => Ok(vec![0.0, 0.0, 1.0]),
            Self::Trained { degree } | Self::Fixed { degree } if degree == 2 || degree == 4 => {
                Ok(fit_gelu(degree, f64::from(range)))
            }
            Self::Trained { degree } | Self::Fixed { degree } => Err(Error::data(
                "training a head",
                format!("a polynomial of degree {degree}; only 2 and 4 are served"),
            )),
        }
    }

    pub(super) fn is_trained(self) -> bool {
        matches!(self, Self::Trained { .. })
    }
}

/// p(h) by Horner's rule.
pub(super) fn evaluate(polynomial: &[f32], h: f32) -> f32 {
    polynomial.iter().rev().fold(0.0, |sum, c| sum * h + c)
}

/// p′(h).
pub(super) fn slope(polynomial: &[f32], h: f32) -> f32 {
    polynomial.iter().enumerate().skip(1).rev().fold(0.0, |sum, (k, c)| sum * h + k as f32 * c)
}

/// Least-squares coefficients of GELU on [−range, range]: normal equations of the even and odd powers on a fine grid.
/// GELU(h) = h/2 + an even function, so only the even part is fitted.
fn fit_gelu(degree: usize, range: f64) -> Vec<f32> {
    let even = |h: f64| {
        // x·Φ(x) − x/2 = x/2·erf(x/√2), by the logistic form accurate to 0.02: a start, not an approximation claim.
        h * (1.0 / (1.0 + (-1.702 * h).exp())) - h / 2.0
    };
    let terms = degree / 2 + 1;
    let (mut a, mut b) = ([[0.0f64; 3]; 3], [0.0f64; 3]);
    for i in -1000..=1000 {
        let t = f64::from(i) / 1000.0;
        for j in 0..terms {
            b[j] += even(t * range) * t.powi(2 * j as i32);
            for k in 0..terms {
                a[j][k] += t.powi(2 * (j + k) as i32);
            }
        }
    }
    for j in 0..terms {
        for k in 0..terms {
            if k != j {
                let factor = a[k][j] / a[j][j];
                for l in 0..terms {
                    a[k][l] -= factor * a[j][l];
                }
                b[k] -= factor * b[j];
            }
        }
    }
    let mut polynomial = vec![0.0f32; degree + 1];
    polynomial[1] = 0.5;
    for j in 0..terms {
        polynomial[2 * j] = (b[j] / a[j][j] / range.powi(2 * j as i32)) as f32;
    }
    polynomial
}
