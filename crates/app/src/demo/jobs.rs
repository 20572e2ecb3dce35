//! The jobs of the demo.

use super::error::Result;
use super::options::Size;
use blindscope_federation::{JobKind, JobSpec};
use blindscope_learn::features::Backbone;
use blindscope_learn::jobs::{
    FedAvgSettings, StatisticsSettings, UpdatePart, UpdateSettings, job, update_values,
};

/// The jobs, in the order in which they run.
#[derive(Debug, Clone)]
pub(super) struct Jobs {
    pub(super) statistics: JobSpec,
    pub(super) class_means: JobSpec,
    pub(super) fedavg: JobSpec,
    pub(super) update: JobSpec,
    pub(super) update_settings: UpdateSettings,
}

/// Most examples of one site that sums have room for.
const EXAMPLES: u64 = 4096;

impl Jobs {
    pub(super) fn new(
        backbone: &Backbone,
        classes: usize,
        size: &Size,
        seed: u64,
        synthetic: bool,
    ) -> Result<Self> {
        let width = backbone.model.config().width;
        let statistics =
            StatisticsSettings { width, classes, examples: EXAMPLES, ..StatisticsSettings::default() };
        let fedavg = FedAvgSettings {
            width,
            classes,
            rounds: size.rounds,
            epochs: size.epochs,
            // The paper's protocol: all rows are trained on, for all of its epochs.
            folds: 0,
            seed,
            examples: EXAMPLES,
            ..FedAvgSettings::default()
        };
        let part = if synthetic { UpdatePart::Whole } else { UpdatePart::LastBlocks { blocks: 1 } };
        let mut update = UpdateSettings {
            part,
            classes,
            width,
            rounds: size.update_rounds,
            epochs: size.update_epochs,
            rate: 3e-4,
            head_rate: 3e-3,
            seed,
            examples: EXAMPLES,
            ..UpdateSettings::default()
        };
        update.values = update_values(&backbone.model, &update)?;
        Ok(Self {
            statistics: job("statistics", JobKind::Statistics, &statistics)?,
            class_means: job("class-means", JobKind::ClsMean, &statistics)?,
            fedavg: job("fedavg", JobKind::Fedavg, &fedavg)?,
            update: job("update", JobKind::Update, &update)?,
            update_settings: update,
        })
    }
}
