//! Rows that lie so far from all others that a head would be made of them: one sensor fault, one value in another unit. Mean and
//! deviation follow such a row, everything else becomes zero, and the figures of the held-out rows do not say why.

use std::borrow::Cow;

use crate::jobs::Error;
use blindscope_vision::features::Features;

/// Times the spread of nine tenths of the rows at which a value is no value of the same kind any more.
const FAR: f32 = 1e4;
/// Times that spread at which a few values that weigh more than all others together make the head of themselves.
const FEW_FAR: f32 = 100.0;
/// The few: so many rows, or a fiftieth of all if that is more.
const FEW: usize = 3;
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
    let (mut odd, mut row) = (Odd::of(width), 0);
    for block in features.values.blocks() {
        for values in block?.chunks_exact(width) {
            odd.look(&usual, row, values);
            row += 1;
        }
    }
    let odd = odd.found(rows);
    let Some(&(_, at, value)) = odd.first() else { return Ok(()) };
    let (median, spread) = usual.middles[at];
    let names: Vec<&str> = odd.iter().take(NAMED).map(|(row, ..)| features.ids[*row].as_str()).collect();
    let found = format!(
        "far from all others in {} of {rows} rows ({}): {value:e} in feature {at}",
        odd.len(),
        names.join(", ")
    );
    let expected = format!(
        "nearer than {FEW_FAR} times what nine tenths of the rows differ by ({:e} around {median:e}); leave those rows out, or look \
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

    /// How many times its feature's spread a value lies from the median; 0 where nothing varies.
    fn distance(&self, at: usize, value: f32) -> f64 {
        let (median, spread) = self.middles[at];
        if self.common > 0.0 { f64::from((value - median).abs() / spread.max(self.common)) } else { 0.0 }
    }
}

/// What is odd of the rows seen.
struct Odd {
    /// Rows with a value beyond [`FAR`]: row, feature, value.
    far: Vec<(usize, usize, f32)>,
    /// Each feature's values beyond [`FEW_FAR`].
    features: Vec<FewFar>,
}

#[derive(Clone, Default)]
struct FewFar {
    /// How many there are.
    count: usize,
    /// The first of them: row and value.
    first: Vec<(usize, f32)>,
    /// Squares of their distances, and of everybody's.
    squares: [f64; 2],
}

impl Odd {
    fn of(width: usize) -> Self {
        Self { far: Vec::new(), features: vec![FewFar::default(); width] }
    }

    fn look(&mut self, usual: &Usual, row: usize, values: &[f32]) {
        let mut far = None;
        for (at, (value, feature)) in values.iter().zip(&mut self.features).enumerate() {
            let distance = usual.distance(at, *value);
            feature.squares[1] += distance * distance;
            if distance > f64::from(FEW_FAR) {
                feature.squares[0] += distance * distance;
                feature.count += 1;
                if feature.first.len() < NAMED {
                    feature.first.push((row, *value));
                }
            }
            if distance > f64::from(FAR) && far.is_none() {
                far = Some((row, at, *value));
            }
        }
        self.far.extend(far);
    }

    /// The odd values: any beyond [`FAR`]; otherwise a feature's few that weigh more than all its others together.
    fn found(self, rows: usize) -> Vec<(usize, usize, f32)> {
        if !self.far.is_empty() {
            return self.far;
        }
        let heavy = |feature: &FewFar| {
            let [few, all] = feature.squares;
            feature.count > 0 && feature.count <= FEW.max(rows / 50) && 2.0 * few > all
        };
        let of = |(at, feature): (usize, FewFar)| {
            feature.first.into_iter().map(move |(row, value)| (row, at, value))
        };
        let features = self.features.into_iter().enumerate();
        features.filter(|(_, feature)| heavy(feature)).flat_map(of).collect()
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
        // One value of a thousand among a hundred and twenty took a head from 99 to 33 %.
        for (value, rows) in [(1e8, 40), (-1e8, 40), (1e8, 4), (1e7, 400), (1e3, 120), (-2e3, 1000)] {
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
