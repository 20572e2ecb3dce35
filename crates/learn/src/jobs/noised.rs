//! `statistics` and `cls-mean` with noise: what a unit adds is bounded, every site adds noise to its integers, and heads are made of
//! what was opened, noise included.
//!
//! Nothing is chosen by folds: each fold would need noise of its own, and counting answers would give away more.

use std::collections::BTreeMap;

use super::folds::GroupName;
use super::model::Model;
use super::settings::StatisticsSettings;
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch};
use blindscope_aggregate::privacy::{Loss, NoiseKey};
use blindscope_aggregate::statistics::{Head, NoisedPlan, NoisedStatistics};
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_federation::{Privacy, PrivacyUnit};
use blindscope_vision::values::Values;

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Noised {
    name: &'static str,
    settings: StatisticsSettings,
    privacy: Privacy,
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
        settings.check()?;
        let loss = Loss::within(privacy.epsilon.value(), privacy.delta.value())?;
        let shape = (settings.width, settings.classes);
        let plan = NoisedPlan::new(shape, settings.examples, loss, products)?;
        Ok(Self { name, settings, privacy, plan })
    }

    /// Rows by unit, each unit's in their order.
    fn units(&self, data: &SiteData) -> Result<Vec<Vec<usize>>> {
        let (s, rows) = (&self.settings, &data.train);
        rows.check(self.name, s.width, s.classes)?;
        let units = match self.privacy.unit {
            PrivacyUnit::Tile => (0..rows.len()).map(|at| vec![at]).collect(),
            PrivacyUnit::Patient if rows.groups.len() == rows.len() => {
                let mut groups: BTreeMap<GroupName, Vec<usize>> = BTreeMap::new();
                rows.groups
                    .iter()
                    .enumerate()
                    .for_each(|(at, group)| groups.entry(*group).or_default().push(at));
                groups.into_values().collect::<Vec<_>>()
            }
            PrivacyUnit::Patient => {
                let expected = "rows with a `patient` or `group`, which the job's noise is to hide; import them with one, or say unit = \"tile\"";
                return Err(self.refusal("whose rows are whose", "not said".to_owned(), expected.to_owned()));
            }
        };
        if units.is_empty() || units.len() as u64 > s.examples {
            let expected = format!("1 to {}", s.examples);
            return Err(self.refusal("number of units of privacy", units.len().to_string(), expected));
        }
        Ok(units)
    }

    fn refusal(&self, what: &'static str, found: String, expected: String) -> Error {
        Error::Data { operation: self.name, what, found, expected }
    }

    /// A row over the norm, shortened to it where it is longer.
    fn bounded(&self, rows: &Values, at: usize) -> Result<Vec<f64>> {
        let row: Vec<f64> = rows.row(self.settings.width, at)?.iter().map(|v| f64::from(*v)).collect();
        let long = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        Ok(row.into_iter().map(|v| v / long.max(self.privacy.norm)).collect())
    }

    /// The heads of what was opened, the recommended one first.
    fn heads(&self, opened: &NoisedStatistics) -> Result<Vec<(&'static str, HeadLiteral)>> {
        let mut heads = Vec::new();
        if self.name == super::statistics::NAME {
            heads.push(("lda", self.literal(opened.lda(self.settings.lambda)?)));
            heads.push(("ridge", self.literal(opened.ridge(self.settings.lambda)?)));
        }
        heads.push(("nearest-mean", self.literal(opened.nearest_mean())));
        Ok(heads)
    }

    /// The head on rows as they are: it was made of rows over the norm.
    fn literal(&self, head: Head) -> HeadLiteral {
        let Head { mean, deviation, weights, bias } = head;
        let norm = self.privacy.norm;
        let reach = mean.iter().zip(&deviation).map(|(m, d)| (self.settings.bound / norm + m.abs()) / d);
        let normalisation = Normalisation {
            bound: reach.fold(1.0, f64::max).min(super::folded_sums::CLIP),
            mean: mean.into_iter().map(|m| m * norm).collect(),
            gain: deviation.into_iter().map(|d| 1.0 / (d * norm)).collect(),
            radius: None,
        };
        let bias = bias.into_iter().map(|b| f64::from(b as f32)).collect();
        HeadLiteral { normalisation, map: Map::Linear { layer: Affine { weights, bias } }, range: None }
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
        Err(Error::WithoutNoise { kind: self.name })
    }

    fn noised(&self, data: &SiteData, _: u64, _: &[u8], noise: &NoiseKey) -> Result<Integers> {
        // Checked here, where noise is drawn: a site believes its own computation alone.
        let found = self.plan.loss(noise.honest())?.epsilon(self.privacy.delta.value())?;
        if found > self.privacy.epsilon.value() * (1.0 + 1e-9) {
            let expected = format!("at most {}", self.privacy.epsilon);
            return Err(self.refusal("epsilon of this site's noise", found.to_string(), expected));
        }
        let (rows, mut sums) = (&data.train, self.plan.empty());
        for unit in self.units(data)? {
            let values = unit.iter().map(|at| self.bounded(&rows.rows, *at)).collect::<Result<Vec<_>>>()?;
            let classes: Vec<usize> = unit.iter().map(|at| rows.labels[*at]).collect();
            sums.add_unit(&values.concat(), &classes)?;
        }
        Ok(Box::new(sums.into_values(noise)?))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        let opened = self.plan.decode(sums, committed)?;
        let units = opened.units().iter().sum::<f64>().round() as u64;
        let mut model = Model::new(self.name, self.heads(&opened)?, units, committed);
        model.privacy = Some(self.privacy);
        Ok(Advanced::Final(model.of_classes(&s.names).of_backbone(&s.backbone).to_json()?))
    }
}
