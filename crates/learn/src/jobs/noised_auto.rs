//! `auto` with noise: what noise is spent on is chosen, where without noise a head is.
//!
//! | round | a site sends | what follows |
//! | --- | --- | --- |
//! | 0 | shares of classes, squared norms, class sums, with noise | means of classes |
//! | 1 | products of rows less the opened mean of their class, with noise | the covariance within classes, heads |
//!
//! Rows less their mean are shorter than rows, so that the same loss gives the products less noise. No round counts answers: each count
//! would give away more.

use super::integers::padded;
use super::model::Model;
use super::privacy_units::PrivacyUnits;
use super::settings::StatisticsSettings;
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch, auto};
use blindscope_aggregate::privacy::{Loss, NoiseKey};
use blindscope_aggregate::statistics::{MeansPlan, NoisedMeans, ScatterPlan};
use blindscope_federation::Privacy;

/// Share of the loss that the first round has.
const FIRST: f64 = 0.25;

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct NoisedAuto {
    units: PrivacyUnits,
    means: MeansPlan,
    scatter: ScatterPlan,
}

impl NoisedAuto {
    pub(super) fn new(settings: StatisticsSettings, privacy: Privacy) -> Result<Self> {
        let units = PrivacyUnits::new(auto::NAME, settings, privacy)?;
        let (rho, most) = (units.loss()?.rho(), units.settings.examples);
        let means = MeansPlan::new(units.shape(), most, Loss::new(rho * FIRST)?)?;
        let scatter = ScatterPlan::new(units.settings.width, most, Loss::new(rho * (1.0 - FIRST))?)?;
        Ok(Self { units, means, scatter })
    }

    /// The means that a second round starts from.
    fn read(&self, input: &[u8]) -> Result<NoisedMeans> {
        let (numbers, rest) = input.as_chunks::<8>();
        if !rest.is_empty() {
            let reason = format!("{} bytes, a multiple of eight is needed", input.len());
            return Err(Error::Bytes { what: START, reason });
        }
        let numbers: Vec<f64> = numbers.iter().map(|v| f64::from_le_bytes(*v)).collect();
        NoisedMeans::from_numbers(&self.means, &numbers)
            .map_err(|e| Error::Bytes { what: START, reason: e.to_string() })
    }

    /// The sums of a round; behind them a round's integers are zero.
    fn of_round<'s>(&self, sums: &'s [u64], values: u64) -> Result<&'s [u64]> {
        sums.get(..values as usize).ok_or_else(|| {
            let reason = format!("{} sums, {values} are needed", sums.len());
            Error::Sums { operation: self.units.name, reason }
        })
    }
}

const START: &str = "start of the second round of auto";

impl Learning for NoisedAuto {
    fn rounds(&self) -> u64 {
        2
    }

    fn values(&self) -> u64 {
        self.means.values().max(self.scatter.values())
    }

    fn max(&self) -> u64 {
        self.means.max().max(self.scatter.max())
    }

    fn contribute(&self, _: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        Err(Error::WithoutNoise { kind: self.units.name })
    }

    fn noised(&self, data: &SiteData, round: u64, input: &[u8], noise: &NoiseKey) -> Result<Integers> {
        // Of both rounds, whichever this is: the second is as sure to come as not.
        let honest = noise.honest();
        self.units.check_loss(self.means.loss(honest)?.and(self.scatter.loss(honest)?))?;
        let around = if round == 0 { None } else { Some(self.read(input)?) };
        let mut sums = if around.is_none() { self.means.empty() } else { self.scatter.empty() };
        for unit in self.units.units(data)? {
            let (rows, classes) = unit?;
            match &around {
                None => self.means.add_unit(&mut sums, &rows, &classes)?,
                Some(around) => self.scatter.add_unit(&mut sums, around, &rows, &classes)?,
            }
        }
        let values: Vec<u64> = sums.into_values(noise)?.collect();
        Ok(Box::new(padded(values, self.values()).into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        if round == 0 {
            let means = self.means.decode(self.of_round(sums, self.means.values())?, committed)?;
            return Ok(Advanced::Next(means.to_numbers().iter().flat_map(|v| v.to_le_bytes()).collect()));
        }
        let (s, around) = (&self.units.settings, self.read(input)?);
        let opened = self.scatter.decode(self.of_round(sums, self.scatter.values())?, committed, around)?;
        let units = opened.units().iter().sum::<f64>().round() as u64;
        let mut model = Model::new(self.units.name, self.units.heads(&opened)?, units, committed);
        model.privacy = Some(self.units.privacy);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).to_json()?))
    }
}
