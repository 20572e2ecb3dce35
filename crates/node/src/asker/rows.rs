//! The rows of features as tokens, some questions at a time: a site's features may be more than memory holds.

use crate::error::Result;
use blindscope_learn::features::{self, Features};

/// Tokens of several questions that are in memory together.
pub(super) const AT_ONCE: usize = 1024;

/// Whole batches of `batch` rows, in order; the last may be shorter. As many together as `at_once` has room for, but one at least.
pub(super) fn in_batches(
    features: &Features,
    batch: usize,
    at_once: usize,
) -> impl Iterator<Item = Result<Vec<Vec<f64>>>> {
    let batch = batch.max(1);
    let step = batch * (at_once / batch).max(1);
    (0..features.len()).step_by(step).map(move |from| {
        let indices: Vec<usize> = (from..(from + step).min(features.len())).collect();
        let rows = features.rows(&indices).map_err(features::Error::from)?;
        let token = |row: &[f32]| row.iter().map(|x| f64::from(*x)).collect();
        Ok(rows.chunks_exact(features.width.max(1)).map(token).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_and_in_whole_batches() {
        let mut features = Features { width: 2, ..Features::default() };
        features.values = (0..2 * 2500).map(|v| v as f32).collect();
        features.ids = (0..2500).map(|i| i.to_string()).collect();
        for (batch, at_once) in [(1, AT_ONCE), (3, AT_ONCE), (1000, 1), (4000, AT_ONCE)] {
            let parts: Vec<Vec<Vec<f64>>> =
                in_batches(&features, batch, at_once).collect::<Result<_>>().unwrap();
            assert!(parts.iter().rev().skip(1).all(|part| part.len().is_multiple_of(batch)), "{batch}");
            let all: Vec<f64> = parts.concat().concat();
            assert!(
                all.iter().enumerate().all(|(i, v)| (*v - i as f64).abs() < 0.5) && all.len() == 5000,
                "{batch}"
            );
        }
    }
}
