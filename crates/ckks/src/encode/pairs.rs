//! Two real numbers to a complex slot.
//!
//! With features packed as `x_j + i·x_(j+h)` and weights as `w_j - i·w_(j+h)`, the real part of the slot product is
//! `x_j·w_j + x_(j+h)·w_(j+h)`: a dot product of `2h` reals takes `h` slots.

use crate::Complex64;

/// `x_j + i·x_(j+h)` with `h = ceil(len/2)`; a missing last value is zero. For weights, conjugate the result.
pub fn join_pairs(values: &[f64]) -> Vec<Complex64> {
    let half = values.len().div_ceil(2);
    (0..half).map(|j| Complex64 { re: values[j], im: values.get(j + half).copied().unwrap_or(0.0) }).collect()
}

/// The real values behind [`join_pairs`]: real parts, then imaginary parts.
pub fn split_pairs(slots: &[Complex64]) -> Vec<f64> {
    slots.iter().map(|z| z.re).chain(slots.iter().map(|z| z.im)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_product_takes_half_the_slots() {
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let w: Vec<f64> = (0..8).map(|i| 0.5 - f64::from(i)).collect();
        let z: Complex64 = join_pairs(&x).iter().zip(join_pairs(&w)).map(|(a, b)| a * b.conj()).sum();
        let want: f64 = x.iter().zip(&w).map(|(a, b)| a * b).sum();
        assert!((z.re - want).abs() < 1e-12);
        assert_eq!(split_pairs(&join_pairs(&x)), x);
    }
}
