//! `fedavg`: rounds of local training of the polynomial head, and the weighted mean of its weights (`McMahan` et al., arXiv
//! 1602.05629), with settings and rounds chosen by what the sites hold out.
//!
//! | round | a site sends | what follows |
//! | --- | --- | --- |
//! | 0 | class counts, class sums and Gram matrix of what it learns from | the common standardisation, a ladder of linear heads |
//! | then | counts of what each linear head answers to what it holds out | the best one, calibrated: the start of every setting |
//! | then, some | counts of what each setting's head answers, and that head trained on | the mean heads; a setting that gets no better stops |
//! | then | counts of the last heads | the best head of the best setting |
//! | last | counts of its answers on what the site keeps to measure on | the model |
//!
//! All heads are on standardised features, which is also the form in which they are evaluated under encryption. Without folds nothing is
//! held out: round 0 sums what the standardisation needs, the start is drawn, and the last head is the result.

mod head;
mod held_out;
mod linear;
mod opened;
mod own_rows;
mod site;
mod state;

pub(crate) use own_rows::train_on_own;

pub(super) use head::{parameters_of, reach, seeded_head, set_parameters, shortened};

use super::clips::ClipsAt;
use super::integers::{WeightedMean, padded};
use super::job::settings;
use super::kind::Learned;
use super::scaling::ScalingSums;
use super::settings::FedAvgSettings;
use super::{Advanced, Integers, Learning, Result, SiteData, Watch, calibration};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::statistics::StatisticsPlan;
use state::{Stage, State, all_parameters};

const NAME: &str = "fedavg";

/// Most bits of a feature in a Gram matrix: its products take twice as many, and every value of the job as much room.
const GRAM_BITS: u32 = 16;

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    ..Learned::of::<FedAvgSettings>(
        "Rounds of local training of a polynomial head, averaged; the best of some settings and rounds.",
        |spec| Ok(Box::new(FedAvg::new(settings(spec)?)?)),
    )
};

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct FedAvg {
    settings: FedAvgSettings,
    mean: WeightedMean,
    /// Of round 0.
    first: First,
}

/// What round 0 sums.
#[derive(Debug, Clone)]
enum First {
    /// What the standardisation needs, and examples a class.
    Scaling(ScalingSums),
    /// What linear heads need.
    Gram(StatisticsPlan),
}

impl FedAvg {
    pub(super) fn new(settings: FedAvgSettings) -> Result<Self> {
        settings.check()?;
        let s = &settings;
        let mean = WeightedMean::new(s.bound, s.bits, s.examples)?;
        let first = if s.starts_linear() {
            let fixed = FixedPoint::new(s.bound, s.bits.min(GRAM_BITS))?;
            First::Gram(StatisticsPlan::new(s.width, s.classes, fixed, s.examples)?)
        } else {
            First::Scaling(ScalingSums::new(s.bound, s.bits)?)
        };
        Ok(Self { settings, mean, first })
    }

    /// Integers of round 0: the sums, and how many features were clipped.
    fn first_values(&self) -> usize {
        let s = &self.settings;
        match &self.first {
            First::Scaling(_) => 1 + 2 * s.width + s.classes + 1,
            First::Gram(plan) => plan.values() as usize + 1,
        }
    }

    /// Integers of the answers of so many heads to what is held out.
    fn measures(&self, heads: usize) -> usize {
        if self.settings.chooses() { held_out::values(heads, self.settings.classes) } else { 0 }
    }

    /// Integers of a round of training: weight, heads, clipped weights, then what the heads were worth before.
    fn trained_values(&self) -> usize {
        1 + all_parameters(&self.settings) + 1 + self.measures(self.settings.settings().len())
    }
}

impl Learning for FedAvg {
    fn rounds(&self) -> u64 {
        let s = &self.settings;
        let around = [s.starts_linear(), s.chooses(), s.validate].into_iter().map(u64::from).sum::<u64>();
        1 + s.rounds + around
    }

    fn values(&self) -> u64 {
        let s = &self.settings;
        let linear = if s.starts_linear() { self.measures(linear::LEN) } else { 0 };
        let counts = s.classes * s.classes;
        self.trained_values().max(self.first_values()).max(linear).max(counts) as u64
    }

    fn max(&self) -> u64 {
        let s = &self.settings;
        let most = (s.examples * s.width as u64).max(all_parameters(s) as u64).max(self.mean.max());
        let gram = if let First::Gram(plan) = &self.first { plan.max() } else { 0 };
        // All rows may be of one group, whose size is squared; a row's loss is some thousands at most.
        let measured =
            if s.chooses() { s.examples.saturating_mul(s.examples.max(calibration::LARGEST)) } else { 0 };
        most.max(gram).max(measured)
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers> {
        let s = &self.settings;
        data.train.check(NAME, s.width, s.classes)?;
        data.train.check_clipped(NAME, s.bound, s.clipped)?;
        self.mean.check(data.train.len())?;
        let values = if round == 0 {
            self.begin(data)?
        } else {
            let state = State::from_bytes(input, s)?;
            match state.stage {
                Stage::Linear => self.measure_linear(data, &state)?,
                Stage::Train(round) => self.train(data, round, &state, watch)?,
                Stage::Measure => self.measure(data, &state)?,
                Stage::Count => self.count(data, &state)?,
            }
        };
        Ok(Box::new(padded(values, self.values()).into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        if round == 0 {
            return self.begun(sums, committed);
        }
        let state = State::from_bytes(input, &self.settings)?;
        match state.stage {
            Stage::Linear => self.linear_measured(state, sums),
            Stage::Train(round) => self.trained(state, round, sums, committed),
            Stage::Measure => self.measured(state, sums, committed),
            Stage::Count => self.counted(&state, sums, committed),
        }
    }
}
