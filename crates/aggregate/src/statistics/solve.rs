//! Symmetric positive definite systems, in f64 and one fixed order of operations: the same integers give the same bits.

use crate::{Error, Result};

/// Solves `A·x = b` for each row `b` of `right`, in place. `a` is `n×n` by rows, its lower triangle is read and overwritten
/// by Cholesky's factor.
///
/// # Errors
/// [`Error::Singular`] where the matrix is not positive definite.
pub(super) fn solve(op: &'static str, a: &mut [f64], n: usize, right: &mut [f64]) -> Result<()> {
    for row in 0..n {
        let (above, rest) = a.split_at_mut(row * n);
        let current = &mut rest[..=row];
        for column in 0..row {
            let other = &above[column * n..=column * n + column];
            let known = dot(&current[..column], &other[..column]);
            current[column] = (current[column] - known) / other[column];
        }
        let pivot = current[row] - dot(&current[..row], &current[..row]);
        if pivot.is_nan() || pivot <= 0.0 {
            return Err(Error::Singular { op, size: n, row });
        }
        current[row] = pivot.sqrt();
    }
    for b in right.chunks_mut(n) {
        for i in 0..n {
            b[i] = (b[i] - dot(&a[i * n..i * n + i], &b[..i])) / a[i * n + i];
        }
        for i in (0..n).rev() {
            b[i] /= a[i * n + i];
            let (value, row) = (b[i], &a[i * n..i * n + i]);
            b[..i].iter_mut().zip(row).for_each(|(b, l)| *b -= l * value);
        }
    }
    Ok(())
}

/// Eight running sums, added in order: fast, and the same everywhere.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let tail: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + tail
}
