//! Bounds of a square head's logits over the whole ball of clipped tokens at once.
//!
//! Taken one by one every unit reaches `‖w‖₂·R + |b|`, but no token takes them all there. For `v = W·x + c`, `‖x‖₂ <= R`,
//! `D = diag(a)`:
//!
//! | value | bound |
//! | --- | --- |
//! | `Σ a_h·v_h² + Σ l_h·v_h + b` | `R²·‖WᵀDW‖ + R·‖Wᵀ(2Dc + l)‖ + |cᵀDc + l·c + b|` |
//! | its slope in `v` | `2R·‖DW‖ + ‖2Dc + l‖` |
//! | `‖v‖` | `R·‖W‖ + ‖c‖` |
//!
//! Spectral norms come from above: with `W = T·O`, rows of `O` orthonormal, `‖WᵀDW‖ = ‖TᵀDT‖` is a matrix as small as there
//! are units, and `‖B‖ <= tr(B^64)^(1/64)` for a symmetric one, at most `r^(1/64)` too much.

/// Most units that are bounded together: matrices of this size are squared six times.
pub(super) const MOST_UNITS: usize = 128;
/// Squarings of the trace bound.
const SQUARINGS: i32 = 6;
/// For rounding in `f64`, which is far below it.
const SLACK: f64 = 1.0 + 1e-6;

/// A first layer over the ball of radius `R`.
pub(super) struct Ball<'h> {
    weights: &'h [Vec<f64>],
    bias: &'h [f64],
    radius: f64,
    /// Rows of `T`.
    triangle: Vec<Vec<f64>>,
}

impl<'h> Ball<'h> {
    /// Nothing where there are too many units.
    pub(super) fn new(weights: &'h [Vec<f64>], bias: &'h [f64], radius: f64) -> Option<Self> {
        let fits = weights.len() <= MOST_UNITS;
        fits.then(|| Self { weights, bias, radius, triangle: triangle(weights) })
    }

    /// The largest logit `Σ squares·v² + Σ linear·v + bias`, and by how much it moves with an error of one in `v`.
    pub(super) fn logit(&self, squares: &[f64], linear: &[f64], bias: f64) -> (f64, f64) {
        let slope: Vec<f64> =
            squares.iter().zip(self.bias).zip(linear).map(|((a, c), l)| 2.0 * a * c + l).collect();
        let constant: f64 =
            squares.iter().zip(linear).zip(self.bias).map(|((a, l), c)| a * c * c + l * c).sum::<f64>()
                + bias;
        let pulled = (0..self.weights.first().map_or(0, Vec::len))
            .map(|j| self.weights.iter().zip(&slope).map(|(w, s)| w[j] * s).sum::<f64>().powi(2))
            .sum::<f64>()
            .sqrt();
        let r = self.radius;
        let size = r * r * self.form(|h| squares[h]) + r * pulled + constant.abs();
        let moved = 2.0 * r * self.form(|h| squares[h] * squares[h]).sqrt() + norm(&slope);
        (size * SLACK, moved * SLACK)
    }

    /// The largest `‖v‖`: `R·‖W‖ + ‖c‖`.
    pub(super) fn units(&self) -> f64 {
        (self.radius * self.form(|_| 1.0).sqrt() + norm(self.bias)) * SLACK
    }

    /// A bound of `‖Tᵀ·diag(d)·T‖`.
    fn form(&self, d: impl Fn(usize) -> f64) -> f64 {
        let rank = self.triangle.first().map_or(0, Vec::len);
        let mut b = vec![vec![0.0; rank]; rank];
        for (h, t) in self.triangle.iter().enumerate() {
            for (row, x) in b.iter_mut().zip(t) {
                row.iter_mut().zip(t).for_each(|(b, y)| *b += d(h) * x * y);
            }
        }
        spectral(b)
    }
}

/// `T` of `W = T·O` by Gram and Schmidt, each row taken twice.
fn triangle(weights: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut orthonormal: Vec<Vec<f64>> = Vec::new();
    let mut rows = Vec::with_capacity(weights.len());
    for w in weights {
        let (mut rest, mut row) = (w.clone(), vec![0.0; weights.len()]);
        for _ in 0..2 {
            for (o, t) in orthonormal.iter().zip(&mut row) {
                let along: f64 = o.iter().zip(&rest).map(|(a, b)| a * b).sum();
                rest.iter_mut().zip(o).for_each(|(x, o)| *x -= along * o);
                *t += along;
            }
        }
        let left = norm(&rest);
        // What rounding leaves of a row that the others span.
        if left > 1e-12 * norm(w) {
            row[orthonormal.len()] = left;
            orthonormal.push(rest.iter().map(|x| x / left).collect());
        }
        rows.push(row);
    }
    rows
}

/// `tr(B^64)^(1/64)` of a symmetric matrix.
fn spectral(mut b: Vec<Vec<f64>>) -> f64 {
    let mut log2 = 0.0;
    for _ in 0..SQUARINGS {
        let most = b.iter().flatten().fold(0f64, |m, x| m.max(x.abs()));
        if most == 0.0 {
            return 0.0;
        }
        b.iter_mut().flatten().for_each(|x| *x /= most);
        log2 = 2.0 * (log2 + most.log2());
        // Rows are columns: a product of rows with rows.
        let squared = |x: &Vec<f64>| b.iter().map(|y| x.iter().zip(y).map(|(x, y)| x * y).sum()).collect();
        b = b.iter().map(squared).collect();
    }
    let trace: f64 = b.iter().enumerate().map(|(i, row)| row[i]).sum();
    ((log2 + trace.log2()) / f64::from(SQUARINGS).exp2()).exp2()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spectral_norms_are_bounded_closely() {
        // Eigenvalues 3 and -1.
        let bound = spectral(vec![vec![1.0, 2.0], vec![2.0, 1.0]]);
        assert!((3.0..3.0 * 2f64.powf(1.0 / 64.0) + 1e-9).contains(&bound), "{bound}");
        assert!(spectral(vec![vec![0.0; 3]; 3]) <= 0.0);
    }

    /// Forms that cancel, rows that depend on each other, and the worst token, which reaches its bound.
    #[test]
    fn the_worst_token_is_bounded_and_found() {
        let same = [vec![1.0, 2.0], vec![1.0, 2.0], vec![3.0, -1.0]];
        let ball = Ball::new(&same, &[0.0; 3], 2.0).unwrap();
        let (size, _) = ball.logit(&[1.0, -1.0, 0.0], &[0.0; 3], 0.5);
        assert!((0.5..0.51).contains(&size), "{size}");
        let (size, slope) = ball.logit(&[0.0, 0.0, 1.0], &[0.0; 3], 0.0);
        // v = ‖w‖·R = √10·2.
        assert!((40.0..42.0).contains(&size), "{size}");
        // WᵀW has the eigenvalues 10 ± √2; row by row it would be √80.
        let (units, largest) = (ball.units(), 2.0 * (10.0 + 2f64.sqrt()).sqrt());
        assert!((largest..largest * 1.01).contains(&units), "{units} for {largest}");
        let reached = 2.0 * 40f64.sqrt();
        assert!((reached..reached * 1.02).contains(&slope), "{slope}");
        assert!(Ball::new(&vec![vec![1.0]; MOST_UNITS + 1], &[0.0], 1.0).is_none());
    }
}
