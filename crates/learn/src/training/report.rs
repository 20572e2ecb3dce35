//! Figures of a training run.

use serde::Serialize;

use super::Error;
use super::units::{ByUnit, UnitFigures};
use crate::jobs::{Choice, logits_of};
use blindscope_classify::Head;
use blindscope_vision::features::Features;
use blindscope_vision::metrics::{Confusion, Metrics};

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EpochFigures {
    /// From 1.
    pub epoch: usize,
    /// Mean cross-entropy on the training rows.
    pub loss: f32,
    /// Accuracy on the training rows, measured on the way.
    pub accuracy: f32,
}

/// A class among the held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Its name.
    pub name: String,
    /// Right answers among its predictions; none where nothing was predicted as it.
    pub precision: Option<f64>,
    /// Right answers among its rows; none where it has no rows.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: f64,
}

/// The head as it is evaluated, on rows that it was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Rows.
    pub rows: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// 95 % interval of it, bootstrap over groups.
    pub accuracy_interval: [f64; 2],
    /// Mean recall over classes.
    pub balanced_accuracy: f64,
    /// Mean F1 over classes.
    pub macro_f1: f64,
    /// 95 % interval of it, bootstrap over groups.
    pub macro_f1_interval: [f64; 2],
    /// Area under the ROC curve, each class against the rest, mean; none where the rows are of one class.
    pub auc: Option<f64>,
    /// Each class.
    pub classes: Vec<ClassFigures>,
    /// Counts by true class (rows) and predicted class (columns).
    pub confusion: Vec<Vec<u64>>,
    /// By slide, where rows are tiles that name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slides: Option<UnitFigures>,
    /// By patient, where those are known and have several rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients: Option<UnitFigures>,
}

impl Evaluation {
    /// Of `head` on `features`, whose rows all have labels.
    ///
    /// # Errors
    /// [`Error::Vision`] for rows without labels, [`Error::Jobs`] for rows of another width or that cannot be read any more.
    pub fn new(head: &Head, features: &Features) -> Result<Self, Error> {
        if features.width != head.width() {
            let (expected, found) = (head.width(), features.width);
            let (operation, what) = ("evaluating a head", "the width of a row");
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(crate::jobs::Error::Data { operation, what, found, expected }.into());
        }
        let scores = logits_of(head, &features.values)?;
        let labels = features.known_labels()?;
        let metrics = Metrics::new(&scores, &labels, &features.groups, head.classes(), 1)?;
        let units = ByUnit::new(&scores, features, head.classes())?;
        Ok(Self::of(&metrics, features, units))
    }

    fn of(metrics: &Metrics, features: &Features, units: ByUnit) -> Self {
        let confusion: &Confusion = &metrics.confusion;
        let class = |(at, name): (usize, &String)| ClassFigures {
            name: name.clone(),
            precision: confusion.counts.iter().any(|row| row[at] > 0).then(|| confusion.precision(at)),
            recall: confusion.counts[at].iter().any(|n| *n > 0).then(|| confusion.recall(at)),
            f1: confusion.f1(at),
        };
        Self {
            rows: features.len(),
            accuracy: confusion.accuracy(),
            accuracy_interval: [metrics.accuracy_interval.low, metrics.accuracy_interval.high],
            balanced_accuracy: confusion.balanced_accuracy(),
            macro_f1: confusion.macro_f1(),
            macro_f1_interval: [metrics.f1_interval.low, metrics.f1_interval.high],
            auc: metrics.auc,
            classes: features.classes.iter().enumerate().map(class).collect(),
            confusion: confusion.counts.clone(),
            slides: units.slides,
            patients: units.patients,
        }
    }
}

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingReport {
    /// Rows or tiles trained on.
    pub trained_on: usize,
    /// Every epoch.
    pub epochs: Vec<EpochFigures>,
    /// Largest argument that the polynomial saw in training, and the largest that clipped features allow; none for a linear
    /// head.
    pub polynomial_range: Option<[f32; 2]>,
    /// The held-out rows, if any were.
    pub held_out: Option<Evaluation>,
    /// What was chosen by cross-validation, and how each head of the ladder did; of a polynomial head, how it and the linear head that it
    /// started from did on whole groups that were held out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Choice>,
}
