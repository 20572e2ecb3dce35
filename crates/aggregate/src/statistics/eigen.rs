//! Eigenvalues and vectors of a symmetric matrix: Householder's reduction to three diagonals, then implicit QL steps (Martin, Reinsch,
//! Wilkinson 1968; Bowdler and others 1968; as EISPACK has them). Sums, products, quotients and roots in one fixed order: the same
//! matrix gives the same bits.

use super::solve::dot;
use crate::{Error, Result};

/// A symmetric matrix as its spectrum.
pub(super) struct Eigen {
    values: Vec<f64>,
    /// Column `k` is the vector of value `k`.
    vectors: Vec<f64>,
}

/// QL steps for one value, before it is given up.
const STEPS: usize = 60;

impl Eigen {
    /// Of a whole matrix of `n` rows.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of elements, or none; [`Error::Singular`] where a value does not converge.
    pub(super) fn new(matrix: &[f64], n: usize) -> Result<Self> {
        if n == 0 || matrix.len() != n * n {
            let (expected, found) = ((n * n) as u64, matrix.len() as u64);
            return Err(Error::Mismatch { what: "elements of a symmetric matrix", expected, found });
        }
        let (diagonal, beside, q) = reduce(matrix, n);
        let mut spectrum = Self { values: diagonal, vectors: q };
        spectrum.diagonalise(beside)?;
        Ok(spectrum)
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// `V·max(Λ, floor)⁻¹·Vᵀ·b`
    pub(super) fn solve(&self, floor: f64, b: &[f64]) -> Vec<f64> {
        let n = self.values.len();
        let mut along = vec![0.0; n];
        for (row, b) in self.vectors.chunks(n).zip(b) {
            along.iter_mut().zip(row).for_each(|(a, v)| *a += v * b);
        }
        along.iter_mut().zip(&self.values).for_each(|(a, value)| *a /= value.max(floor));
        self.vectors.chunks(n).map(|row| dot(row, &along)).collect()
    }

    /// Implicit QL on the tridiagonal matrix; `beside[i]` couples `i` and `i + 1`.
    fn diagonalise(&mut self, mut beside: Vec<f64>) -> Result<()> {
        let n = self.values.len();
        for l in 0..n {
            for step in 0.. {
                let d = &self.values;
                let small = |m: &usize| beside[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[*m + 1].abs());
                let m = (l..n - 1).find(small).unwrap_or(n - 1);
                if m == l {
                    break;
                }
                if step == STEPS {
                    return Err(Error::Singular { op: "spectrum", size: n, row: l });
                }
                self.step(&mut beside, l, m);
            }
        }
        Ok(())
    }

    /// One step on the block from `l` to `m`.
    fn step(&mut self, e: &mut [f64], l: usize, m: usize) {
        let n = self.values.len();
        let d = &mut self.values;
        let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
        let root = length(g, 1.0);
        let mut g = d[m] - d[l] + e[l] / (g + if g < 0.0 { -root } else { root });
        let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
        for i in (l..m).rev() {
            let (f, b) = (s * e[i], c * e[i]);
            let r = length(f, g);
            e[i + 1] = r;
            if r == 0.0 {
                d[i + 1] -= p;
                e[m] = 0.0;
                return;
            }
            (s, c) = (f / r, g / r);
            let before = d[i + 1] - p;
            let r = (d[i] - before) * s + 2.0 * c * b;
            p = s * r;
            d[i + 1] = before + p;
            g = c * r - b;
            for row in self.vectors.chunks_mut(n) {
                let (low, high) = (row[i], row[i + 1]);
                row[i + 1] = s * low + c * high;
                row[i] = c * low - s * high;
            }
        }
        d[l] -= p;
        e[l] = g;
        e[m] = 0.0;
    }
}

/// `√(a² + b²)`
fn length(a: f64, b: f64) -> f64 {
    let (large, small) = (a.abs().max(b.abs()), a.abs().min(b.abs()));
    if large == 0.0 { 0.0 } else { large * (1.0 + (small / large) * (small / large)).sqrt() }
}

/// `A = Q·T·Qᵀ` with `T` of three diagonals: its diagonal, what is beside it (one more zero at the end), `Q`.
fn reduce(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut a, mut q) = (matrix.to_vec(), vec![0.0; n * n]);
    q.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
    let mut beside = vec![0.0; n];
    for k in 0..n.saturating_sub(1) {
        // The reflection that takes what is below the diagonal of column k to one element.
        let mut v: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
        let norm = dot(&v, &v).sqrt();
        let alpha = if v[0] > 0.0 { -norm } else { norm };
        beside[k] = alpha;
        v[0] -= alpha;
        let square = dot(&v, &v);
        if square == 0.0 {
            continue;
        }
        let below = |m: &[f64]| -> Vec<f64> {
            m.chunks(n).map(|row| 2.0 / square * dot(&row[k + 1..], &v)).collect()
        };
        // A − v·wᵀ − w·vᵀ with w = 2A·v/vᵀv less its part along v.
        let mut w = below(&a).split_off(k + 1);
        let along = dot(&w, &v) / square;
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= along * v);
        for (i, row) in a.chunks_mut(n).skip(k + 1).enumerate() {
            let line = row[k + 1..].iter_mut().zip(v.iter().zip(&w));
            line.for_each(|(x, (vj, wj))| *x -= v[i] * wj + w[i] * vj);
        }
        let scaled = below(&q);
        for (row, s) in q.chunks_mut(n).zip(scaled) {
            row[k + 1..].iter_mut().zip(&v).for_each(|(x, v)| *x -= s * v);
        }
    }
    (a.iter().step_by(n + 1).copied().collect(), beside, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic numbers between −1 and 1.
    fn number(i: usize, j: usize) -> f64 {
        let (i, j) = (i.min(j) as u64, i.max(j) as u64);
        let x = (i * 1_000_003 + j).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        x as f64 / (1u64 << 52) as f64 - 1.0
    }

    #[test]
    fn a_matrix_is_its_spectrum() {
        for n in [1usize, 2, 3, 7, 40, 129] {
            let matrices: [Vec<f64>; 4] = [
                (0..n * n).map(|k| number(k / n, k % n)).collect(),
                (0..n * n).map(|k| if k / n == k % n { (k % 3) as f64 } else { 0.0 }).collect(),
                vec![1.0; n * n],
                vec![0.0; n * n],
            ];
            for matrix in matrices {
                let spectrum = Eigen::new(&matrix, n).unwrap();
                let v = &spectrum.vectors;
                let scale = matrix.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
                for i in 0..n {
                    for j in 0..n {
                        let (a, b) = (&v[i * n..(i + 1) * n], &v[j * n..(j + 1) * n]);
                        let back: f64 =
                            a.iter().zip(b).zip(&spectrum.values).map(|((x, y), l)| x * y * l).sum();
                        assert!((back - matrix[i * n + j]).abs() < 1e-12 * scale, "{n}: {i} {j} {back}");
                        let unit = if i == j { 1.0 } else { 0.0 };
                        assert!(
                            (dot(a, b) - unit).abs() < 1e-12,
                            "{n}: rows {i} and {j} are not orthonormal"
                        );
                    }
                }
            }
        }
        assert!(Eigen::new(&[1.0; 3], 2).is_err() && Eigen::new(&[], 0).is_err());
    }

    #[test]
    fn what_is_below_the_floor_is_the_floor() {
        // Values 3 and −1 along (1, 1) and (1, −1).
        let spectrum = Eigen::new(&[1.0, 2.0, 2.0, 1.0], 2).unwrap();
        let x = spectrum.solve(0.5, &[1.0, 0.0]);
        let (along, across) = (0.5 / 3.0, 0.5 / 0.5);
        assert!((x[0] - along - across).abs() < 1e-12 && (x[1] - along + across).abs() < 1e-12, "{x:?}");
    }
}
