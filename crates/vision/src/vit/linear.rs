//! y = x·W + b, with an optional low-rank adapter.

use crate::kernels::lanes::{add_to_rows, sum_rows};
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};

/// A low-rank addition s·A·B to a weight (LoRA, arXiv 2106.09685); `s` is the fixed `scale`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adapter {
    /// A: `[inputs, rank]`.
    pub down: Vec<f32>,
    /// B: `[rank, outputs]`, zero at the start.
    pub up: Vec<f32>,
    /// Rank of the addition.
    pub rank: usize,
    /// The factor s.
    pub scale: f32,
}

/// A linear layer. The weight is kept `[inputs, outputs]`, which the matrix product packs fastest.
///
/// The same type holds gradients; there an empty `weight` or `bias` means "not trained".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// W: `[inputs, outputs]`, the transpose of PyTorch's.
    pub weight: Vec<f32>,
    /// b: `[outputs]`, empty when the layer has none.
    pub bias: Vec<f32>,
    /// Low-rank addition, when this layer is tuned by one.
    pub adapter: Option<Adapter>,
    /// Input width.
    pub inputs: usize,
    /// Output width.
    pub outputs: usize,
}

impl Linear {
    /// A layer of zeros.
    pub fn zeros(inputs: usize, outputs: usize, bias: bool) -> Self {
        let bias = vec![0.0; if bias { outputs } else { 0 }];
        Self { weight: vec![0.0; inputs * outputs], bias, adapter: None, inputs, outputs }
    }

    /// A gradient for nothing: same widths, no trained values.
    pub(crate) fn untrained(&self) -> Self {
        let adapter = self.adapter.as_ref().map(|a| Adapter { down: vec![], up: vec![], ..*a });
        Self { adapter, inputs: self.inputs, outputs: self.outputs, ..Self::default() }
    }

    /// A zero gradient of the weight and bias, and of the adapter if there is one.
    pub(crate) fn gradient(&self) -> Self {
        let mut gradient = self.adapter_gradient();
        gradient.weight = vec![0.0; self.weight.len()];
        gradient.bias = vec![0.0; self.bias.len()];
        gradient
    }

    /// A zero gradient of the adapter alone.
    pub(crate) fn adapter_gradient(&self) -> Self {
        let adapter = self.adapter.as_ref().map(|a| Adapter {
            down: vec![0.0; a.down.len()],
            up: vec![0.0; a.up.len()],
            ..a.clone()
        });
        Self { adapter, ..self.untrained() }
    }

    /// Folds the adapter into the weight, W ← W + s·A·B, and drops it.
    pub fn merge_adapter(&mut self) {
        if let Some(a) = self.adapter.take() {
            multiply(
                MatrixMut::new(&mut self.weight, self.inputs, self.outputs),
                Matrix::new(&a.down, self.inputs, a.rank),
                Matrix::new(&a.up, a.rank, self.outputs),
                a.scale,
                Destination::Accumulate,
            );
        }
    }

    /// `out (+)= x·W (+ s·(x·A)·B)`, without the bias. *Shapes* `x: [n, inputs]`, `out: [n, outputs]`.
    pub(crate) fn product(&self, out: &mut [f32], x: Matrix<f32>, rows: usize, destination: Destination) {
        self.product_columns(out, x, rows, 0..self.outputs, destination);
    }

    /// As [`Linear::product`], only the output columns `columns`.
    pub(crate) fn product_columns(
        &self,
        out: &mut [f32],
        x: Matrix<f32>,
        rows: usize,
        columns: std::ops::Range<usize>,
        destination: Destination,
    ) {
        let n = columns.len();
        if rows == 1 {
            return self.lone_row(out, x.row(0), columns, destination);
        }
        let weight = Matrix::strided(&self.weight[columns.start..], self.inputs, n, self.outputs);
        multiply(MatrixMut::new(out, rows, n), x, weight, 1.0, destination);
        if let Some(a) = &self.adapter {
            let mut low = vec![0.0; rows * a.rank];
            let down = Matrix::new(&a.down, self.inputs, a.rank);
            multiply(MatrixMut::new(&mut low, rows, a.rank), x, down, 1.0, Destination::Replace);
            let up = Matrix::strided(&a.up[columns.start..], a.rank, n, self.outputs);
            let low = Matrix::new(&low, rows, a.rank);
            multiply(MatrixMut::new(out, rows, n), low, up, a.scale, Destination::Accumulate);
        }
    }

    /// The product of one row. A product of a vector adds up in another order than one of a matrix; taken twice, a row has the same bits
    /// as in any company, so a feature does not depend on which images it was computed with.
    fn lone_row(
        &self,
        out: &mut [f32],
        x: &[f32],
        columns: std::ops::Range<usize>,
        destination: Destination,
    ) {
        let out = &mut out[..columns.len()];
        let mut both = [&*out, &*out].concat();
        let twice = [x, x].concat();
        self.product_columns(&mut both, Matrix::new(&twice, 2, x.len()), 2, columns, destination);
        out.copy_from_slice(&both[..out.len()]);
    }

    /// x·W + b for `x: [n, inputs]`.
    pub(crate) fn forward(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut out = vec![0.0; rows * self.outputs];
        self.product(&mut out, Matrix::new(x, rows, self.inputs), rows, Destination::Replace);
        add_to_rows(&mut out, &self.bias);
        out
    }

    /// Adds the parameters' gradients to `gradient` (only those it holds) and dL/dx to `d_x`, if wanted.
    ///
    /// dL/dW = xᵀ·dy, dL/db = Σ dy, dL/dx = dy·Wᵀ; for the adapter dL/dB = s·(x·A)ᵀ·dy and dL/dA = s·xᵀ·(dy·Bᵀ).
    pub(crate) fn backward(&self, x: &[f32], dy: &[f32], d_x: Option<&mut [f32]>, gradient: &mut Self) {
        let rows = x.len() / self.inputs;
        let x_matrix = Matrix::new(x, rows, self.inputs);
        let dy_matrix = Matrix::new(dy, rows, self.outputs);
        if !gradient.weight.is_empty() {
            let out = MatrixMut::new(&mut gradient.weight, self.inputs, self.outputs);
            multiply(out, x_matrix.transposed(), dy_matrix, 1.0, Destination::Accumulate);
        }
        sum_rows(&mut gradient.bias, dy);
        let mut d_low = None;
        if let Some(a) = &self.adapter {
            let mut low = vec![0.0; rows * a.rank];
            let up = Matrix::new(&a.up, a.rank, self.outputs).transposed();
            multiply(MatrixMut::new(&mut low, rows, a.rank), dy_matrix, up, a.scale, Destination::Replace);
            if let Some(g) = gradient.adapter.as_mut().filter(|g| !g.down.is_empty()) {
                let out = MatrixMut::new(&mut g.down, self.inputs, a.rank);
                let low = Matrix::new(&low, rows, a.rank);
                multiply(out, x_matrix.transposed(), low, 1.0, Destination::Accumulate);
                let mut xa = vec![0.0; rows * a.rank];
                let down = Matrix::new(&a.down, self.inputs, a.rank);
                multiply(
                    MatrixMut::new(&mut xa, rows, a.rank),
                    x_matrix,
                    down,
                    a.scale,
                    Destination::Replace,
                );
                let out = MatrixMut::new(&mut g.up, a.rank, self.outputs);
                let xa = Matrix::new(&xa, rows, a.rank).transposed();
                multiply(out, xa, dy_matrix, 1.0, Destination::Accumulate);
            }
            d_low = Some((low, a));
        }
        if let Some(d_x) = d_x {
            let weight = Matrix::new(&self.weight, self.inputs, self.outputs).transposed();
            multiply(MatrixMut::new(d_x, rows, self.inputs), dy_matrix, weight, 1.0, Destination::Accumulate);
            if let Some((low, a)) = d_low {
                let down = Matrix::new(&a.down, self.inputs, a.rank).transposed();
                let low = Matrix::new(&low, rows, a.rank);
                multiply(MatrixMut::new(d_x, rows, self.inputs), low, down, 1.0, Destination::Accumulate);
            }
        }
    }
}
