//! `statistics`: one round that gives exactly the heads of pooled data.
//!
//! Features are clipped and rounded to integers `q = round(x/bound·h)`; each site sends its class counts, its class sums
//! `Σ q` and the triangle of its Gram matrix `Σ q·qᵀ`, moved up so that no integer is negative. The sum over sites is the
//! sum over the pooled rows, to the last bit, and [`Moments`] are the only thing that the heads are computed from.

mod heads;
mod moments;

pub(super) use moments::{Moments, Quantiser};

use super::model::Model;
use super::settings::StatisticsSettings;
use super::{Advanced, Integers, Learning, Result, SiteData, Watch};

const NAME: &str = "statistics";

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    settings: StatisticsSettings,
    quantiser: Quantiser,
}

impl Statistics {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        settings.check()?;
        let quantiser = Quantiser::new(settings.bound, settings.bits, settings.examples);
        Ok(Self { settings, quantiser })
    }

    fn shape(&self) -> (usize, usize) {
        (self.settings.classes, self.settings.width)
    }
}

impl Learning for Statistics {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        let (classes, width) = self.shape();
        (classes + classes * width + width * (width + 1) / 2) as u64
    }

    fn max(&self) -> u64 {
        self.quantiser.max_product()
    }

    fn contribute(&self, data: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        let (classes, width) = self.shape();
        data.train.check(NAME, width, classes)?;
        let moments = Moments::of(&data.train, classes, width, &self.quantiser)?;
        Ok(Box::new(moments.encode(&self.quantiser).into_iter()))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let (classes, width) = self.shape();
        let moments = Moments::decode(sums, committed, classes, width, &self.quantiser)?;
        let standard = heads::Standardised::new(&moments, &self.quantiser)?;
        let s = &self.settings;
        let heads = vec![("ridge", standard.ridge(s.lambda, s.bound)?), ("lda", standard.lda(s.bound)?)];
        let model = Model::new(NAME, heads, standard.examples(), committed);
        Ok(Advanced::Final(model.to_json()?))
    }
}
