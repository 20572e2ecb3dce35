//! The integers of `statistics` and `auto`: class counts, class sums and Gram matrix of each fold, then how many values were clipped.

use rayon::prelude::*;

use super::choice::{Part, Penalty};
use super::clips::Clips;
use super::data::Summed;
use super::fold_sums::{AT_ONCE, FoldSums};
use super::folds::fold_of;
use super::integers::each_class;
use super::settings::StatisticsSettings;
use super::{Error, Integers, Result, SiteData};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::statistics::{FoldedStatistics, Head, Statistics, StatisticsPlan, lda, ridge};
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};

/// Deviations to which an asker clips: beyond it a feature is an outlier, and the encrypted circuit needs a bound.
pub(super) const CLIP: f64 = 16.0;

/// What a feature that the head does not read is multiplied by before it is encrypted with a weight of zero.
const UNREAD: f64 = 1e-6;

/// Sums by fold, at their fixed point.
#[derive(Debug, Clone)]
pub(super) struct FoldedSums {
    /// As the job says them.
    pub settings: StatisticsSettings,
    plan: StatisticsPlan,
}

impl FoldedSums {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        settings.check()?;
        let fixed = FixedPoint::new(settings.bound, settings.bits)?;
        let plan = StatisticsPlan::new(settings.width, settings.classes, fixed, settings.examples)?;
        Ok(Self { settings, plan })
    }

    fn folds(&self) -> usize {
        self.settings.folds.max(1)
    }

    pub(super) fn values(&self) -> u64 {
        self.folds() as u64 * self.plan.values() + 1
    }

    pub(super) fn max(&self) -> u64 {
        self.plan.max().max(self.settings.examples * self.settings.width as u64)
    }

    /// Refuses rows that the job does not take; how many of their values it will clip.
    pub(super) fn check(&self, job: &'static str, data: &SiteData) -> Result<usize> {
        let (s, rows) = (&self.settings, &data.train);
        let (width, classes, step) = (s.width, s.classes, FixedPoint::new(s.bound, s.bits)?.step());
        let terms = Summed { width, classes, bound: s.bound, clipped: s.clipped, step };
        let beyond = rows.check_summed(job, &terms)?;
        if rows.is_empty() || rows.len() as u64 > s.examples {
            let (what, found) = ("number of examples", rows.len().to_string());
            let expected = format!("1 to {}", s.examples);
            return Err(Error::Data { operation: job, what, found, expected });
        }
        Ok(beyond)
    }

    /// The integers of one site.
    pub(super) fn contribute(&self, job: &'static str, data: &SiteData) -> Result<Integers> {
        let beyond = self.check(job, data)?;
        let (s, rows) = (&self.settings, &data.train);
        let fixed = FixedPoint::new(s.bound, s.bits)?;
        let mut folds = (0..self.folds())
            .map(|_| FoldSums::new(fixed, s.width, s.classes))
            .collect::<Result<Vec<FoldSums>>>()?;
        let mut first = 0;
        for block in rows.rows.blocks() {
            for some in block?.chunks(AT_ONCE * s.width) {
                let dealt = self.dealt(data, first, some);
                let labels = &rows.labels[first..first + dealt.len()];
                folds.par_iter_mut().enumerate().try_for_each(|(at, fold)| {
                    let members: Vec<usize> = (0..dealt.len()).filter(|row| dealt[*row] == at).collect();
                    fold.add(some, labels, &members)
                })?;
                first += dealt.len();
            }
        }
        let clipped = Clips::told(job, "features", (beyond, rows.rows.len()), s.bound);
        let folds = folds.into_iter().map(|fold| fold.finish(self.plan.empty()));
        let folds = folds.collect::<Result<Vec<Statistics>>>()?;
        Ok(Box::new(folds.into_iter().flat_map(Statistics::into_values).chain([clipped])))
    }

    /// The fold of each of some rows, which stand from `first` on.
    fn dealt(&self, data: &SiteData, first: usize, some: &[f32]) -> Vec<usize> {
        let (s, folds) = (&self.settings, self.folds());
        if folds == 1 {
            return vec![0; some.len() / s.width];
        }
        let of = |(at, row): (usize, &[f32])| fold_of(s.seed, folds, &data.train.group(first + at, row));
        some.par_chunks_exact(s.width).enumerate().map(of).collect()
    }

    /// The statistics behind an opened sum, and what was clipped.
    pub(super) fn decode(&self, job: &'static str, sums: &[u64]) -> Result<(FoldedStatistics, Clips)> {
        let (s, needed) = (&self.settings, self.values() as usize);
        let Some((&clipped, sums)) = sums.get(..needed).and_then(|sums| sums.split_last()) else {
            let reason = format!("{} sums, {needed} are needed", sums.len());
            return Err(Error::Sums { operation: job, reason });
        };
        let folded = FoldedStatistics::decode(&self.plan, sums)?;
        each_class(job, folded.total().counts(), &s.names)?;
        let values = folded.total().samples() * s.width as u64;
        Ok((folded, Clips { clipped, values }))
    }

    /// The heads of a penalty on its part of the rows, by name.
    pub(super) fn heads(&self, of: &Statistics, p: &Penalty) -> Result<[(&'static str, HeadLiteral); 2]> {
        let of = of.of_features(p.part.features.clone())?;
        Ok([
            ("ridge", self.literal(ridge(&of, p.lambda)?, &p.part)),
            ("lda", self.literal(lda(&of, p.lambda / (1.0 + p.lambda))?, &p.part)),
        ])
    }

    /// The head on rows that the asker standardises. Features were clipped to `±bound` before rounding; after standardisation they
    /// are clipped where the widest of them ends. Features outside the head's part are brought to next to nothing and weigh nothing.
    fn literal(&self, head: Head, part: &Part) -> HeadLiteral {
        let Head { mean, deviation, weights, bias } = head;
        // A logarithm is in it, whose last bit is the machine's own; what sites make of a sum has to be the same everywhere.
        let bias = bias.into_iter().map(|b| f64::from(b as f32)).collect();
        let reach = mean.iter().zip(&deviation).map(|(m, d)| (self.settings.bound + m.abs()) / d);
        let bound = reach.fold(1.0, f64::max).min(CLIP);
        let whole = |values: &mut dyn Iterator<Item = f64>, other: f64| -> Vec<f64> {
            let mut row = vec![other; self.settings.width];
            row[part.features.clone()].iter_mut().zip(values).for_each(|(to, from)| *to = from);
            row
        };
        let normalisation = Normalisation {
            mean: whole(&mut mean.into_iter(), 0.0),
            gain: whole(&mut deviation.iter().map(|d| 1.0 / d), UNREAD),
            bound,
            radius: None,
        };
        let weights = weights.into_iter().map(|row| whole(&mut row.into_iter(), 0.0)).collect();
        HeadLiteral { normalisation, map: Map::Linear { layer: Affine { weights, bias } }, range: None }
    }
}
