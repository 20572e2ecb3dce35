//! Statistics by fold: what cross-validation needs. Sums are integers, so the complement of a fold is the total less the fold, to the
//! last bit, and no sample has to be looked at twice.

use std::ops::Range;

use super::{Statistics, StatisticsPlan};
use crate::{Error, FixedPoint, Result};

/// Statistics of the same samples in several disjoint folds, and of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedStatistics {
    folds: Vec<Statistics>,
    total: Statistics,
}

impl FoldedStatistics {
    /// Of the opened sums of all folds, one fold's after another's, [`StatisticsPlan::values`] each.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a number of sums that is not that of whole folds, or for none; as [`StatisticsPlan::decode`], of each
    /// fold and of all together.
    pub fn decode(plan: &StatisticsPlan, sums: &[u64]) -> Result<Self> {
        let each = plan.values() as usize;
        if sums.is_empty() || !sums.len().is_multiple_of(each) {
            let (expected, found) = (each as u64, sums.len() as u64);
            return Err(Error::Mismatch { what: "number of sums of a fold", expected, found });
        }
        Self::of(sums.chunks(each).map(|sums| plan.decode(sums)).collect::<Result<_>>()?)
    }

    /// Of the statistics of each fold.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for no fold, or folds of different plans; [`Error::Impossible`] for more samples than integers hold.
    pub fn of(folds: Vec<Statistics>) -> Result<Self> {
        let none = Error::Mismatch { what: "number of folds", expected: 1, found: 0 };
        let mut rest = folds.iter();
        let first = rest.next().ok_or(none)?.clone();
        let total = rest.try_fold(first, |all, fold| all.plus(fold))?;
        Ok(Self { folds, total })
    }

    /// Everything.
    pub fn total(&self) -> &Statistics {
        &self.total
    }

    /// The folds.
    pub fn folds(&self) -> &[Statistics] {
        &self.folds
    }

    /// Each fold beside everything outside it.
    ///
    /// # Errors
    /// None for folds of this value: their total holds them.
    pub fn splits(&self) -> Result<Vec<(&Statistics, Statistics)>> {
        self.folds.iter().map(|fold| Ok((fold, self.total.minus(fold)?))).collect()
    }

    /// The same of some features alone.
    ///
    /// # Errors
    /// As [`Statistics::of_features`].
    pub fn of_features(&self, features: Range<usize>) -> Result<Self> {
        Self::of(self.folds.iter().map(|fold| fold.of_features(features.clone())).collect::<Result<_>>()?)
    }
}

/// One step of integers, nothing where it leaves their range.
type Step<T> = fn(T, T) -> Option<T>;

impl Statistics {
    /// The statistics of these samples and of others.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for statistics of another shape; [`Error::Impossible`] for more samples than integers hold.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        self.with(other, (u64::checked_add, i64::checked_add))
    }

    /// The statistics of these samples without some of them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for statistics of another shape; [`Error::Impossible`] where there are fewer of a class here than there.
    pub fn minus(&self, other: &Self) -> Result<Self> {
        self.with(other, (u64::checked_sub, i64::checked_sub))
    }

    fn with(&self, other: &Self, (count, sum): (Step<u64>, Step<i64>)) -> Result<Self> {
        let shape = |s: &Self| (s.plan.classes, s.plan.features, s.plan.fixed);
        if shape(self) != shape(other) {
            let (expected, found) = (self.plan.values(), other.plan.values());
            return Err(Error::Mismatch { what: "number of sums of other statistics", expected, found });
        }
        let found = self.samples().saturating_add(other.samples());
        let impossible = || Error::Impossible { what: "number of samples", found, max: self.plan.most() };
        let counts = self.counts.iter().zip(&other.counts).map(|(a, b)| count(*a, *b));
        let pairs = |a: &[i64], b: &[i64]| -> Option<Vec<i64>> {
            a.iter().zip(b).map(|(a, b)| sum(*a, *b)).collect()
        };
        let all = Self {
            plan: self.plan,
            counts: counts.collect::<Option<_>>().ok_or_else(impossible)?,
            sums: pairs(&self.sums, &other.sums).ok_or_else(impossible)?,
            gram: pairs(&self.gram, &other.gram).ok_or_else(impossible)?,
        };
        if all.samples() > self.plan.most() { Err(impossible()) } else { Ok(all) }
    }

    /// What these statistics are of some neighbouring features alone: those of the same samples without the others, to the last bit.
    ///
    /// # Errors
    /// [`Error::Range`] for features that there are not, or none.
    pub fn of_features(&self, features: Range<usize>) -> Result<Self> {
        let d = self.plan.features;
        if features.is_empty() || features.end > d {
            let (found, max) = (features.end as u64, d as u64);
            return Err(Error::Range { what: "feature", found, max });
        }
        let plan = StatisticsPlan { features: features.len(), ..self.plan };
        let sums = self.sums.chunks(d).flat_map(|row| &row[features.clone()]).copied().collect();
        let row = |i: usize| {
            let start = i * d - i * i.saturating_sub(1) / 2;
            &self.gram[start..start + features.end - i]
        };
        let gram = features.clone().flat_map(row).copied().collect();
        Ok(Self { plan, counts: self.counts.clone(), sums, gram })
    }

    /// The fixed point of the features.
    pub(super) fn fixed(&self) -> FixedPoint {
        self.plan.fixed
    }
}
