//! Multi-head self-attention: softmax(Q·Kᵀ/√e)·V in every head (Vaswani et al., arXiv 1706.03762).
//!
//! Q, K and V of a token lie side by side in one row of `qkv: [t, 3d]`; heads are strided views of it, so nothing is
//! transposed or copied.

use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};
use crate::kernels::softmax::{softmax_backward, softmax_rows};

/// The shape of one image's attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    pub(crate) head_width: usize,
}

impl Shape {
    fn width(self) -> usize {
        self.heads * self.head_width
    }

    /// 1/√e
    fn scale(self) -> f32 {
        1.0 / (self.head_width as f32).sqrt()
    }

    /// One head's view of Q (part 0), K (1) or V (2): `[t, e]`.
    fn part(self, qkv: &[f32], part: usize, head: usize) -> Matrix<'_, f32> {
        let offset = part * self.width() + head * self.head_width;
        Matrix::strided(&qkv[offset..], self.tokens, self.head_width, 3 * self.width())
    }

    fn part_mut(self, qkv: &mut [f32], part: usize, head: usize) -> MatrixMut<'_, f32> {
        let offset = part * self.width() + head * self.head_width;
        MatrixMut::strided(&mut qkv[offset..], self.tokens, self.head_width, 3 * self.width())
    }

    fn head(self, mixed: &[f32], head: usize) -> Matrix<'_, f32> {
        Matrix::strided(&mixed[head * self.head_width..], self.tokens, self.head_width, self.width())
    }
}

/// One image: `mixed: [t, d]` from `qkv: [t, 3d]`. `probabilities: [h, t, t]` is kept when it has room for every
/// head, and reused from head to head when it has room for one.
pub(crate) fn attend(shape: Shape, qkv: &[f32], probabilities: &mut [f32], mixed: &mut [f32]) {
    let t = shape.tokens;
    let keep = probabilities.len() >= shape.heads * t * t;
    for head in 0..shape.heads {
        let start = if keep { head * t * t } else { 0 };
        let p = &mut probabilities[start..start + t * t];
        let (q, k) = (shape.part(qkv, 0, head), shape.part(qkv, 1, head).transposed());
        multiply(MatrixMut::new(p, t, t), q, k, shape.scale(), Destination::Replace);
        softmax_rows(p, t);
        let out =
            MatrixMut::strided(&mut mixed[head * shape.head_width..], t, shape.head_width, shape.width());
        multiply(out, Matrix::new(p, t, t), shape.part(qkv, 2, head), 1.0, Destination::Replace);
    }
}

/// As [`attend`] for the CLS token's query alone: `mixed: [d]` from `query: [d]` and `key_value: [t, 2d]`.
pub(crate) fn attend_class(
    shape: Shape,
    query: &[f32],
    key_value: &[f32],
    scores: &mut [f32],
    mixed: &mut [f32],
) {
    let (t, e, d) = (shape.tokens, shape.head_width, shape.width());
    let scores = &mut scores[..t];
    for head in 0..shape.heads {
        let q = Matrix::new(&query[head * e..(head + 1) * e], 1, e);
        let k = Matrix::strided(&key_value[head * e..], t, e, 2 * d).transposed();
        let v = Matrix::strided(&key_value[d + head * e..], t, e, 2 * d);
        multiply(MatrixMut::new(scores, 1, t), q, k, shape.scale(), Destination::Replace);
        softmax_rows(scores, t);
        let out = MatrixMut::new(&mut mixed[head * e..(head + 1) * e], 1, e);
        multiply(out, Matrix::new(scores, 1, t), v, 1.0, Destination::Replace);
    }
}

/// One image: dL/dqkv from dL/dmixed. With P = softmax(S), S = Q·Kᵀ/√e, O = P·V:
/// dV = Pᵀ·dO, dP = dO·Vᵀ, dS = softmax′(dP), dQ = dS·K/√e, dK = dSᵀ·Q/√e.
pub(crate) fn attend_backward(
    shape: Shape,
    qkv: &[f32],
    probabilities: &[f32],
    d_mixed: &[f32],
    d_qkv: &mut [f32],
) {
    let t = shape.tokens;
    let mut d_scores = vec![0.0; t * t];
    for head in 0..shape.heads {
        let p = &probabilities[head * t * t..(head + 1) * t * t];
        let d_out = shape.head(d_mixed, head);
        let p_transposed = Matrix::new(p, t, t).transposed();
        multiply(shape.part_mut(d_qkv, 2, head), p_transposed, d_out, 1.0, Destination::Replace);
        let v = shape.part(qkv, 2, head).transposed();
        multiply(MatrixMut::new(&mut d_scores, t, t), d_out, v, 1.0, Destination::Replace);
        softmax_backward(&mut d_scores, p, t);
        let (q, k) = (shape.part(qkv, 0, head), shape.part(qkv, 1, head));
        let ds = Matrix::new(&d_scores, t, t);
        multiply(shape.part_mut(d_qkv, 0, head), ds, k, shape.scale(), Destination::Replace);
        multiply(shape.part_mut(d_qkv, 1, head), ds.transposed(), q, shape.scale(), Destination::Replace);
    }
}
