//! `statistics`: one round that gives exactly the heads of pooled data.
//!
//! Each site sends its class counts, its class sums and the triangle of its Gram matrix as integers
//! ([`blindscope_aggregate::statistics`]). The sum over sites is the sum over the pooled rows, to the last bit, and it is the
//! only thing that the heads are computed from.

use rayon::prelude::*;

use super::clips::{Clips, ClipsAt};
use super::integers::each_class;
use super::job::settings;
use super::kind::Learned;
use super::model::Model;
use super::settings::StatisticsSettings;
use super::{Advanced, Error, Examples, Integers, Learning, Result, SiteData, Watch};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::statistics::{self, Head, StatisticsPlan, lda, ridge};
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::IntegerGram;

const NAME: &str = "statistics";

/// Shrinkage of the within-class covariance towards the identity (of standardised features).
const SHRINKAGE: f64 = 0.01;

/// Deviations to which an asker clips: beyond it a feature is an outlier, and the encrypted circuit needs a bound.
const CLIP: f64 = 16.0;

/// Rows whose integers are in memory together.
const AT_ONCE: usize = 512;

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    ..Learned::of::<StatisticsSettings>(ABOUT, |spec| Ok(Box::new(Statistics::new(settings(spec)?)?)))
};

/// What this kind and `cls-mean` do: they share their settings.
pub(super) const ABOUT: &str =
    "One round: heads that equal those of the pooled data, or the mean token of each class.";

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    settings: StatisticsSettings,
    fixed: FixedPoint,
    plan: StatisticsPlan,
}

impl Statistics {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        settings.check()?;
        let fixed = FixedPoint::new(settings.bound, settings.bits)?;
        let plan = StatisticsPlan::new(settings.width, settings.classes, fixed, settings.examples)?;
        Ok(Self { settings, fixed, plan })
    }

    /// Counts, class sums and Gram matrix of rows, many at a time: the integers of one row after another, to the last bit.
    fn summed(&self, rows: &Examples) -> Result<statistics::Statistics> {
        let (width, half) = (self.settings.width, self.fixed.half());
        let (mut counts, mut sums) =
            (vec![0u64; self.settings.classes], vec![0i64; self.settings.classes * width]);
        let mut gram = IntegerGram::new(width, half)?;
        let mut labels = rows.labels.iter();
        for block in rows.rows.blocks() {
            for some in block?.chunks(AT_ONCE * width) {
                let whole = |v: &f32| Ok(self.fixed.encode_one(0, f64::from(*v))? as f64 - half as f64);
                let x: Vec<f64> = some.par_iter().map(whole).collect::<Result<_>>()?;
                for (row, label) in x.chunks_exact(width).zip(&mut labels) {
                    counts[*label] += 1;
                    let sums = &mut sums[label * width..][..width];
                    sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += *v as i64);
                }
                gram.add(&x)?;
            }
        }
        let mut statistics = self.plan.empty();
        statistics.add_sums(&counts, &sums, &gram.finish())?;
        Ok(statistics)
    }

    /// The head on features that the asker standardises. Features were clipped to `±bound` before rounding; after
    /// standardisation they are clipped where the widest of them ends.
    fn literal(&self, head: Head) -> HeadLiteral {
        let Head { mean, deviation, weights, bias } = head;
        let reach = mean.iter().zip(&deviation).map(|(m, d)| (self.settings.bound + m.abs()) / d);
        let bound = reach.fold(1.0, f64::max).min(CLIP);
        let gain = deviation.iter().map(|d| 1.0 / d).collect();
        HeadLiteral {
            normalisation: Normalisation { mean, gain, bound, radius: None },
            map: Map::Linear { layer: Affine { weights, bias } },
            range: None,
        }
    }
}

impl Learning for Statistics {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        self.plan.values() + 1
    }

    fn max(&self) -> u64 {
        self.plan.max().max(self.settings.examples * self.settings.width as u64)
    }

    fn contribute(&self, data: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        let (s, rows) = (&self.settings, &data.train);
        rows.check(NAME, s.width, s.classes)?;
        rows.check_clipped(NAME, s.bound, s.clipped)?;
        rows.check_step(NAME, s.width, FixedPoint::new(s.bound, s.bits)?.step())?;
        if rows.is_empty() || rows.len() as u64 > s.examples {
            let (what, found) = ("number of examples", rows.len().to_string());
            let expected = format!("1 to {}", s.examples);
            return Err(Error::Data { operation: NAME, what, found, expected });
        }
        let statistics = self.summed(rows)?;
        let clipped = Clips::count(NAME, "features", &rows.rows, s.bound)?;
        Ok(Box::new(statistics.into_values().chain([clipped])))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        let Some((&clipped, sums)) = sums.split_last() else {
            return Err(Error::Sums { operation: NAME, reason: "there are none".into() });
        };
        let (counts, _) = sums.split_at(s.classes.min(sums.len()));
        each_class(NAME, counts, &s.names)?;
        let statistics = self.plan.decode(sums)?;
        let heads = vec![
            ("ridge", self.literal(ridge(&statistics, self.settings.lambda)?)),
            ("lda", self.literal(lda(&statistics, SHRINKAGE)?)),
        ];
        let clips = Clips { clipped, values: statistics.samples() * s.width as u64 };
        let model = Model::new(NAME, heads, statistics.samples(), committed);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).clipped_by(clips).to_json()?))
    }
}
