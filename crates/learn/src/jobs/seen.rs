//! Rows to measure on that were learned from as well: they say nothing, and make every figure look better than it is.

use std::collections::BTreeSet;

use super::{Error, Result};
use crate::features::Features;

/// Features without the rows that were learned from.
#[derive(Debug, Clone)]
pub struct Unseen {
    /// The others.
    pub features: Features,
    /// Rows that were left out.
    pub seen: usize,
    /// Patients of the others that rows were learned from as well, where both files name them.
    pub shared_patients: usize,
}

/// `test` without the rows that are in `train`: the same image file where both say which, otherwise the same numbers.
///
/// # Errors
/// [`Error::Data`] where no row is left; [`Error::Vision`] when a file of rows cannot be read any more.
pub fn unseen(operation: &'static str, train: &Features, test: Features) -> Result<Unseen> {
    let keep = if known(train) && known(&test) {
        let learned: BTreeSet<&[u8; 32]> = train.image_digests.iter().collect();
        (0..test.len()).filter(|row| !learned.contains(&test.image_digests[*row])).collect()
    } else {
        by_numbers(train, &test)?
    };
    let seen = test.len() - keep.len();
    if seen > 0 && keep.is_empty() {
        let (what, found) = ("every one of the rows to measure on", "among those learned from".to_owned());
        let expected =
            "rows that nothing was learned from: `features split` parts a file by groups".to_owned();
        return Err(Error::Data { operation, what, found, expected });
    }
    let features = if seen == 0 { test } else { test.select(&keep) };
    let shared_patients = shared(train, &features);
    Ok(Unseen { features, seen, shared_patients })
}

/// Whether every row says which image it is of.
fn known(features: &Features) -> bool {
    features.image_digests.len() == features.len()
}

/// Rows of `test` whose numbers no row of `train` has.
fn by_numbers(train: &Features, test: &Features) -> Result<Vec<usize>> {
    if train.width != test.width || train.width == 0 {
        return Ok((0..test.len()).collect());
    }
    let mut learned = BTreeSet::new();
    for block in train.values.blocks() {
        learned.extend(block?.chunks_exact(train.width).map(numbers));
    }
    let (mut row, mut keep) = (0, Vec::new());
    for block in test.values.blocks() {
        for values in block?.chunks_exact(test.width) {
            if !learned.contains(&numbers(values)) {
                keep.push(row);
            }
            row += 1;
        }
    }
    Ok(keep)
}

/// What stands for a row's numbers.
fn numbers(row: &[f32]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for x in row {
        hasher.update(x.to_le_bytes());
    }
    hasher.finalize().into()
}

/// Patients with rows in both.
fn shared(train: &Features, test: &Features) -> usize {
    let of = |features: &Features| features.patients.iter().flatten().cloned().collect::<BTreeSet<String>>();
    of(train).intersection(&of(test)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0, 1, 2, … from `first` on, each of a patient of three; image files say who they are where `digests`.
    fn rows(first: usize, n: usize, digests: bool) -> Features {
        let each = || first..first + n;
        Features {
            width: 2,
            values: each().flat_map(|row| [row as f32, 0.5]).collect(),
            ids: each().map(|row| format!("row {row}")).collect(),
            labels: vec![Some(0); n],
            groups: vec![0; n],
            patients: each().map(|row| Some(format!("patient {}", row / 3))).collect(),
            classes: vec!["a".to_owned()],
            image_digests: if digests { each().map(|row| [row as u8; 32]).collect() } else { Vec::new() },
            ..Features::default()
        }
    }

    #[test]
    fn what_was_learned_from_is_left_out() {
        for (one, other) in [(true, true), (true, false), (false, true), (false, false)] {
            let found = unseen("test", &rows(0, 8, one), rows(6, 4, other)).unwrap();
            assert_eq!(
                (found.seen, found.features.ids.as_slice()),
                (2, ["row 8", "row 9"].map(String::from).as_slice())
            );
            assert_eq!(found.shared_patients, 1, "row 8 is of the patient of rows 6 and 7");
            let apart = unseen("test", &rows(0, 6, one), rows(6, 4, other)).unwrap();
            assert_eq!((apart.seen, apart.features.len(), apart.shared_patients), (0, 4, 0));
            let said = unseen("test", &rows(0, 8, one), rows(2, 4, other)).unwrap_err().to_string();
            assert!(said.contains("among those learned from"), "{said}");
        }
    }
}
