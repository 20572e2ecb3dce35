//! The Gram matrix of whole numbers, exactly, at the speed of products of doubles.
//!
//! Numbers of at most `most` in size have products of at most `most²`, and doubles add whole numbers without an error up to 2⁵³. So
//! as many rows as stay below that are multiplied as a matrix, in whatever order the product takes, and then added to integers.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};

/// Features of one panel of the product.
const PANEL: usize = 128;
/// Where doubles stop telling whole numbers apart.
const EXACT: u64 = 1 << 53;

/// `Σ x·xᵀ` over rows of whole numbers: its upper triangle.
#[derive(Clone, Debug)]
pub struct IntegerGram {
    width: usize,
    /// Rows after which sums in doubles could be off.
    exact: u64,
    /// Rows in `panels`.
    rows: u64,
    /// Panel `p` holds rows `p·PANEL..` of the matrix, from column `p·PANEL` on.
    panels: Vec<Vec<f64>>,
    sums: Vec<i64>,
}

impl IntegerGram {
    /// For rows of `width` whole numbers of at most `most` in size.
    ///
    /// # Errors
    /// [`Error::Data`] for numbers so large that a single product is no exact double.
    pub fn new(width: usize, most: u64) -> Result<Self> {
        let exact = EXACT / most.saturating_mul(most).max(1);
        if exact == 0 || width == 0 {
            let reason =
                format!("rows of {width} whole numbers up to {most} have no exact products in doubles");
            return Err(Error::data("summing products", reason));
        }
        let panel = |from: usize| vec![0.0; PANEL.min(width - from) * (width - from)];
        let panels = (0..width).step_by(PANEL).map(panel).collect();
        Ok(Self { width, exact, rows: 0, panels, sums: vec![0; width * (width + 1) / 2] })
    }

    /// Adds `rows: [n, width]`. Range: whole numbers within the size that was promised; sums stay within 63 bits.
    ///
    /// # Errors
    /// [`Error::Shape`] for a part of a row.
    pub fn add(&mut self, rows: &[f64]) -> Result<()> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(Error::shape("summing products", format!("rows of {}", self.width), rows.len()));
        }
        let most = usize::try_from(self.exact).unwrap_or(usize::MAX).saturating_mul(self.width);
        for some in rows.chunks(most) {
            let count = some.len() / self.width;
            if self.rows + count as u64 > self.exact {
                self.flush();
            }
            self.rows += count as u64;
            self.multiply(some, count);
        }
        Ok(())
    }

    fn multiply(&mut self, rows: &[f64], count: usize) {
        let width = self.width;
        self.panels.par_iter_mut().enumerate().for_each(|(p, panel)| {
            let from = p * PANEL;
            let (high, wide) = (PANEL.min(width - from), width - from);
            let left = Matrix::strided(&rows[from..], count, high, width).transposed();
            let right = Matrix::strided(&rows[from..], count, wide, width);
            multiply(MatrixMut::new(panel, high, wide), left, right, 1.0, Destination::Accumulate);
        });
    }

    /// Takes what is in doubles over into integers.
    fn flush(&mut self) {
        let mut sums = self.sums.iter_mut();
        for (p, panel) in self.panels.iter_mut().enumerate() {
            let wide = self.width - p * PANEL;
            for (i, row) in panel.chunks_exact(wide).enumerate() {
                row[i..].iter().zip(&mut sums).for_each(|(v, sum)| *sum += *v as i64);
            }
            panel.fill(0.0);
        }
        self.rows = 0;
    }

    /// The sums for `i <= j`, row after row.
    pub fn finish(mut self) -> Vec<i64> {
        self.flush();
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// One product at a time, in integers.
    fn plain(rows: &[f64], width: usize) -> Vec<i64> {
        let mut sums = vec![0i64; width * (width + 1) / 2];
        for row in rows.chunks(width) {
            let pairs = (0..width).flat_map(|i| (i..width).map(move |j| (i, j)));
            sums.iter_mut().zip(pairs).for_each(|(sum, (i, j))| *sum += row[i] as i64 * row[j] as i64);
        }
        sums
    }

    #[test]
    fn sums_are_those_of_integers_to_the_last_bit() -> Result<()> {
        let rng = &mut StdRng::seed_from_u64(9);
        // Widths on both sides of a panel's end; sizes of which some fill a double after a handful of rows.
        for (width, count, most) in
            [(1, 9, 3u64), (127, 40, 8191), (129, 300, (1 << 19) - 1), (300, 37, (1 << 25) + 1)]
        {
            let most_i = most as i64;
            let mut rows: Vec<f64> =
                (0..width * count).map(|_| rng.random_range(-most_i..=most_i) as f64).collect();
            // Sums as large as they can get.
            rows[..width * count / 2].fill(most as f64);
            let mut gram = IntegerGram::new(width, most)?;
            for some in rows.chunks(7 * width) {
                gram.add(some)?;
            }
            assert_eq!(gram.finish(), plain(&rows, width), "{width} {most}");
        }
        assert!(IntegerGram::new(4, 1 << 27).is_err() && IntegerGram::new(4, 8)?.add(&[1.0; 3]).is_err());
        Ok(())
    }
}
