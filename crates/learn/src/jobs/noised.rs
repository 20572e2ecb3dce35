//! `statistics` and `cls-mean` with noise: what a unit adds is bounded, every site adds noise to its integers, and heads are made of
//! what was opened, noise included.
//!
//! Nothing is chosen by folds: each fold would need noise of its own, and counting answers would give away more.

use super::model::Model;
use super::privacy_units::PrivacyUnits;
use super::settings::StatisticsSettings;
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch, statistics};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_aggregate::statistics::NoisedPlan;
use blindscope_federation::Privacy;

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Noised {
    units: PrivacyUnits,
    plan: NoisedPlan,
}

impl Noised {
    /// Of `name`'s settings, with products of features or without.
    pub(super) fn new(
        name: &'static str,
        settings: StatisticsSettings,
        privacy: Privacy,
        products: bool,
    ) -> Result<Self> {
        let units = PrivacyUnits::new(name, settings, privacy)?;
        let plan = NoisedPlan::new(units.shape(), units.settings.examples, units.loss()?, products)?;
        Ok(Self { units, plan })
    }
}

impl Learning for Noised {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        self.plan.values()
    }

    fn max(&self) -> u64 {
        self.plan.max()
    }

    fn contribute(&self, _: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        Err(Error::WithoutNoise { kind: self.units.name })
    }

    fn noised(&self, data: &SiteData, _: u64, _: &[u8], noise: &NoiseKey) -> Result<Integers> {
        self.units.check_loss(self.plan.loss(noise.honest())?)?;
        let mut sums = self.plan.empty();
        for unit in self.units.units(data)? {
            let (rows, classes) = unit?;
            self.plan.add_unit(&mut sums, &rows, &classes)?;
        }
        Ok(Box::new(sums.into_values(noise)?))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let (s, name) = (&self.units.settings, self.units.name);
        let opened = self.plan.decode(sums, committed)?;
        let units = opened.units().iter().sum::<f64>().round() as u64;
        let heads = if name == statistics::NAME {
            self.units.heads(&opened)?
        } else {
            vec![("nearest-mean", self.units.literal(opened.nearest_mean()))]
        };
        let mut model = Model::new(name, heads, units, committed);
        model.privacy = Some(self.units.privacy);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).to_json()?))
    }
}
