//! How many bits of an approximate result are right.

use num_complex::Complex64;

/// Statistics of the errors `|got - want|` over all places, as bits: `-log2(error)`.
#[derive(Debug, Clone, Copy)]
pub struct Precision {
    /// Bits of the worst place.
    pub worst: f64,
    /// Bits of the median place.
    pub median: f64,
    /// Bits of the best place.
    pub best: f64,
    /// Standard deviation of the errors' real and imaginary parts together: `sqrt(mean |error|^2)`.
    pub error_std: f64,
}

impl Precision {
    /// Of complex values.
    pub fn of(got: &[Complex64], want: &[Complex64]) -> Self {
        assert_eq!(got.len(), want.len(), "results of different lengths");
        let mut errors: Vec<f64> = got.iter().zip(want).map(|(g, w)| (g - w).norm()).collect();
        let error_std = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
        errors.sort_by(f64::total_cmp);
        let bits = |e: f64| -e.max(f64::MIN_POSITIVE).log2();
        Self {
            worst: bits(errors[errors.len() - 1]),
            median: bits(errors[errors.len() / 2]),
            best: bits(errors[0]),
            error_std,
        }
    }

    /// Of real values.
    pub fn of_real(got: &[f64], want: &[f64]) -> Self {
        let complex = |v: &[f64]| v.iter().map(|&re| Complex64::new(re, 0.0)).collect::<Vec<_>>();
        Self::of(&complex(got), &complex(want))
    }
}

/// Asserts that the worst place has at least `bits` right, and prints worst, median and best.
pub fn assert_bits(what: &str, precision: Precision, bits: f64) {
    let Precision { worst, median, best, .. } = precision;
    println!("{what}: {worst:.1} bits worst, {median:.1} median, {best:.1} best (bound {bits:.1})");
    assert!(worst >= bits, "{what}: the worst place has {worst:.2} bits, {bits:.2} are promised");
}
