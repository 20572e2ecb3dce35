//! GELU in `f64`: the search compares hidden values with a span to eight digits.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// erf(x) = 2/√π·e^(−x²)·Σ 2ⁿ·x^(2n+1)/(1·3·…·(2n+1)). All terms have one sign, so nothing cancels; beyond 5 the result is
/// ±1 to 12 digits.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-13 * sum.abs() {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// GELU and its derivative: x·Φ(x) and Φ(x) + x·φ(x).
pub(super) fn gelu(x: f64) -> (f64, f64) {
    let cumulative = 0.5 * (1.0 + erf(x * FRAC_1_SQRT_2));
    let density = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * (-0.5 * x * x).exp();
    (x * cumulative, cumulative + x * density)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_has_its_tabulated_values() {
        // Abramowitz and Stegun, table 7.1.
        for (x, value) in [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)]
        {
            assert!((erf(x) - value).abs() < 1e-10 && (erf(-x) + value).abs() < 1e-10, "{x}");
        }
        assert!((erf(3.5) - 0.999_999_257).abs() < 1e-9);
    }

    #[test]
    fn the_derivative_is_the_difference_quotient() {
        for x in [-6.0, -1.3, 0.0, 0.7, 4.0] {
            let quotient = (gelu(x + 1e-5).0 - gelu(x - 1e-5).0) / 2e-5;
            assert!((quotient - gelu(x).1).abs() < 1e-8, "{x}");
        }
    }
}
