//! Safe matrix products over the `gemm` crate.
//!
//! `gemm` takes raw pointers and strides; this file is the only place that meets them. Every call first proves
//! that the addressed elements lie inside the slices it was given.
#![allow(unsafe_code)]

/// A matrix seen through a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// `rows` rows of `columns` adjacent elements.
    pub(crate) fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// `rows` rows of `columns` adjacent elements that start `row_stride` elements apart.
    ///
    /// # Panics
    /// When the last element would lie outside `data`.
    pub(crate) fn strided(data: &'a [T], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert_inside(data.len(), rows, columns, row_stride, 1);
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// One row, whose elements are adjacent.
    ///
    /// # Panics
    /// Beyond the last row, and of a transposed matrix.
    pub(crate) fn row(self, i: usize) -> &'a [T] {
        assert!(i < self.rows && self.column_stride == 1, "row {i} of {} adjacent ones", self.rows);
        &self.data[i * self.row_stride..][..self.columns]
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// The destination of a product: `rows` rows of `columns` adjacent elements, `row_stride` apart.
#[derive(Debug)]
pub(crate) struct MatrixMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// `rows` rows of `columns` adjacent elements.
    pub(crate) fn new(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// As [`Matrix::strided`]; rows must not overlap.
    ///
    /// # Panics
    /// When the last element would lie outside `data`, or rows overlap.
    pub(crate) fn strided(data: &'a mut [T], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert_inside(data.len(), rows, columns, row_stride, 1);
        assert!(rows <= 1 || row_stride >= columns, "rows of a destination must not overlap");
        Self { data, rows, columns, row_stride }
    }
}

fn assert_inside(len: usize, rows: usize, columns: usize, row_stride: usize, column_stride: usize) {
    if rows == 0 || columns == 0 {
        return;
    }
    let last = (rows - 1) * row_stride + (columns - 1) * column_stride;
    assert!(
        last < len,
        "matrix [{rows}, {columns}] with row stride {row_stride} needs {} of {len}",
        last + 1
    );
}

/// What happens to the elements already in the destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Accumulate,
}

/// A floating type that `gemm` multiplies.
pub(crate) trait Real: Copy + 'static {
    const ZERO: Self;
    const ONE: Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
}

/// C = `scale`·A·B, or C += `scale`·A·B.
///
/// *Shapes* `a: [m, k]`, `b: [k, n]`, `c: [m, n]`. One thread: callers share work out by image, which needs no
/// barrier inside a product.
///
/// # Panics
/// When shapes disagree.
pub(crate) fn multiply<T: Real>(
    c: MatrixMut<T>,
    a: Matrix<T>,
    b: Matrix<T>,
    scale: T,
    destination: Destination,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(
        b.rows == k && c.rows == m && c.columns == n,
        "product of [{m}, {k}] and [{}, {n}] into [{}, {}]",
        b.rows,
        c.rows,
        c.columns
    );
    if m == 0 || n == 0 {
        return;
    }
    let accumulate = destination == Destination::Accumulate;
    // gemm is fastest on column-major output, so it computes the transpose: Cᵀ = Bᵀ·Aᵀ.
    // SAFETY: `strided` checked that element (rows-1, columns-1), the furthest one that the strides reach, lies in
    // each slice, transposition only exchanges the strides, and shapes agree by the assertion above. `c` is borrowed
    // mutably, so it cannot alias `a` or `b`, and its rows do not overlap.
    unsafe {
        gemm::gemm(
            n,
            m,
            k,
            c.data.as_mut_ptr(),
            c.row_stride as isize,
            1,
            accumulate,
            b.data.as_ptr(),
            b.row_stride as isize,
            b.column_stride as isize,
            a.data.as_ptr(),
            a.row_stride as isize,
            a.column_stride as isize,
            if accumulate { T::ONE } else { T::ZERO },
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
            }
        }
        c
    }

    #[test]
    fn equals_the_definition_at_odd_shapes() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (17, 33, 16), (197, 64, 197), (4, 0, 3)] {
            let a: Vec<f64> = (0..m * k).map(|i| f64::from((i * 37 % 19) as u32) - 9.0).collect();
            let b: Vec<f64> = (0..k * n).map(|i| f64::from((i * 53 % 23) as u32) - 11.0).collect();
            let mut c = vec![1.0; m * n];
            multiply(
                MatrixMut::new(&mut c, m, n),
                Matrix::new(&a, m, k),
                Matrix::new(&b, k, n),
                2.0,
                Destination::Accumulate,
            );
            let expected: Vec<f64> = naive(&a, &b, m, k, n).iter().map(|v| 2.0 * v + 1.0).collect();
            assert_eq!(c, expected, "{m}x{k}x{n}");
        }
    }

    #[test]
    #[should_panic(expected = "needs 12 of 11")]
    fn refuses_a_slice_that_is_too_short() {
        let data = [0.0f32; 11];
        let _ = Matrix::new(&data, 3, 4);
    }
}
