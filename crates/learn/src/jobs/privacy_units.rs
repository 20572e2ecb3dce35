//! Units of privacy: whose presence noise hides, and what of a site's rows is theirs, bounded.

use std::collections::BTreeMap;

use super::folds::GroupName;
use super::settings::StatisticsSettings;
use super::{Error, Result, SiteData, folded_sums};
use blindscope_aggregate::privacy::Loss;
use blindscope_aggregate::statistics::{Head, NoisedStatistics};
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_federation::{Privacy, PrivacyUnit};
use blindscope_vision::values::Values;

/// What jobs with noise have in common.
#[derive(Debug, Clone)]
pub(super) struct PrivacyUnits {
    /// The kind.
    pub name: &'static str,
    /// As the job says them.
    pub settings: StatisticsSettings,
    /// What the job promises.
    pub privacy: Privacy,
}

/// One unit's rows over the norm, one after the other, and the class of each.
pub(super) type Unit = (Vec<f64>, Vec<usize>);

impl PrivacyUnits {
    pub(super) fn new(name: &'static str, settings: StatisticsSettings, privacy: Privacy) -> Result<Self> {
        settings.check()?;
        Ok(Self { name, settings, privacy })
    }

    /// What the job may give away.
    pub(super) fn loss(&self) -> Result<Loss> {
        Ok(Loss::within(self.privacy.epsilon.value(), self.privacy.delta.value())?)
    }

    /// Features and classes.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.settings.width, self.settings.classes)
    }

    /// Refuses noise that gives away more than was promised. Asked where noise is drawn: a site believes its own computation alone.
    pub(super) fn check_loss(&self, found: Loss) -> Result<()> {
        let found = found.epsilon(self.privacy.delta.value())?;
        if found <= self.privacy.epsilon.value() * (1.0 + 1e-9) {
            return Ok(());
        }
        let expected = format!("at most {}", self.privacy.epsilon);
        Err(self.refusal("epsilon of this site's noise", found.to_string(), expected))
    }

    /// Every unit of a site, its rows in their order.
    pub(super) fn units<'a>(&'a self, data: &'a SiteData) -> Result<impl Iterator<Item = Result<Unit>> + 'a> {
        let rows = &data.train;
        let units = self.numbers(data)?;
        Ok(units.into_iter().map(move |unit| {
            let values = unit.iter().map(|at| self.bounded(&rows.rows, *at)).collect::<Result<Vec<_>>>()?;
            Ok((values.concat(), unit.iter().map(|at| rows.labels[*at]).collect()))
        }))
    }

    /// The numbers of each unit's rows.
    fn numbers(&self, data: &SiteData) -> Result<Vec<Vec<usize>>> {
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

    /// The heads of what was opened with a covariance, the recommended one first.
    pub(super) fn heads(&self, opened: &NoisedStatistics) -> Result<Vec<(&'static str, HeadLiteral)>> {
        let lambda = self.settings.lambda;
        Ok(vec![
            ("lda", self.literal(opened.lda(lambda)?)),
            ("ridge", self.literal(opened.ridge(lambda)?)),
            ("nearest-mean", self.literal(opened.nearest_mean())),
        ])
    }

    /// The head on rows as they are: it was made of rows over the norm.
    pub(super) fn literal(&self, head: Head) -> HeadLiteral {
        let Head { mean, deviation, weights, bias } = head;
        let norm = self.privacy.norm;
        let reach = mean.iter().zip(&deviation).map(|(m, d)| (self.settings.bound / norm + m.abs()) / d);
        let normalisation = Normalisation {
            bound: reach.fold(1.0, f64::max).min(folded_sums::CLIP),
            mean: mean.into_iter().map(|m| m * norm).collect(),
            gain: deviation.into_iter().map(|d| 1.0 / (d * norm)).collect(),
            radius: None,
        };
        let bias = bias.into_iter().map(|b| f64::from(b as f32)).collect();
        HeadLiteral { normalisation, map: Map::Linear { layer: Affine { weights, bias } }, range: None }
    }
}
