//! What a site sends in each round.

use super::held_out::{Asked, Parted, measured, parted};
use super::state::{Run, State};
use super::{FedAvg, First, NAME, parameters_of, reach, shortened};
use crate::jobs::clips::Clips;
use crate::jobs::confusion::{confusion_of, encode_counts};
use crate::jobs::fold_sums::{AT_ONCE, FoldSums};
use crate::jobs::{EpochFigures, Error, Examples, Result, SiteData, Watch};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::statistics::StatisticsPlan;
use blindscope_vision::head::{Scaling, train_polynomial};
use blindscope_vision::values::Source;

impl FedAvg {
    /// Sums behind the common standardisation, and behind linear heads where training starts from one; then clipped features.
    pub(super) fn begin(&self, data: &SiteData) -> Result<Vec<u64>> {
        let s = &self.settings;
        let learned = parted(s, &data.train)?.learned;
        let mut values = match &self.first {
            First::Scaling(scaling) => {
                data.train.check_step(NAME, s.width, FixedPoint::new(s.bound, s.bits)?.step())?;
                let mut values = scaling.encode(&learned.rows, s.width)?;
                let mut classes = vec![0; s.classes];
                learned.labels.iter().for_each(|label| classes[*label] += 1);
                values.extend(classes);
                values
            }
            First::Gram(plan) => self.gram(plan, data, &learned)?,
        };
        values.push(Clips::count(NAME, "features", &learned.rows, s.bound)?);
        Ok(values)
    }

    fn gram(&self, plan: &StatisticsPlan, data: &SiteData, learned: &Examples) -> Result<Vec<u64>> {
        let s = &self.settings;
        let fixed = FixedPoint::new(s.bound, s.bits.min(super::GRAM_BITS))?;
        data.train.check_step(NAME, s.width, fixed.step())?;
        let mut sums = FoldSums::new(fixed, s.width, s.classes)?;
        let mut labels = learned.labels.as_slice();
        for block in learned.rows.blocks() {
            for some in block?.chunks(AT_ONCE * s.width) {
                let (of_these, rest) = labels.split_at(some.len() / s.width);
                sums.add(some, of_these, &(0..of_these.len()).collect::<Vec<usize>>())?;
                labels = rest;
            }
        }
        Ok(sums.finish(plan.empty())?.into_values().collect())
    }

    /// Rows as every head takes them.
    fn standardised(&self, scaling: &Scaling, rows: &[f32]) -> Vec<f32> {
        let s = &self.settings;
        shortened(scaling.apply(rows), s.width, s.clip, reach(s.width))
    }

    pub(super) fn measure_linear(&self, data: &SiteData, state: &State) -> Result<Vec<u64>> {
        let heads: Vec<Asked<'_>> = state.linear.iter().map(Asked::Linear).collect();
        self.answers(&parted(&self.settings, &data.train)?.held, &heads, state)
    }

    pub(super) fn measure(&self, data: &SiteData, state: &State) -> Result<Vec<u64>> {
        self.of_runs(&parted(&self.settings, &data.train)?.held, state)
    }

    fn of_runs(&self, held: &Examples, state: &State) -> Result<Vec<u64>> {
        let heads: Vec<Asked<'_>> = state.runs.iter().map(|run| Asked::Polynomial(&run.head)).collect();
        self.answers(held, &heads, state)
    }

    fn answers(&self, held: &Examples, heads: &[Asked<'_>], state: &State) -> Result<Vec<u64>> {
        if !self.settings.chooses() {
            return Ok(Vec::new());
        }
        measured(&self.settings, held, heads, &|rows| self.standardised(&state.scaling, &rows))
    }

    /// Its rows' number, each setting's head after training on them, and what the heads were worth before on what it holds out. A setting
    /// that stopped keeps its head.
    pub(super) fn train(
        &self,
        data: &SiteData,
        round: u64,
        state: &State,
        watch: Watch<'_>,
    ) -> Result<Vec<u64>> {
        let s = &self.settings;
        let Parted { learned, held } = parted(s, &data.train)?;
        let (mut parameters, mut told) = (Vec::new(), false);
        for (run, setting) in state.runs.iter().zip(s.settings()) {
            if run.stopped(s) || learned.is_empty() {
                parameters.extend(parameters_of(&run.head));
                continue;
            }
            let z = |rows: Vec<f32>| self.standardised(&state.scaling, &rows);
            let rows = Source::changed(&learned.rows, &z);
            let plan = s.plan(setting, round);
            let trained =
                train_polynomial(rows, s.width, &learned.labels, s.classes, &plan, Some(&run.head))?;
            // A site's history has one line an epoch: of the first setting that is still trained.
            if !std::mem::replace(&mut told, true) {
                self.tell(round, &trained.epochs, watch);
            }
            parameters.extend(parameters_of(&trained.head));
        }
        let mut values = self.mean.encode(learned.len() as u64, &parameters)?;
        let clipped = Clips::count_in(NAME, "weights", &parameters, s.bound);
        values.push(if learned.is_empty() { 0 } else { clipped });
        values.extend(self.of_runs(&held, state)?);
        Ok(values)
    }

    fn tell(&self, round: u64, epochs: &[(f32, f32)], watch: Watch<'_>) {
        let first = (round - 1) * self.settings.epochs as u64;
        for (i, (loss, accuracy)) in epochs.iter().enumerate() {
            let epoch = first + i as u64 + 1;
            watch(&EpochFigures { job: NAME, round, epoch, loss: *loss, accuracy: *accuracy });
        }
    }

    /// Answers of the best head on what the site keeps to measure on.
    pub(super) fn count(&self, data: &SiteData, state: &State) -> Result<Vec<u64>> {
        let s = &self.settings;
        data.validation.check("validation", s.width, s.classes)?;
        let Some(Run { best, .. }) = state.runs.get(self.best(state)) else {
            let reason = "no head to count the answers of".into();
            return Err(Error::Bytes { what: "start of a fedavg round", reason });
        };
        let mut logits = Vec::with_capacity(data.validation.len() * s.classes);
        for block in data.validation.rows.blocks() {
            logits.extend(best.logits(&self.standardised(&state.scaling, &block?))?);
        }
        encode_counts(&confusion_of(&logits, &data.validation.labels, s.classes), s.examples)
    }
}
