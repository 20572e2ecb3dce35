//! Ridge regression onto class indicators, in closed form and f64: W = (ZᵀZ + λ·n·I)⁻¹·ZᵀY.
//!
//! Only Gram matrix and class sums enter, which sites can add up under encryption.

use super::linear::{LinearHead, check_examples};
use super::scaling::Scaling;
use crate::error::{Error, Result};
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};

/// The ridge head of standardised features with penalty `lambda` (relative to the number of rows), folded back to raw
/// features. Targets are one-hot; their mean is the intercept.
///
/// # Errors
/// As [`super::train_logistic`]; [`Error::Data`] when the system is not positive definite (λ ≤ 0 or not finite).
pub fn train_ridge(
    rows: &[f32],
    width: usize,
    labels: &[usize],
    classes: usize,
    lambda: f64,
) -> Result<LinearHead> {
    check_examples(rows.into(), width, labels, classes)?;
    let scaling = Scaling::fit(rows, width)?;
    let z: Vec<f64> = scaling.apply(rows).into_iter().map(f64::from).collect();
    let n = labels.len();
    let mut targets = vec![0.0f64; n * classes];
    for (row, label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[*label] = 1.0;
    }
    let mean: Vec<f64> =
        (0..classes).map(|c| labels.iter().filter(|l| **l == c).count() as f64 / n as f64).collect();
    for row in targets.chunks_exact_mut(classes) {
        row.iter_mut().zip(&mean).for_each(|(t, m)| *t -= m);
    }
    let z = Matrix::new(&z, n, width);
    let mut gram = vec![0.0; width * width];
    multiply(MatrixMut::new(&mut gram, width, width), z.transposed(), z, 1.0, Destination::Replace);
    (0..width).for_each(|i| gram[i * width + i] += lambda * n as f64);
    let mut right = vec![0.0; width * classes];
    let targets = Matrix::new(&targets, n, classes);
    multiply(MatrixMut::new(&mut right, width, classes), z.transposed(), targets, 1.0, Destination::Replace);
    cholesky_solve(&mut gram, width, &mut right, classes).ok_or_else(|| {
        Error::data("ridge", format!("the system is not positive definite at λ = {lambda}; raise λ"))
    })?;
    let mut weight: Vec<f32> =
        (0..classes * width).map(|i| right[i % width * classes + i / width] as f32).collect();
    let mut bias: Vec<f32> = mean.iter().map(|m| *m as f32).collect();
    scaling.fold(&mut weight, &mut bias);
    Ok(LinearHead { weight, bias, width })
}

/// Solves A·X = B for symmetric positive definite `a: [n, n]` by A = L·Lᵀ; `b: [n, m]` becomes X. Nothing when `a` is not
/// positive definite.
fn cholesky_solve(a: &mut [f64], n: usize, b: &mut [f64], m: usize) -> Option<()> {
    for j in 0..n {
        let (above, below) = a.split_at_mut(j * n + j);
        let row_j = &above[j * n..];
        let pivot = below[0] - row_j.iter().map(|v| v * v).sum::<f64>();
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        let pivot = pivot.sqrt();
        a[j * n + j] = pivot;
        for i in j + 1..n {
            let dot: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            a[i * n + j] = (a[i * n + j] - dot) / pivot;
        }
    }
    for column in 0..m {
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| a[i * n + k] * b[k * m + column]).sum();
            b[i * m + column] = (b[i * m + column] - dot) / a[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k * m + column]).sum();
            b[i * m + column] = (b[i * m + column] - dot) / a[i * n + i];
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_known_system() {
        // A = L·Lᵀ with L = [[2,0,0],[1,3,0],[-1,2,1]], X = (1, -2, 3)ᵀ.
        let mut a = vec![4.0, 2.0, -2.0, 2.0, 10.0, 5.0, -2.0, 5.0, 6.0];
        let mut b = vec![4.0 - 4.0 - 6.0, 2.0 - 20.0 + 15.0, -2.0 - 10.0 + 18.0];
        cholesky_solve(&mut a, 3, &mut b, 1).unwrap();
        for (got, exact) in b.iter().zip([1.0, -2.0, 3.0]) {
            assert!((got - exact).abs() < 1e-12);
        }
        assert!(cholesky_solve(&mut [1.0, 2.0, 2.0, 1.0], 2, &mut [1.0, 1.0], 1).is_none());
    }
}
