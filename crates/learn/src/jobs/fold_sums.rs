//! Class counts, class sums and the Gram matrix of one fold, many rows at a time and exact.

use super::{Error, Result};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::statistics::Statistics;
use blindscope_vision::head::IntegerGram;

/// What a fold's rows sum to so far, as integers of the fixed point less half of its range.
pub(super) struct FoldSums {
    fixed: FixedPoint,
    width: usize,
    counts: Vec<u64>,
    sums: Vec<i64>,
    gram: IntegerGram,
    /// Rows that wait to be multiplied together.
    waiting: Vec<f64>,
}

/// Rows whose products are made at once.
const AT_ONCE: usize = 512;

impl FoldSums {
    pub(super) fn new(fixed: FixedPoint, width: usize, classes: usize) -> Result<Self> {
        let gram = IntegerGram::new(width, fixed.half())?;
        let (counts, sums) = (vec![0; classes], vec![0; classes * width]);
        Ok(Self { fixed, width, counts, sums, gram, waiting: Vec::new() })
    }

    /// Counts a row in.
    pub(super) fn add(&mut self, row: &[f32], label: usize) -> Result<()> {
        let half = self.fixed.half() as f64;
        self.counts[label] += 1;
        let sums = &mut self.sums[label * self.width..][..self.width];
        for (value, sum) in row.iter().zip(sums) {
            let whole = self.fixed.encode_one(0, f64::from(*value)).map_err(Error::from)? as f64 - half;
            *sum += whole as i64;
            self.waiting.push(whole);
        }
        if self.waiting.len() >= AT_ONCE * self.width { self.multiply() } else { Ok(()) }
    }

    fn multiply(&mut self) -> Result<()> {
        self.gram.add(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// The sums of all rows, in `into`.
    pub(super) fn finish(mut self, mut into: Statistics) -> Result<Statistics> {
        self.multiply()?;
        into.add_sums(&self.counts, &self.sums, &self.gram.finish())?;
        Ok(into)
    }
}
