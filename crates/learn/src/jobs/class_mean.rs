//! `cls-mean`: the mean CLS token of each class, the paper's own aggregate, for comparison.
//!
//! Its head names the nearest mean: `‖x − m_c‖²` is smallest where `m_c·x − ½‖m_c‖²` is largest.

use super::clips::{Clips, ClipsAt};
use super::data::Summed;
use super::integers::each_class;
use super::job::settings;
use super::kind::Learned;
use super::model::Model;
use super::noised::Noised;
use super::settings::StatisticsSettings;
use super::statistics::ABOUT;
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch};
use blindscope_aggregate::FixedPoint;
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};

const NAME: &str = "cls-mean";

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    bounded: true,
    ..Learned::of::<StatisticsSettings>(ABOUT, |spec| match spec.privacy.as_deref() {
        None => Ok(Box::new(ClassMean::new(settings(spec)?)?)),
        Some(privacy) => Ok(Box::new(Noised::new(NAME, settings(spec)?, *privacy, false)?)),
    })
};

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct ClassMean {
    settings: StatisticsSettings,
    fixed: FixedPoint,
}

impl ClassMean {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        settings.check()?;
        let fixed = FixedPoint::new(settings.bound, settings.bits)?;
        Ok(Self { settings, fixed })
    }
}

impl Learning for ClassMean {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        (self.settings.classes * (1 + self.settings.width) + 1) as u64
    }

    fn max(&self) -> u64 {
        self.fixed.max().max(self.settings.width as u64) * self.settings.examples
    }

    fn contribute(&self, data: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        let (s, rows) = (&self.settings, &data.train);
        let (width, classes, step) = (s.width, s.classes, self.fixed.step());
        let beyond =
            rows.check_summed(NAME, &Summed { width, classes, bound: s.bound, clipped: s.clipped, step })?;
        if rows.len() as u64 > s.examples {
            let (what, found) = ("number of examples", rows.len().to_string());
            return Err(Error::Data {
                operation: NAME,
                what,
                found,
                expected: format!("at most {}", s.examples),
            });
        }
        let mut sums = vec![0u64; s.classes * (1 + s.width)];
        let mut labels = rows.labels.iter();
        for block in rows.rows.blocks() {
            for (row, label) in block?.chunks_exact(s.width).zip(&mut labels) {
                sums[*label] += 1;
                let x: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                let class = &mut sums[s.classes + label * s.width..][..s.width];
                class.iter_mut().zip(self.fixed.encode(&x)?).for_each(|(s, v)| *s += v);
            }
        }
        sums.push(Clips::told(NAME, "features", (beyond, rows.rows.len()), s.bound));
        Ok(Box::new(sums.into_iter()))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        let needed = s.classes * (1 + s.width) + 1;
        let Some((&clipped, sums)) = sums.split_last().filter(|_| sums.len() == needed) else {
            let reason = format!("{} sums, {needed} are needed", sums.len());
            return Err(Error::Sums { operation: NAME, reason });
        };
        let (counts, sums) = sums.split_at(s.classes);
        each_class(NAME, counts, &s.names)?;
        let mut layer = Affine { weights: Vec::new(), bias: Vec::new() };
        for (n, sums) in counts.iter().zip(sums.chunks(s.width)) {
            let mean: Vec<f64> = sums.iter().map(|v| self.fixed.decode_sum(*v, *n) / *n as f64).collect();
            layer.bias.push(-0.5 * mean.iter().map(|m| m * m).sum::<f64>());
            layer.weights.push(mean);
        }
        let normalisation = Normalisation::identity(s.width, s.bound);
        let head = HeadLiteral { normalisation, map: Map::Linear { layer }, range: None };
        let examples: u64 = counts.iter().sum();
        let clips = Clips { clipped, values: examples * s.width as u64 };
        let model = Model::new(NAME, vec![("nearest-mean", head)], examples, committed);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).clipped_by(clips).to_json()?))
    }
}
