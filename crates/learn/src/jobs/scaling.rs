//! The common standardisation: mean and deviation of every feature over all sites, from encrypted sums.
//!
//! Heads can be averaged only if all sites standardise and clip alike, and no site may take its own range for that.

use super::{Error, Result};
use blindscope_aggregate::FixedPoint;
use blindscope_vision::head::Scaling;
use blindscope_vision::values::Values;

/// Sums of features and of their squares, each at its own fixed point.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScalingSums {
    value: FixedPoint,
    square: FixedPoint,
    /// Smallest variance told from zero at this fixed point.
    floor: f64,
}

impl ScalingSums {
    /// Features clipped to `±bound` at `bits` bits.
    pub(super) fn new(bound: f64, bits: u32) -> Result<Self> {
        let square = bound * bound;
        let floor = square / f64::from(bits - 1).exp2();
        Ok(Self { value: FixedPoint::new(bound, bits)?, square: FixedPoint::new(square, bits)?, floor })
    }

    /// Integers of one site: rows, then a sum a feature, then a sum of squares a feature.
    pub(super) fn encode(&self, rows: &Values, width: usize) -> Result<Vec<u64>> {
        let mut sums = vec![0u64; 2 * width];
        for block in rows.blocks() {
            for row in block?.chunks_exact(width) {
                let x: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
                self.add(&mut sums, &x, &squares)?;
            }
        }
        let mut out = vec![(rows.len() / width) as u64];
        out.append(&mut sums);
        Ok(out)
    }

    /// Adds one row, or the means of several and of their squares: to the sums of features, then to those of squares.
    pub(super) fn add(&self, sums: &mut [u64], x: &[f64], squares: &[f64]) -> Result<()> {
        let integers = self.value.encode(x)?.into_iter().chain(self.square.encode(squares)?);
        sums.iter_mut().zip(integers).for_each(|(s, v)| *s += v);
        Ok(())
    }

    /// Mean and deviation behind the sum, and the number of rows.
    pub(super) fn decode(&self, sums: &[u64], width: usize) -> Result<(Scaling, u64)> {
        let Some((n, sums)) = sums.split_first().filter(|(n, rest)| **n > 0 && rest.len() >= 2 * width)
        else {
            let reason = format!("{} sums over at least one row are needed", 2 * width + 1);
            return Err(Error::Sums { operation: "common scaling", reason });
        };
        let (first, second) = sums.split_at(width);
        let mean = |s: &u64| self.value.decode_sum(*s, *n) / *n as f64;
        let deviation = |(s, q): (&u64, &u64)| {
            let variance = self.square.decode_sum(*q, *n) / *n as f64 - mean(s).powi(2);
            variance.max(self.floor).sqrt() as f32
        };
        let scaling = Scaling {
            mean: first.iter().map(|s| mean(s) as f32).collect(),
            deviation: first.iter().zip(second).map(deviation).collect(),
        };
        Ok((scaling, *n))
    }
}
