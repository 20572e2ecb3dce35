//! Counts, sums and products as integers.

use crate::learn::{Error, Examples, Result};

/// Features as integers in `[-h, h]`, `h = 2^(bits−1) − 1`.
#[derive(Debug, Clone, Copy)]
pub(in crate::learn) struct Quantiser {
    bound: f64,
    half: i64,
    /// Most examples of one site.
    examples: u64,
}

impl Quantiser {
    /// Range: `bits` 2 to 20, a positive bound, at most `2^24` examples; products then stay below `2^63`.
    pub(in crate::learn) fn new(bound: f64, bits: u32, examples: u64) -> Self {
        Self { bound, half: (1 << (bits - 1)) - 1, examples }
    }

    /// The integers of a row; larger values are clipped.
    fn row(&self, row: &[f32]) -> Vec<i64> {
        let one = |x: &f32| {
            ((f64::from(*x) / self.bound).clamp(-1.0, 1.0) * self.half as f64).round_ties_even() as i64
        };
        row.iter().map(one).collect()
    }

    /// The feature that one integer step is.
    pub(super) fn step(&self) -> f64 {
        self.bound / self.half as f64
    }

    /// What moves a sum of one site above zero.
    fn sum_offset(&self) -> i64 {
        self.examples as i64 * self.half
    }

    /// What moves a product sum of one site above zero.
    fn product_offset(&self) -> i64 {
        self.sum_offset() * self.half
    }

    /// The largest integer of one site.
    pub(in crate::learn) fn max_product(&self) -> u64 {
        2 * self.product_offset() as u64
    }
}

/// Class counts, class sums and the upper triangle of the Gram matrix, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::learn) struct Moments {
    pub(super) counts: Vec<i64>,
    /// `[classes][width]`.
    pub(super) sums: Vec<Vec<i64>>,
    /// `(0,0), (0,1), …, (1,1), …`
    pub(super) products: Vec<i64>,
}

impl Moments {
    fn zero(classes: usize, width: usize) -> Self {
        Self {
            counts: vec![0; classes],
            sums: vec![vec![0; width]; classes],
            products: vec![0; width * (width + 1) / 2],
        }
    }

    /// The moments of checked examples.
    ///
    /// # Errors
    /// [`Error::Data`] beyond the examples that headroom was planned for, or without any.
    pub(in crate::learn) fn of(rows: &Examples, classes: usize, width: usize, q: &Quantiser) -> Result<Self> {
        if rows.is_empty() || rows.len() as u64 > q.examples {
            let (operation, what, found) = ("statistics", "number of examples", rows.len().to_string());
            return Err(Error::Data { operation, what, found, expected: format!("1 to {}", q.examples) });
        }
        let mut moments = Self::zero(classes, width);
        for (row, label) in rows.rows.chunks_exact(width).zip(&rows.labels) {
            let x = q.row(row);
            moments.counts[*label] += 1;
            moments.sums[*label].iter_mut().zip(&x).for_each(|(s, x)| *s += x);
            let mut rest = moments.products.as_mut_slice();
            for i in 0..width {
                let (triangle_row, below) = rest.split_at_mut(width - i);
                triangle_row.iter_mut().zip(&x[i..]).for_each(|(p, y)| *p += x[i] * y);
                rest = below;
            }
        }
        Ok(moments)
    }

    /// The integers of one site, none negative.
    pub(in crate::learn) fn encode(&self, q: &Quantiser) -> Vec<u64> {
        let (sum, product) = (q.sum_offset(), q.product_offset());
        let counts = self.counts.iter().map(|n| *n as u64);
        let sums = self.sums.iter().flatten().map(|s| (s + sum) as u64);
        let products = self.products.iter().map(|p| (p + product) as u64);
        counts.chain(sums).chain(products).collect()
    }

    /// The moments behind the sum of `sites` sites' integers.
    ///
    /// # Errors
    /// [`Error::Sums`].
    pub(in crate::learn) fn decode(
        sums: &[u64],
        sites: usize,
        classes: usize,
        width: usize,
        q: &Quantiser,
    ) -> Result<Self> {
        let mut moments = Self::zero(classes, width);
        let expected = classes + classes * width + moments.products.len();
        if sums.len() < expected {
            let reason = format!("{} sums, {expected} are needed", sums.len());
            return Err(Error::Sums { operation: "statistics", reason });
        }
        let (counts, rest) = sums.split_at(classes);
        let (class_sums, products) = rest.split_at(classes * width);
        // Range: sites · 2^63 does not fit 64 bits in general, so offsets are taken off in 128.
        let less = |v: &u64, offset: i64| (i128::from(*v) - sites as i128 * i128::from(offset)) as i64;
        moments.counts = counts.iter().map(|n| *n as i64).collect();
        moments.sums = class_sums
            .chunks(width)
            .map(|row| row.iter().map(|v| less(v, q.sum_offset())).collect())
            .collect();
        moments.products =
            products.iter().take(moments.products.len()).map(|v| less(v, q.product_offset())).collect();
        Ok(moments)
    }
}
