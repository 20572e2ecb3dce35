//! Matrices between numpy and Rust.

use numpy::{AllowTypeChange, PyArray2, PyArrayLike2};
use pyo3::prelude::*;

use crate::errors::DataError;

/// Rows of a matrix as the classifier takes them.
pub(crate) type Rows = Vec<Vec<f64>>;

/// What numpy can turn into a matrix of f64: `[n, width]`.
pub(crate) type Matrix<'py> = PyArrayLike2<'py, f64, AllowTypeChange>;

pub(crate) fn rows(x: &Matrix<'_>) -> Rows {
    x.as_array().rows().into_iter().map(|row| row.to_vec()).collect()
}

/// A matrix `[n, classes]` from rows.
pub(crate) fn matrix<'py>(
    py: Python<'py>,
    rows: &[Vec<f64>],
    width: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    if rows.is_empty() {
        return Ok(PyArray2::zeros(py, [0, width], false));
    }
    PyArray2::from_vec2(py, rows).map_err(|e| DataError::new_err(format!("rows of different widths: {e}")))
}

/// f32 in rows, one after another, and the width.
pub(crate) fn flat(x: &PyArrayLike2<'_, f32, AllowTypeChange>) -> (Vec<f32>, usize) {
    let view = x.as_array();
    (view.iter().copied().collect(), view.ncols())
}
