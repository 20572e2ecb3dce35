//! GELU in `f64`: the search compares hidden values with a span to eight digits.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::sync::LazyLock;

/// Entries of the table a unit: Taylor's sum about the nearest one, to the eighth power, is exact to 15 digits.
const EACH: f64 = 16.0;
/// Beyond this the distribution is 0 or 1 to 15 digits.
const END: f64 = 8.0;

/// Φ and φ at the table's places.
static TABLE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    (0..=(2.0 * END * EACH) as usize)
        .map(|i| {
            let x = i as f64 / EACH - END;
            (0.5 * (1.0 + erf(x * FRAC_1_SQRT_2)), density(x))
        })
        .collect()
});

fn density(x: f64) -> f64 {
    0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * (-0.5 * x * x).exp()
}

/// erf(x) = 2/√π·e^(−x²)·Σ 2ⁿ·x^(2n+1)/(1·3·…·(2n+1)). All terms have one sign, so nothing cancels; beyond 6 the result is
/// ±1 to all digits.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Φ(x) and φ(x). The n-th derivative of φ is (−1)ⁿ·Heₙ·φ with Hermite's polynomials, Heₙ₊₁ = x·Heₙ − n·Heₙ₋₁.
fn normal(x: f64) -> (f64, f64) {
    if x.abs() >= END {
        return (if x > 0.0 { 1.0 } else { 0.0 }, 0.0);
    }
    let nearest = ((x + END) * EACH).round();
    let (cumulative, density) = TABLE[nearest as usize];
    let at = nearest / EACH - END;
    let step = x - at;
    let (mut before, mut hermite, mut power) = (0.0, 1.0, step);
    let (mut sum, mut slope, mut powers) = (0.0, 0.0, 1.0);
    for n in 0..9u8 {
        // power = (−1)ⁿ·stepⁿ⁺¹/(n + 1)!, powers = (−1)ⁿ·stepⁿ/n!
        sum += hermite * power;
        slope += hermite * powers;
        powers = -power;
        power *= -step / (f64::from(n) + 2.0);
        (before, hermite) = (hermite, at * hermite - f64::from(n) * before);
    }
    (cumulative + density * sum, density * slope)
}

/// GELU and its derivative: x·Φ(x) and Φ(x) + x·φ(x).
pub(super) fn gelu(x: f64) -> (f64, f64) {
    let (cumulative, density) = normal(x);
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
    fn the_table_is_the_series() {
        for i in -900..=900 {
            let x = f64::from(i) * 0.01003;
            let (cumulative, slope) = normal(x);
            assert!((cumulative - 0.5 * (1.0 + erf(x * FRAC_1_SQRT_2))).abs() < 1e-14, "{x}");
            assert!((slope - density(x)).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn the_derivative_is_the_difference_quotient() {
        for x in [-6.0, -1.3, 0.0, 0.7, 4.0] {
            let quotient = (gelu(x + 1e-5).0 - gelu(x - 1e-5).0) / 2e-5;
            assert!((quotient - gelu(x).1).abs() < 1e-8, "{x}");
        }
    }
}
