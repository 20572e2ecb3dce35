//! Rows that lie so far from all others that a head would be made of them: one sensor fault, one value in another unit. Mean and
//! deviation follow such a row, everything else becomes zero, and the figures of the held-out rows do not say why.

use std::borrow::Cow;

use crate::jobs::Error;
use blindscope_vision::features::Features;

/// Times the spread of nine tenths of the rows at which a value is no value of the same kind any more.
const FAR: f32 = 1e4;
/// Fewest rows among which one can be told to be odd.
const LEAST: usize = 4;
/// Rows that are named.
const NAMED: usize = 3;

/// Numbers by which medians and spreads are told; of more rows, some that are spread over all.
const TOLD_BY: usize = 1 << 24;

/// Refuses features with rows far from all others.
///
/// # Errors
/// [`Error::Data`] names the first of them, with feature, value and what the others hold; [`Error::Vision`] when the file of rows
/// cannot be read any more.
pub(super) fn check(features: &Features) -> Result<(), Error> {
    let (rows, width) = (features.len(), features.width);
    if rows < LEAST || width == 0 {
        return Ok(());
    }
    let usual = Usual::of(features)?;
    let mut odd: Vec<(usize, usize, f32)> = Vec::new();
    let mut row = 0;
    for block in features.values.blocks() {
        for values in block?.chunks_exact(width) {
            if let Some(at) = usual.far(values) {
                odd.push((row, at, values[at]));
            }
            row += 1;
        }
    }
    let Some(&(_, at, value)) = odd.first() else { return Ok(()) };
    let (median, spread) = usual.middles[at];
    let names: Vec<&str> = odd.iter().take(NAMED).map(|(row, ..)| features.ids[*row].as_str()).collect();
    let found = format!(
        "far from all others in {} of {rows} rows ({}): {value:e} in feature {at}",
        odd.len(),
        names.join(", ")
    );
    let expected = format!(
        "nearer than {FAR:e} times what nine tenths of the rows differ by ({:e} around {median:e}); leave those rows out, or look \
         where their values come from",
        spread.max(usual.common)
    );
    Err(Error::Data { operation: "training a head", what: "a value", found, expected })
}

/// What the values of each feature are like.
struct Usual {
    /// Median, and the distance from it that nine tenths of the rows keep.
    middles: Vec<(f32, f32)>,
    /// The middle one of these distances: a feature that hardly varies is measured by what the others do.
    common: f32,
}

impl Usual {
    fn of(features: &Features) -> Result<Self, Error> {
        let width = features.width;
        let step = features.values.len().div_ceil(TOLD_BY).max(1);
        let some: Vec<usize> = (0..features.len()).step_by(step).collect();
        let some = match features.values.in_memory().filter(|_| step == 1) {
            Some(all) => all.into(),
            None => Cow::Owned(features.rows(&some)?),
        };
        let middles: Vec<(f32, f32)> = (0..width).map(|at| middle(&some, width, at)).collect();
        let common = nth(middles.iter().map(|(_, spread)| *spread).collect(), width / 2);
        Ok(Self { middles, common })
    }

    /// The first feature whose value is far from those of all others.
    fn far(&self, row: &[f32]) -> Option<usize> {
        let beyond = |(value, (median, spread)): (&f32, &(f32, f32))| {
            (value - median).abs() > FAR * spread.max(self.common) && self.common > 0.0
        };
        row.iter().zip(&self.middles).position(beyond)
    }
}

fn middle(values: &[f32], width: usize, at: usize) -> (f32, f32) {
    let column: Vec<f32> = values.iter().skip(at).step_by(width).copied().collect();
    let last = column.len() - 1;
    let median = nth(column.clone(), last / 2);
    (median, nth(column.iter().map(|value| (value - median).abs()).collect(), last * 9 / 10))
}

/// The `n`th smallest. Range: values are finite, there are more than `n`.
fn nth(mut values: Vec<f32>, n: usize) -> f32 {
    *values.select_nth_unstable_by(n, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(rows: usize, value: impl Fn(usize, usize) -> f32) -> Features {
        let values =
            (0..rows).flat_map(|row| (0..5).map(move |at| (row, at))).map(|(row, at)| value(row, at));
        Features {
            width: 5,
            values: values.collect(),
            ids: (0..rows).map(|row| format!("row {row}")).collect(),
            ..Features::default()
        }
    }

    #[test]
    fn one_row_far_from_all_others_is_named_and_heavy_tails_are_not() {
        let usual =
            |row: usize, at: usize| ((row * 7 + at * 3) % 11) as f32 * 10f32.powi(at as i32 - 2) - 3.0;
        check(&features(40, usual)).unwrap();
        for (value, rows) in [(1e8, 40), (-1e8, 40), (1e8, 4), (1e7, 400)] {
            let one = |row: usize, at: usize| if (row, at) == (3, 2) { value } else { usual(row, at) };
            let said = check(&features(rows, one)).unwrap_err().to_string();
            assert!(said.contains("row 3") && said.contains("feature 2"), "{said}");
        }
        // A tail of thousands of deviations, a feature that is zero in almost every row, and a constant one are all usual.
        let heavy = |row: usize, at: usize| match at {
            0 if row.is_multiple_of(20) => 300.0,
            1 => f32::from(u8::from(row == 5)) * 3.0,
            2 => 4.0,
            _ => usual(row, at),
        };
        check(&features(100, heavy)).unwrap();
    }
}
