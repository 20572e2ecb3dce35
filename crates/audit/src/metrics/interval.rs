//! Means with confidence intervals.

use serde::{Deserialize, Serialize};

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Observations.
    pub n: usize,
}

/// Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The mean of some observations with Student's interval, mean ± t·s/√n: with the few images of a long attack a bootstrap
/// would be far too narrow. A single observation has an interval of no width, which decides nothing. None for no
/// observation.
pub fn mean_interval(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let freedom = n.saturating_sub(1);
    // Beyond the table, 1.96 + 2.4/df is right to three digits.
    let t = STUDENT.get(freedom.wrapping_sub(1)).copied().unwrap_or(1.96 + 2.4 / freedom.max(1) as f64);
    let half = t * (squares / freedom.max(1) as f64 / n as f64).sqrt();
    Some(Estimate { mean, low: mean - half, high: mean + half, n })
}
