//! What a job chose by cross-validation, and from what: it stands in the model, so that a reader sees what was tried.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Result, settings::StatisticsSettings};
use blindscope_aggregate::statistics::{FoldedStatistics, best, cross_validate};

/// Ridge penalties that are tried, relative to the number of examples: half decades.
pub(super) const LADDER: [f64; 12] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A choice by cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Folds, whole groups each.
    pub folds: usize,
    /// The part of a row that the heads read: `all`, or `cls`, `mean`, `cls+mean` where rows are both.
    pub features: String,
    /// The ridge penalty, relative to the number of examples. The LDA head's shrinkage is `lambda/(1 + lambda)`. Of `fedavg` that of the
    /// linear head that training started from; 0 where it started from a drawn one.
    pub lambda: f64,
    /// Everything that was tried, by part and penalty; empty where too few folds leave examples of every class, so that nothing could
    /// be tried and the job's own `lambda` stands.
    pub tried: Vec<TriedPenalty>,
    /// Of `auto`: every head of the ladder, the best first. Of `fedavg`: the heads of the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadFigures>,
    /// Of `fedavg`: every setting that was trained, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<TriedSetting>,
}

/// A setting of training, and how its best head did on what was held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriedSetting {
    /// Hidden units.
    pub hidden: usize,
    /// Weight decay.
    pub decay: f32,
    /// Rounds after which its heads answered best; 0 is the start.
    pub rounds: u64,
    /// Passes over the local data until then.
    pub epochs: u64,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean of `−ln p` of the right class, with the best factor of the logits.
    pub loss: f64,
}

/// A penalty and how ridge heads did with it on folds that they were not made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriedPenalty {
    /// The part of a row.
    pub features: String,
    /// The penalty.
    pub lambda: f64,
    /// Mean squared distance between answers and class indicators.
    pub squared_error: f64,
}

/// How a head of the ladder did on folds that it was not made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadFigures {
    /// The head's name in the model.
    pub name: String,
    /// Examples.
    pub examples: u64,
    /// Groups of them.
    pub groups: u64,
    /// Share of right answers.
    pub accuracy: f64,
    /// 95 % interval of it: normal, with groups as the units that were drawn.
    pub interval: [f64; 2],
}

/// A part of a row that heads may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What heads of it are called after.
    pub name: &'static str,
    /// Its columns.
    pub features: Range<usize>,
}

/// The parts that are tried, the whole row first.
pub(super) fn parts(s: &StatisticsSettings) -> Vec<Part> {
    let (half, part) = (s.width / 2, |name, features| Part { name, features });
    if s.halves {
        vec![part("cls+mean", 0..s.width), part("cls", 0..half), part("mean", half..s.width)]
    } else {
        vec![part("all", 0..s.width)]
    }
}

/// The penalty of one part, and everything that was tried.
pub(super) struct Penalty {
    /// The part.
    pub part: Part,
    /// The penalty, relative to the number of examples.
    pub lambda: f64,
    error: f64,
    tried: Vec<TriedPenalty>,
}

/// The penalty of each part by cross-validation, the best part first; the job's own penalty where nothing can be validated.
///
/// # Errors
/// As [`cross_validate`].
pub(super) fn penalties(s: &StatisticsSettings, folded: &FoldedStatistics) -> Result<Vec<Penalty>> {
    let mut found = Vec::new();
    for part in parts(s) {
        let tried = cross_validate(&folded.of_features(part.features.clone())?, &LADDER)?.unwrap_or_default();
        let chosen = best(&tried);
        let tried = tried.iter().map(|t| TriedPenalty {
            features: part.name.to_owned(),
            lambda: t.lambda,
            squared_error: t.error,
        });
        let (lambda, error) = chosen.map_or((s.lambda, 0.0), |t| (t.lambda, t.error));
        found.push(Penalty { lambda, error, tried: tried.collect(), part });
    }
    // Of equals the larger part, which stands first.
    found.sort_by(|a, b| a.error.total_cmp(&b.error));
    Ok(found)
}

impl Choice {
    /// What these penalties tell, the best first.
    pub(super) fn of(folds: usize, penalties: &[Penalty]) -> Option<Self> {
        let best = penalties.first()?;
        let tried = penalties.iter().flat_map(|p| p.tried.clone()).collect();
        let features = best.part.name.to_owned();
        Some(Self { folds, features, lambda: best.lambda, tried, heads: Vec::new(), settings: Vec::new() })
    }
}

impl HeadFigures {
    /// Of counts of right answers: `examples` in `groups` groups, of which `right` were answered rightly, with the sums over groups of
    /// squared examples, of examples times errors and of squared errors.
    pub(super) fn of(name: &str, [examples, groups, right]: [u64; 3], [nn, ne, ee]: [u64; 3]) -> Self {
        let n = examples.max(1) as f64;
        let accuracy = right as f64 / n;
        let rate = 1.0 - accuracy;
        // The variance of a ratio of sums over groups, linearised: Σ (e_g − rate·n_g)² over groups, drawn with replacement.
        let squares = ee as f64 - 2.0 * rate * ne as f64 + rate * rate * nn as f64;
        let g = groups as f64;
        let variance = if groups > 1 { squares.max(0.0) * g / (g - 1.0) / (n * n) } else { 1.0 };
        let half = 1.96 * variance.sqrt();
        let interval = [(accuracy - half).max(0.0), (accuracy + half).min(1.0)];
        Self { name: name.to_owned(), examples, groups, accuracy, interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_take_groups_as_units() {
        // A hundred groups of four, in ten of which everything is wrong: as sure as a hundred answers of which ten are wrong.
        let whole = HeadFigures::of("a", [400, 100, 360], [1600, 160, 160]);
        let single = HeadFigures::of("b", [100, 100, 90], [100, 10, 10]);
        assert!((whole.accuracy - 0.9).abs() < 1e-12 && (single.accuracy - 0.9).abs() < 1e-12);
        for (a, b) in whole.interval.iter().zip(single.interval) {
            assert!((a - b).abs() < 1e-12, "{:?} {:?}", whole.interval, single.interval);
        }
        let binomial = 1.96 * (0.09f64 / 99.0).sqrt();
        assert!((single.interval[1] - 0.9 - binomial).abs() < 1e-3);
        let [low, high] = HeadFigures::of("c", [5, 1, 5], [25, 0, 0]).interval;
        assert!(low.abs() < 1e-12 && (high - 1.0).abs() < 1e-12, "one group tells nothing");
    }
}
