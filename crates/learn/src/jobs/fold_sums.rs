//! Class counts, class sums and the Gram matrix of one fold, many rows at a time and exact.

use rayon::prelude::*;

use super::Result;
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
    /// Rows on their way into the matrix.
    whole: Vec<i32>,
}

/// Rows that are dealt to their folds and multiplied together.
pub(super) const AT_ONCE: usize = 2048;

impl FoldSums {
    pub(super) fn new(fixed: FixedPoint, width: usize, classes: usize) -> Result<Self> {
        let gram = IntegerGram::new(width, fixed.half())?;
        let (counts, sums) = (vec![0; classes], vec![0; classes * width]);
        Ok(Self { fixed, width, counts, sums, gram, whole: Vec::new() })
    }

    /// Counts some rows in: the `members` of `rows`, whose classes are `labels`.
    pub(super) fn add(&mut self, rows: &[f32], labels: &[usize], members: &[usize]) -> Result<()> {
        let (fixed, width) = (self.fixed, self.width);
        self.whole.resize(members.len() * width, 0);
        self.whole
            .par_chunks_exact_mut(width)
            .zip(members)
            .try_for_each(|(whole, member)| fixed.encode_signed(&rows[member * width..][..width], whole))?;
        for (row, member) in self.whole.chunks_exact(width).zip(members) {
            let label = labels[*member];
            self.counts[label] += 1;
            let sums = &mut self.sums[label * width..][..width];
            row.iter().zip(sums).for_each(|(whole, sum)| *sum += i64::from(*whole));
        }
        Ok(self.gram.add(&self.whole)?)
    }

    /// The sums of all rows, in `into`.
    pub(super) fn finish(self, mut into: Statistics) -> Result<Statistics> {
        into.add_sums(&self.counts, &self.sums, &self.gram.finish())?;
        Ok(into)
    }
}
