//! Standardising features: z = (x − mean)/deviation.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::values::Source;

/// Mean and deviation of every feature. Sums over sites give the same two vectors, so a federation can share them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Mean of each feature.
    pub mean: Vec<f32>,
    /// Standard deviation of each feature, at least 10⁻⁶.
    pub deviation: Vec<f32>,
}

impl Scaling {
    /// Of `rows: [n, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is no whole row; [`Error::Io`] when the file of rows cannot be read any more.
    pub fn fit<'a>(rows: impl Into<Source<'a>>, width: usize) -> Result<Self> {
        let rows = rows.into();
        if width == 0 || rows.len() == 0 || !rows.len().is_multiple_of(width) {
            return Err(Error::shape("standardising features", format!("rows of {width}"), rows.len()));
        }
        let n = (rows.len() / width) as f64;
        let (mut sum, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
        for block in rows.blocks() {
            for row in block?.chunks_exact(width) {
                for ((s, q), x) in sum.iter_mut().zip(&mut squares).zip(row) {
                    *s += f64::from(*x);
                    *q += f64::from(*x) * f64::from(*x);
                }
            }
        }
        let mean: Vec<f32> = sum.iter().map(|s| (s / n) as f32).collect();
        let deviation =
            sum.iter().zip(&squares).map(|(s, q)| (q / n - (s / n).powi(2)).max(1e-12).sqrt() as f32);
        Ok(Self { deviation: deviation.collect(), mean })
    }

    /// z for `rows: [n, width]`.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = rows.to_vec();
        for row in out.chunks_exact_mut(self.mean.len()) {
            for ((x, m), s) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *x = (*x - m) / s;
            }
        }
        out
    }

    /// Rewrites a layer on z, `weight: [outputs, width]`, as the same layer on x: W ← W/s, b ← b − W·m/s.
    pub(super) fn fold(&self, weight: &mut [f32], bias: &mut [f32]) {
        for (row, b) in weight.chunks_exact_mut(self.mean.len()).zip(bias) {
            let mut shift = 0.0f64;
            for ((w, m), s) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *w /= s;
                shift += f64::from(*w) * f64::from(*m);
            }
            *b -= shift as f32;
        }
    }
}
