//! Counts of one site in the second round of `auto`: what rows answer to heads that their folds had no part in.

use std::collections::HashMap;

use super::calibration;
use super::folds::GroupName;
use blindscope_vision::metrics::argmax;

/// Counts of one site.
pub(super) struct Tally {
    classes: usize,
    /// A head after the other, by true and predicted class.
    counts: Vec<Vec<u64>>,
    /// A head after the other, what [`calibration`] sums.
    sure: Vec<Vec<u64>>,
    /// Rows of each group, and errors of each head on them.
    groups: HashMap<GroupName, (u64, Vec<u64>)>,
}

/// Integers of a head: counts, two sums over groups, what its probabilities are worth.
pub(super) fn each(classes: usize) -> usize {
    classes * classes + 2 + calibration::LEN
}

impl Tally {
    pub(super) fn new(heads: usize, classes: usize) -> Self {
        let (counts, sure) =
            (vec![vec![0; classes * classes]; heads], vec![vec![0; calibration::LEN]; heads]);
        Self { classes, counts, sure, groups: HashMap::new() }
    }

    /// Counts a row in, by the logits of each head.
    pub(super) fn add(&mut self, group: GroupName, label: usize, logits: &[Vec<f64>]) {
        let of = self.groups.entry(group).or_insert_with(|| (0, vec![0; logits.len()]));
        of.0 += 1;
        let heads = self.counts.iter_mut().zip(&mut self.sure).zip(&mut of.1);
        for (((counts, sure), errors), logits) in heads.zip(logits) {
            let answer = class_of(logits);
            counts[label * self.classes + answer] += 1;
            calibration::add(sure, logits, label, answer == label);
            *errors += u64::from(answer != label);
        }
    }

    /// Groups, the sum of their squared sizes, each head's.
    pub(super) fn into_values(self) -> Vec<u64> {
        let squares: u64 = self.groups.values().map(|(rows, _)| rows * rows).sum();
        let mut values = vec![self.groups.len() as u64, squares];
        for (head, (counts, sure)) in self.counts.iter().zip(&self.sure).enumerate() {
            values.extend(counts);
            values.push(self.groups.values().map(|(rows, errors)| rows * errors[head]).sum());
            values.push(self.groups.values().map(|(_, errors)| errors[head] * errors[head]).sum());
            values.extend(sure);
        }
        values
    }
}

fn class_of(logits: &[f64]) -> usize {
    let logits: Vec<f32> = logits.iter().map(|v| *v as f32).collect();
    argmax(&logits)
}
