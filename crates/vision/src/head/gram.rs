//! The Gram matrix of whole numbers, exactly, at the speed of products of matrices.
//!
//! Short numbers, as `statistics` has them, are multiplied in pairs of 16 bits and summed in integers. Others go through doubles: numbers of
//! at most `most` in size have products of at most `most²`, and doubles add whole numbers without an error up to 2⁵³. So as many
//! rows as stay below that are multiplied as a matrix, in whatever order the product takes, and then added to integers.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};
use crate::kernels::pairs::{self, Packed, Pairs};

/// Features of one panel of the product in doubles.
const PANEL: usize = 128;
/// Where doubles stop telling whole numbers apart.
const EXACT: u64 = 1 << 53;
/// Rows that are packed at a time: a panel of them, in words, stays in a core's first cache.
const PACKED: usize = 256;
/// Words of products that have to fit into 32 bits, for sums in 32 bits to be worth taking over into 64.
const WORDS: u64 = 4;

/// `Σ x·xᵀ` over rows of whole numbers: its upper triangle.
#[derive(Clone, Debug)]
pub struct IntegerGram {
    width: usize,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Doubles(Doubles),
    Words(Words),
}

impl IntegerGram {
    /// For rows of `width` whole numbers of at most `most` in size.
    ///
    /// # Errors
    /// [`Error::Data`] for numbers so large that a single product is no exact double.
    pub fn new(width: usize, most: u64) -> Result<Self> {
        // In 32 bits with a sign: a word holds two products.
        let exact = (1u64 << 31).saturating_sub(1) / (2 * most.saturating_mul(most)).max(1);
        match Pairs::of_this_processor().filter(|_| exact >= WORDS && width > 0) {
            Some(way) => Ok(Self { width, by: By::Words(Words::new(way, width, exact as usize)) }),
            None => Self::in_doubles(width, most),
        }
    }

    fn in_doubles(width: usize, most: u64) -> Result<Self> {
        Ok(Self { width, by: By::Doubles(Doubles::new(width, most)?) })
    }

    /// Adds `rows: [n, width]`. Range: whole numbers within the size that was promised; sums stay within 63 bits.
    ///
    /// # Errors
    /// [`Error::Shape`] for a part of a row.
    pub fn add(&mut self, rows: &[i32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(Error::shape("summing products", format!("rows of {}", self.width), rows.len()));
        }
        match &mut self.by {
            By::Doubles(doubles) => doubles.add(rows),
            By::Words(words) => words.add(rows),
        }
        Ok(())
    }

    /// The sums for `i <= j`, row after row.
    pub fn finish(self) -> Vec<i64> {
        match self.by {
            By::Doubles(doubles) => doubles.finish(),
            By::Words(words) => words.finish(),
        }
    }
}

/// Pairs of 16-bit numbers, summed in words of 32 bits.
#[derive(Clone, Debug)]
struct Words {
    way: Pairs,
    width: usize,
    /// Words that add up within 32 bits.
    exact: usize,
    /// Panel `p` holds rows `p·PANEL..` of the matrix, from column `p·PANEL` on, with columns beyond the last.
    panels: Vec<Vec<i64>>,
}

impl Words {
    fn new(way: Pairs, width: usize, exact: usize) -> Self {
        let count = width.div_ceil(pairs::PANEL);
        let panels = (0..count).map(|p| vec![0; pairs::PANEL * pairs::PANEL * (count - p)]).collect();
        Self { way, width, exact, panels }
    }

    fn add(&mut self, rows: &[i32]) {
        for some in rows.chunks(PACKED * self.width) {
            let packed = Packed::new(some, self.width);
            let add = |(p, panel): (usize, &mut Vec<i64>)| self.way.add(&packed, p, self.exact, panel);
            self.panels.par_iter_mut().enumerate().for_each(add);
        }
    }

    fn finish(self) -> Vec<i64> {
        let mut sums = Vec::with_capacity(self.width * (self.width + 1) / 2);
        for (p, panel) in self.panels.iter().enumerate() {
            let (from, stride) = (p * pairs::PANEL, panel.len() / pairs::PANEL);
            for (i, row) in panel.chunks_exact(stride).enumerate().take(self.width - from) {
                sums.extend_from_slice(&row[i..self.width - from]);
            }
        }
        sums
    }
}

/// Products of doubles.
#[derive(Clone, Debug)]
struct Doubles {
    width: usize,
    /// Rows after which sums in doubles could be off.
    exact: u64,
    /// Rows in `panels`.
    rows: u64,
    /// Panel `p` holds rows `p·PANEL..` of the matrix, from column `p·PANEL` on.
    panels: Vec<Vec<f64>>,
    sums: Vec<i64>,
}

impl Doubles {
    fn new(width: usize, most: u64) -> Result<Self> {
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

    fn add(&mut self, rows: &[i32]) {
        let rows: Vec<f64> = rows.iter().map(|v| f64::from(*v)).collect();
        let most = usize::try_from(self.exact).unwrap_or(usize::MAX).saturating_mul(self.width);
        for some in rows.chunks(most) {
            let count = some.len() / self.width;
            if self.rows + count as u64 > self.exact {
                self.flush();
            }
            self.rows += count as u64;
            self.multiply(some, count);
        }
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

    fn finish(mut self) -> Vec<i64> {
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
    fn plain(rows: &[i32], width: usize) -> Vec<i64> {
        let mut sums = vec![0i64; width * (width + 1) / 2];
        for row in rows.chunks(width) {
            let pairs = (0..width).flat_map(|i| (i..width).map(move |j| (i, j)));
            sums.iter_mut()
                .zip(pairs)
                .for_each(|(sum, (i, j))| *sum += i64::from(row[i]) * i64::from(row[j]));
        }
        sums
    }

    /// So large is every number of the first half of them: sums as large as they can get, and of the smallest sign.
    fn rows(width: usize, count: usize, most: i32) -> Vec<i32> {
        let rng = &mut StdRng::seed_from_u64(9);
        let mut rows: Vec<i32> = (0..width * count).map(|_| rng.random_range(-most..=most)).collect();
        rows[..width * count / 2].fill(-most);
        rows
    }

    fn sums(mut gram: IntegerGram, rows: &[i32], width: usize) -> Result<Vec<i64>> {
        for some in rows.chunks(7 * width) {
            gram.add(some)?;
        }
        Ok(gram.finish())
    }

    #[test]
    fn sums_are_those_of_integers_to_the_last_bit() -> Result<()> {
        // Widths on both sides of a panel's end; sizes of which some fill a double after a handful of rows.
        for (width, count, most) in
            [(1, 9, 3), (127, 40, 8191), (129, 300, (1 << 19) - 1), (300, 37, (1 << 25) + 1)]
        {
            let rows = rows(width, count, most);
            let expected = plain(&rows, width);
            assert_eq!(
                sums(IntegerGram::new(width, most as u64)?, &rows, width)?,
                expected,
                "{width} {most}"
            );
            let doubles = IntegerGram::in_doubles(width, most as u64)?;
            assert_eq!(sums(doubles, &rows, width)?, expected, "{width} {most}, in doubles");
        }
        assert!(IntegerGram::new(4, 1 << 27).is_err() && IntegerGram::new(4, 8)?.add(&[1; 3]).is_err());
        Ok(())
    }

    /// Every way of this machine, with numbers that fill a word of 32 bits to its last bit.
    #[test]
    fn pairs_are_multiplied_the_same_way_by_every_width_of_vectors() {
        for way in Pairs::all() {
            for (width, count, most) in
                [(1, 1, 1), (31, 33, 8191), (32, 600, 8191), (33, 513, 11_585), (97, 64, 3)]
            {
                let rows = rows(width, count, most);
                let exact = ((1usize << 31) - 1) / (2 * (most * most) as usize);
                let mut words = Words::new(way, width, exact);
                words.add(&rows);
                assert_eq!(words.finish(), plain(&rows, width), "{way:?} {width} {most}");
            }
        }
    }
}
