//! What a job that sums rows has to know of them before it begins, by reading them once: whether they are numbers, how many it would
//! clip, what its steps tell of them. Files of rows are larger than memory, so a reading costs as much as copying the file.

use rayon::prelude::*;

use super::Result;
use blindscope_vision::values::Values;

/// Rows that one task looks at. Sums are made in this order whatever the threads do.
const ROWS: usize = 256;

/// What all rows say of themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Survey {
    /// Where the first number stands that is not finite.
    pub(super) not_finite: Option<usize>,
    /// Numbers beyond the bound in size.
    pub(super) beyond: usize,
    /// Rows.
    rows: usize,
    /// Of each feature: the sum of its values, and of their squares.
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Survey {
    fn none(width: usize) -> Self {
        Self { not_finite: None, beyond: 0, rows: 0, sums: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// Of rows of `width` numbers, those above `bound` in size being counted.
    ///
    /// # Errors
    /// [`super::Error::Vision`] when the file of rows cannot be read any more.
    pub(super) fn of(values: &Values, width: usize, bound: f64) -> Result<Self> {
        let (width, mut all) = (width.max(1), Self::none(width));
        for block in values.blocks() {
            let parts: Vec<Self> =
                block?.par_chunks(ROWS * width).map(|rows| Self::some(rows, width, bound)).collect();
            for part in parts {
                all.append(part, width);
            }
        }
        Ok(all)
    }

    fn some(rows: &[f32], width: usize, bound: f64) -> Self {
        let mut of = Self { rows: rows.len() / width, ..Self::none(width) };
        for row in rows.chunks_exact(width) {
            of.beyond += row.iter().filter(|v| f64::from(v.abs()) > bound).count();
            for ((x, sum), square) in row.iter().zip(&mut of.sums).zip(&mut of.squares) {
                *sum += f64::from(*x);
                *square += f64::from(*x) * f64::from(*x);
            }
        }
        // A number that is not finite makes its feature's sum so: only then is it looked for.
        if of.sums.iter().any(|sum| !sum.is_finite()) {
            of.not_finite = rows.iter().position(|v| !v.is_finite());
        }
        of
    }

    /// Takes over what the rows behind these say.
    fn append(&mut self, more: Self, width: usize) {
        let before = self.rows * width;
        self.not_finite = self.not_finite.or(more.not_finite.map(|at| before + at));
        self.beyond += more.beyond;
        self.rows += more.rows;
        self.sums.iter_mut().zip(more.sums).for_each(|(sum, part)| *sum += part);
        self.squares.iter_mut().zip(more.squares).for_each(|(sum, part)| *sum += part);
    }

    /// By how much the values of a feature differ: the root of its variance, averaged over the features.
    pub(super) fn spread(&self) -> f64 {
        let n = self.rows.max(1) as f64;
        let variance = self.sums.iter().zip(&self.squares).map(|(s, q)| (q / n - (s / n).powi(2)).max(0.0));
        (variance.sum::<f64>() / self.sums.len().max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_reading_tells_is_what_each_of_several_would() -> Result<()> {
        let width = 3;
        let mut rows: Vec<f32> = (0..width * 1000).map(|i| (i * 7919 % 2000) as f32 / 100.0 - 10.0).collect();
        let survey = Survey::of(&rows.clone().into(), width, 9.0)?;
        assert_eq!(survey.beyond, rows.iter().filter(|v| v.abs() > 9.0).count());
        assert_eq!(survey.not_finite, None);
        let mean = |feature: usize, power: i32| {
            rows.iter().skip(feature).step_by(width).map(|v| f64::from(*v).powi(power)).sum::<f64>() / 1000.0
        };
        let spread = (0..width).map(|f| mean(f, 2) - mean(f, 1).powi(2)).sum::<f64>() / width as f64;
        assert!((survey.spread() - spread.sqrt()).abs() < 1e-9);
        for (at, value) in [(2111, f32::INFINITY), (2112, f32::NAN)] {
            rows[at] = value;
            let found = Survey::of(&rows.clone().into(), width, 9.0)?.not_finite;
            assert_eq!(found, Some(2111), "the first of them");
        }
        rows.fill(0.0);
        rows[2999] = f32::NEG_INFINITY;
        assert_eq!(Survey::of(&rows.into(), width, 9.0)?.not_finite, Some(2999));
        Ok(())
    }
}
