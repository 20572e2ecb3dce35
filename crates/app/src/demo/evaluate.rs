//! How well a head does on the held-out tiles.

use super::error::Result;
use super::results::{Estimate, Evaluation};
use blindscope_classify::Head;
use blindscope_learn::features::Features;
use blindscope_vision::metrics::{Confusion, argmax, bootstrap};

/// The held-out tokens with labels and groups.
#[derive(Debug, Clone)]
pub(super) struct TestSet {
    pub(super) rows: Vec<Vec<f64>>,
    pub(super) labels: Vec<usize>,
    groups: Vec<usize>,
    classes: usize,
    seed: u64,
}

impl TestSet {
    pub(super) fn new(features: &Features, seed: u64) -> Result<Self> {
        let values = features.values.whole()?;
        let rows = values.chunks_exact(features.width.max(1));
        Ok(Self {
            rows: rows.map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect(),
            labels: features.known_labels()?,
            groups: features.groups.clone(),
            classes: features.classes.len(),
            seed,
        })
    }

    /// The figures of these logits, a row a token.
    pub(super) fn evaluate(
        &self,
        name: &str,
        logits: &[Vec<f64>],
        paper_accuracy: Option<f64>,
    ) -> Evaluation {
        let predicted: Vec<usize> = logits.iter().map(|row| class(row)).collect();
        let confusion = Confusion::new(&self.labels, &predicted, self.classes);
        let estimate = |figure: fn(&Confusion) -> f64| {
            let interval = bootstrap(&self.labels, &predicted, &self.groups, self.classes, self.seed, figure);
            Estimate { value: figure(&confusion), low: interval.low, high: interval.high }
        };
        Evaluation {
            name: name.to_owned(),
            accuracy: estimate(Confusion::accuracy),
            f1: estimate(Confusion::macro_f1),
            precision: estimate(Confusion::macro_precision),
            recall: estimate(Confusion::balanced_accuracy),
            confusion: confusion.counts,
            paper_accuracy,
        }
    }

    /// The figures of a head evaluated in the clear.
    pub(super) fn evaluate_head(&self, name: &str, head: &Head, paper: Option<f64>) -> Result<Evaluation> {
        Ok(self.evaluate(name, &head.logits(&self.rows)?, paper))
    }
}

/// The class of a row of logits.
pub(super) fn class(row: &[f64]) -> usize {
    argmax(&row.iter().map(|v| *v as f32).collect::<Vec<_>>())
}
