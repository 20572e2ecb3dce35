//! `statistics`: one round that gives exactly the heads of pooled data, their penalty chosen by cross-validation.
//!
//! Each site sends its class counts, its class sums and the triangle of its Gram matrix as integers, fold by fold
//! ([`blindscope_aggregate::statistics`]). The sum over sites is the sum over the pooled rows, to the last bit, and it is the only
//! thing that penalty and heads are computed from.

use super::choice::{Choice, penalties};
use super::clips::ClipsAt;
use super::folded_sums::FoldedSums;
use super::job::settings;
use super::kind::Learned;
use super::model::Model;
use super::noised::Noised;
use super::settings::StatisticsSettings;
use super::{Advanced, Integers, Learning, Result, SiteData, Watch};

pub(super) const NAME: &str = "statistics";

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    bounded: true,
    ..Learned::of::<StatisticsSettings>(ABOUT, |spec| match spec.privacy.as_deref() {
        None => Ok(Box::new(Statistics::new(settings(spec)?)?)),
        Some(privacy) => Ok(Box::new(Noised::new(NAME, settings(spec)?, *privacy, true)?)),
    })
};

/// What this kind, `auto` and `cls-mean` do: they share their settings.
pub(super) const ABOUT: &str = "One round: heads that equal those of the pooled data, the best of a ladder of them (two rounds), or \
    the mean token of each class.";

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Statistics(FoldedSums);

impl Statistics {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        Ok(Self(FoldedSums::new(settings)?))
    }
}

impl Learning for Statistics {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        self.0.values()
    }

    fn max(&self) -> u64 {
        self.0.max()
    }

    fn contribute(&self, data: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        self.0.contribute(NAME, data)
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.0.settings;
        let (folded, clips) = self.0.decode(NAME, sums)?;
        let penalties = penalties(s, &folded)?;
        let best = penalties.first().map(|p| self.0.heads(folded.total(), p)).transpose()?;
        let heads = best.into_iter().flatten().collect();
        let mut model = Model::new(NAME, heads, folded.total().samples(), committed);
        model.chosen = Choice::of(s.folds, &penalties).filter(|_| s.folds > 0);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).clipped_by(clips).to_json()?))
    }
}
