//! Softmax over the columns of attention scores, with its derivative.

use faer::Mat;

/// softmax(scale·s) of every column.
pub(super) fn softmax_columns(scores: &mut Mat<f64>, scale: f64) {
    for j in 0..scores.ncols() {
        let most = (0..scores.nrows()).map(|i| scores[(i, j)]).fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for i in 0..scores.nrows() {
            scores[(i, j)] = (scale * (scores[(i, j)] - most)).exp();
            total += scores[(i, j)];
        }
        for i in 0..scores.nrows() {
            scores[(i, j)] /= total;
        }
    }
}

/// dL/ds from dL/dp, in place.
pub(super) fn softmax_columns_backward(d: &mut Mat<f64>, p: &Mat<f64>, scale: f64) {
    for j in 0..d.ncols() {
        let mean: f64 = (0..d.nrows()).map(|i| d[(i, j)] * p[(i, j)]).sum();
        for i in 0..d.nrows() {
            d[(i, j)] = scale * p[(i, j)] * (d[(i, j)] - mean);
        }
    }
}
