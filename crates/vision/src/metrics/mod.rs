//! How good a classifier is, and how sure of that one may be.

mod bootstrap;
mod confusion;
mod rank;

pub use bootstrap::{Interval, bootstrap};
pub use confusion::{Confusion, argmax};
pub use rank::auc;

use crate::error::{Error, Result};

/// Every figure of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Counts by true and predicted class.
    pub confusion: Confusion,
    /// Area under the ROC curve, one class against the rest, mean over classes with both kinds of example; none where no
    /// class has both.
    pub auc: Option<f64>,
    /// 95 % interval of the accuracy, bootstrap over groups.
    pub accuracy_interval: Interval,
    /// 95 % interval of macro F1, bootstrap over groups.
    pub f1_interval: Interval,
}

impl Metrics {
    /// Evaluates `scores: [n, classes]` (logits or probabilities). Whole groups are drawn for the intervals, because
    /// copies of one tile are one observation.
    ///
    /// # Errors
    /// [`Error::Shape`] when scores, labels and groups do not pair up.
    pub fn new(
        scores: &[f32],
        labels: &[usize],
        groups: &[usize],
        classes: usize,
        seed: u64,
    ) -> Result<Self> {
        let fits = classes > 0 && scores.len() == labels.len() * classes && groups.len() == labels.len();
        if !fits || labels.iter().any(|l| *l >= classes) || labels.is_empty() {
            let expected = format!("{} rows of {classes} scores with labels below it", labels.len());
            return Err(Error::shape(
                "metrics",
                expected,
                format!("{} scores, {} groups", scores.len(), groups.len()),
            ));
        }
        let predicted: Vec<usize> = scores.chunks_exact(classes).map(argmax).collect();
        let confusion = Confusion::new(labels, &predicted, classes);
        let over =
            |figure: fn(&Confusion) -> f64| bootstrap(labels, &predicted, groups, classes, seed, figure);
        Ok(Self {
            auc: auc(scores, labels, classes),
            accuracy_interval: over(Confusion::accuracy),
            f1_interval: over(Confusion::macro_f1),
            confusion,
        })
    }
}
