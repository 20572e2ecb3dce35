//! The linear algebra of the closed forms, in `f64`: gradients arrive in `f32`, so all that the decompositions add to their
//! rounding is far below it. Squaring a matrix (its Gram form) loses singular values below 2⁻²⁶ of the largest, and
//! `f32` rounding has buried those already.

use faer::{Accum, Mat, MatRef, Par, Side};

use crate::error::{Error, Result};

/// Mean and covariance of `tokens: [n, width]`, shrunk a little towards a multiple of the identity.
///
/// # Errors
/// [`Error::Shape`] for fewer than two tokens.
pub(crate) fn moments(operation: &'static str, tokens: &[f32], width: usize) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = tokens.len() / width.max(1);
    if n < 2 || tokens.len() != n * width {
        return Err(Error::shape(operation, format!("at least two rows of {width}"), tokens.len()));
    }
    let mut x = widen(tokens, n, width);
    let mean: Vec<f64> = (0..width).map(|j| (0..n).map(|i| x[(i, j)]).sum::<f64>() / n as f64).collect();
    for i in 0..n {
        for j in 0..width {
            x[(i, j)] -= mean[j];
        }
    }
    let mut covariance = x.transpose() * &x / faer::Scale(n as f64);
    let spread = (0..width).map(|i| covariance[(i, i)]).sum::<f64>() / width as f64;
    for i in 0..width {
        covariance[(i, i)] += 0.05 * spread + 1e-12;
    }
    Ok((mean, covariance))
}

/// A row-major `f32` matrix in `f64`.
pub(crate) fn widen(values: &[f32], rows: usize, columns: usize) -> Mat<f64> {
    Mat::from_fn(rows, columns, |i, j| f64::from(values[i * columns + j]))
}

/// Row-major `f32` values of a matrix.
pub(crate) fn narrow(matrix: MatRef<'_, f64>) -> Vec<f32> {
    (0..matrix.nrows())
        .flat_map(|i| (0..matrix.ncols()).map(move |j| (i, j)))
        .map(|(i, j)| matrix[(i, j)] as f32)
        .collect()
}

/// a·b on this thread alone: inside a search the products are too small to be shared.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    faer::linalg::matmul::matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// Left singular vectors of the `rank` largest singular values, and all values. Decomposed as it is, not by its Gram form:
/// what a batch's gradient tells of its weakest images lies below 2⁻²⁰ of its largest singular value.
pub(crate) fn left_singular(
    operation: &'static str,
    matrix: &Mat<f64>,
    rank: usize,
) -> Result<(Mat<f64>, Vec<f64>)> {
    let size = matrix.ncols();
    let svd = matrix.thin_svd().map_err(|_| Error::NotConverged { operation, size })?;
    let values = svd.S().column_vector().iter().copied().collect();
    Ok((svd.U().subcols(0, rank.min(svd.U().ncols())).to_owned(), values))
}

/// A symmetric positive semidefinite matrix, decomposed and cut at its numerical rank.
#[derive(Debug)]
pub(crate) struct Spectrum {
    /// Eigenvectors in columns, ascending eigenvalues.
    vectors: Mat<f64>,
    values: Vec<f64>,
    /// Eigenvalues that count.
    pub(crate) rank: usize,
}

impl Spectrum {
    /// Eigenvalues below `floor` of the largest count as zero.
    pub(crate) fn new(operation: &'static str, gram: &Mat<f64>, floor: f64) -> Result<Self> {
        let size = gram.nrows();
        if (0..size).any(|i| !gram[(i, i)].is_finite()) {
            return Err(Error::NotFinite { operation, what: "the gradient" });
        }
        let eigen =
            gram.self_adjoint_eigen(Side::Lower).map_err(|_| Error::NotConverged { operation, size })?;
        let values: Vec<f64> = (0..size).map(|i| eigen.S().column_vector()[i]).collect();
        let largest = values.last().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let rank = values.iter().filter(|v| **v > floor * largest).count();
        Ok(Self { vectors: eigen.U().to_owned(), values, rank })
    }

    /// As if only the `rank` largest eigenvalues counted.
    #[must_use]
    pub(crate) fn cut(mut self, rank: usize) -> Self {
        self.rank = rank.min(self.rank);
        self
    }

    /// Eigenvectors that count, in columns.
    pub(crate) fn range(&self) -> MatRef<'_, f64> {
        self.vectors.as_ref().subcols(self.values.len() - self.rank, self.rank)
    }

    /// Eigenvalues that count, ascending.
    pub(crate) fn kept(&self) -> &[f64] {
        &self.values[self.values.len() - self.rank..]
    }

    /// Eigenvectors that do not count, in columns.
    pub(crate) fn kernel(&self) -> MatRef<'_, f64> {
        self.vectors.as_ref().subcols(0, self.values.len() - self.rank)
    }

    /// The pseudo-inverse times `right`.
    pub(crate) fn solve(&self, right: &Mat<f64>) -> Mat<f64> {
        let mut scaled = self.range().transpose() * right;
        let values = self.kept();
        for i in 0..scaled.nrows() {
            for j in 0..scaled.ncols() {
                scaled[(i, j)] /= values[i];
            }
        }
        self.range() * scaled
    }

    /// Largest over smallest singular value of the matrix whose Gram form this is.
    pub(crate) fn condition(&self) -> f64 {
        match (self.kept().first(), self.kept().last()) {
            (Some(least), Some(most)) => (most / least).sqrt(),
            _ => f64::INFINITY,
        }
    }
}
