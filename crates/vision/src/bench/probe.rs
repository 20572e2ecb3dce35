//! How good features are: a linear head in cross-validation, with whole groups held out and, beside it, with the leak that a
//! random split has.

use crate::data::k_fold;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::head::{LogisticPlan, train_logistic};
use crate::metrics::{Interval, Metrics};

/// Accuracy of a linear probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// With whole groups held out.
    pub grouped: f64,
    /// 95 % interval of that, bootstrap over groups.
    pub interval: Interval,
    /// With rows dealt at random, copies of one tile on both sides.
    pub leaky: f64,
}

/// Logistic regression on `features` in `folds`-fold cross-validation, grouped and leaky.
///
/// # Errors
/// As [`k_fold`] and [`train_logistic`]; [`Error::Data`] for rows without labels.
pub fn linear_probe(features: &Features, folds: usize, seed: u64) -> Result<Probe> {
    let alone: Vec<usize> = (0..features.len()).collect();
    let honest = cross_validate(features, &features.groups, folds, seed)?;
    let leaky = cross_validate(features, &alone, folds, seed)?;
    Ok(Probe {
        grouped: honest.confusion.accuracy(),
        interval: honest.accuracy_interval,
        leaky: leaky.confusion.accuracy(),
    })
}

/// Metrics of the scores that every row gets from the head that did not see its fold.
fn cross_validate(features: &Features, groups: &[usize], folds: usize, seed: u64) -> Result<Metrics> {
    let labels = features.known_labels()?;
    let (classes, width) = (features.classes.len(), features.width);
    if classes == 0 {
        return Err(Error::data("cross-validation", "the features name no class"));
    }
    let split = k_fold(&labels, groups, folds, seed)?;
    let mut scores = vec![0.0; labels.len() * classes];
    for fold in 0..folds {
        let (train, test) = (split.others(fold), split.members(fold));
        let known: Vec<usize> = train.iter().map(|i| labels[*i]).collect();
        let head = train_logistic(&features.rows(&train)?, width, &known, classes, &LogisticPlan::default())?;
        let logits = head.logits(&features.rows(&test)?)?;
        for (row, i) in logits.chunks_exact(classes).zip(test) {
            scores[i * classes..(i + 1) * classes].copy_from_slice(row);
        }
    }
    Metrics::new(&scores, &labels, &features.groups, classes, seed)
}
