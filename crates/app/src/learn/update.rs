//! `update`: the weighted mean of what local training changed in a whole model: head, last blocks, low-rank adapters or all
//! weights. With one local step this is the paper's "encrypted gradients"; with several it is federated averaging.
//!
//! A round starts from the sum of all mean changes so far, applied to the backbone that every site has and to a head
//! drawn from the job's seed. The coordinator needs neither.

use super::fedavg::{parameters_of, seeded_head, set_parameters};
use super::integers::{WeightedMean, bytes_of, floats};
use super::settings::UpdateSettings;
use super::{Advanced, EpochFigures, Error, Integers, Learning, Result, SiteData, Watch};
use blindscope_vision::head::{Activation, HeadPlan, LinearHead};
use blindscope_vision::train::{Classifier, Tuning, fit};
use blindscope_vision::vit::Vit;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use std::ops::ControlFlow;

const NAME: &str = "update";

/// The mean change after some rounds: what an `update` job ends in.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateState {
    /// One a trained value: the backbone's in the order of its tensors, then the head's.
    pub change: Vec<f32>,
}

impl UpdateState {
    /// The bytes of a job's result.
    ///
    /// # Errors
    /// [`Error::Bytes`] unless they hold `values` finite numbers.
    pub fn from_bytes(bytes: &[u8], values: u64) -> Result<Self> {
        Ok(Self { change: floats("model update", bytes, values as usize)? })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        bytes_of(&self.change)
    }

    /// The shared backbone with the change applied, and the head.
    ///
    /// # Errors
    /// [`Error::Data`] for a backbone of another size; [`Error::Vision`].
    pub fn apply(&self, backbone: &Vit, settings: &UpdateSettings) -> Result<(Vit, Classifier)> {
        let mut start = Start::new(backbone, settings)?;
        start.add(&self.change)?;
        Ok((start.model, start.head))
    }
}

/// Values of an update of this backbone under these settings, the head's included.
///
/// # Errors
/// [`Error::Vision`] for a part that the backbone does not have.
pub fn update_values(backbone: &Vit, settings: &UpdateSettings) -> Result<u64> {
    Ok(Start::new(backbone, settings)?.values().len() as u64)
}

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Update {
    settings: UpdateSettings,
    mean: WeightedMean,
}

impl Update {
    pub(super) fn new(settings: UpdateSettings) -> Result<Self> {
        settings.check()?;
        let mean = WeightedMean::new(settings.bound, settings.bits, settings.examples)?;
        Ok(Self { settings, mean })
    }

    fn change_so_far(&self, input: &[u8]) -> Result<Vec<f32>> {
        if input.is_empty() {
            return Ok(vec![0.0; self.settings.values as usize]);
        }
        Ok(UpdateState::from_bytes(input, self.settings.values)?.change)
    }
}

impl Learning for Update {
    fn rounds(&self) -> u64 {
        self.settings.rounds
    }

    fn values(&self) -> u64 {
        1 + self.settings.values
    }

    fn max(&self) -> u64 {
        self.mean.max()
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers> {
        let s = &self.settings;
        let refuse = |what, found: String, expected: String| Error::Data { operation: NAME, what, found, expected };
        let tiles = data.tiles.as_ref();
        let tiles = tiles.ok_or_else(|| refuse("tiles", "not open to training".into(), "tiles and backbone".into()))?;
        let weight = self.mean.check(tiles.train.len())?;
        let mut model = Start::new(&tiles.model, s)?;
        model.add(&self.change_so_far(input)?)?;
        let before = model.values();
        let first = round * s.epochs as u64;
        let plan = s.plan(round);
        let start = &mut model;
        fit_from(start, data, &plan, &mut |epoch| {
            let (epoch, loss, accuracy) = (first + epoch.number as u64, epoch.loss, epoch.accuracy);
            watch(&EpochFigures { job: NAME, round, epoch, loss, accuracy });
        })?;
        let change: Vec<f32> = model.values().iter().zip(&before).map(|(a, b)| a - b).collect();
        if change.len() as u64 != s.values {
            return Err(refuse("number of trained values", change.len().to_string(), s.values.to_string()));
        }
        Ok(Box::new(self.mean.encode(weight, &change)?.into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], _: usize) -> Result<Advanced> {
        let (_, mean) = self.mean.decode(NAME, sums, self.settings.values as usize)?;
        let mut change = self.change_so_far(input)?;
        change.iter_mut().zip(mean).for_each(|(c, m)| *c += m as f32);
        let bytes = UpdateState { change }.to_bytes();
        Ok(if round + 1 == self.rounds() { Advanced::Final(bytes) } else { Advanced::Next(bytes) })
    }
}

fn fit_from(
    start: &mut Start,
    data: &SiteData,
    plan: &blindscope_vision::train::FitPlan,
    progress: &mut dyn FnMut(&blindscope_vision::train::Epoch),
) -> Result<()> {
    let Some(tiles) = &data.tiles else { return Ok(()) };
    let mut each = |epoch: &blindscope_vision::train::Epoch| {
        progress(epoch);
        ControlFlow::Continue(())
    };
    // Adapters are part of the start: training must not draw them anew.
    let tuning = plan.tuning;
    let adapters = start.adapters();
    let keep = |model: &mut Vit| {
        if let Some(adapters) = &adapters {
            model.parameters_mut().clone_from(adapters);
        }
    };
    keep(&mut start.model);
    debug_assert_eq!(tuning, start.tuning, "one tuning a job");
    fit(&mut start.model, &mut start.head, &tiles.train, &tiles.preprocess, plan, &mut each)?;
    Ok(())
}
