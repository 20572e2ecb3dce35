//! `update`: the weighted mean of what local training changed in a whole model: head, last blocks, low-rank adapters or all
//! weights. With one local step this is the paper's "encrypted gradients"; with several it is federated averaging.
//!
//! A round starts from the sum of all mean changes so far, applied to the backbone that every site has and to a head
//! drawn from the job's seed. The coordinator needs neither.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use serde_json::Value;

use super::clips::{Clips, ClipsAt};
use super::fedavg::{parameters_of, seeded_head, set_parameters};
use super::integers::{WeightedMean, bytes_of, floats};
use super::job::settings;
use super::kind::{Given, Lacks, Learned};
use super::settings::UpdateSettings;
use super::{Advanced, EpochFigures, Error, Integers, Learning, Result, SiteData, Watch, sized};
use crate::heads;
use blindscope_classify::Head;
use blindscope_federation::JobSpec;
use blindscope_vision::head::{Activation, HeadPlan, LinearHead};
use blindscope_vision::train::{Classifier, Epoch, Tuning, fit};
use blindscope_vision::vit::Vit;

const NAME: &str = "update";

/// The kind. Its size follows from the backbone, where the job does not say it.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::End,
    head: |spec, result| {
        let settings: UpdateSettings = settings(spec)?;
        UpdateState::from_bytes(result, settings.values)?.head(&settings)
    },
    lacks: |draft| if says_values(draft) { Lacks::Nothing } else { Lacks::Backbone },
    fill: |mut draft, _, given| {
        if let (false, Given::Backbone(backbone)) = (says_values(&draft), given) {
            let values = update_values(backbone, &settings(&draft)?)?;
            if let Value::Object(settings) = &mut draft.settings {
                settings.insert("values".to_owned(), values.into());
            }
        }
        if draft.values == 0 { sized(draft) } else { Ok(draft) }
    },
    ..Learned::of::<UpdateSettings>(
        "Rounds of local training of the backbone with its head, averaged.",
        |spec| Ok(Box::new(Update::new(settings(spec)?)?)),
    )
};

/// Whether a job says how many values its update has.
fn says_values(draft: &JobSpec) -> bool {
    draft.settings.get("values").is_some_and(|values| values.as_u64() != Some(0))
}

/// The mean change after some rounds: what an `update` job ends in.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateState {
    /// One a trained value: the backbone's in the order of its tensors, then the head's.
    pub change: Vec<f32>,
    /// Changes of single sites that were clipped, over all rounds.
    pub clips: Clips,
}

impl UpdateState {
    /// The bytes of a job's result.
    ///
    /// # Errors
    /// [`Error::Bytes`] unless they hold `values` finite numbers.
    pub fn from_bytes(bytes: &[u8], values: u64) -> Result<Self> {
        const WHAT: &str = "model update";
        let short = || Error::Bytes { what: WHAT, reason: format!("{} bytes are too few", bytes.len()) };
        let (rest, clips) = Clips::split_from(bytes).ok_or_else(short)?;
        Ok(Self { change: floats(WHAT, rest, values as usize)?, clips })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = bytes_of(&self.change);
        bytes.extend(self.clips.to_bytes());
        bytes
    }

    /// The shared backbone with the change applied, and the head.
    ///
    /// # Errors
    /// [`Error::Data`] for a backbone of another size; [`Error::Vision`] for a part that it does not have.
    pub fn apply(&self, backbone: &Vit, settings: &UpdateSettings) -> Result<(Vit, Classifier)> {
        let mut start = Start::new(backbone, settings)?;
        start.add(&self.change)?;
        Ok((start.model, start.head))
    }

    /// The head alone, as it is evaluated under encryption. It needs no backbone, so the coordinator can serve it.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer values than the head has; [`Error::Head`] for one that cannot be evaluated.
    pub fn head(&self, settings: &UpdateSettings) -> Result<Head> {
        let mut head = classifier(settings)?;
        let before = head_values(&head);
        let Some(at) = self.change.len().checked_sub(before.len()) else {
            let (found, expected) = (self.change.len().to_string(), format!("{} at least", before.len()));
            return Err(Error::Data { operation: NAME, what: "number of trained values", found, expected });
        };
        let sums: Vec<f32> = before.iter().zip(self.change.iter().skip(at)).map(|(a, b)| a + b).collect();
        set_head(&mut head, &sums);
        encrypted_form(&head, settings)
    }
}

/// A trained classifier as it is evaluated under encryption.
///
/// # Errors
/// [`Error::Head`] for a head whose trained values are not finite.
pub fn encrypted_form(trained: &Classifier, settings: &UpdateSettings) -> Result<Head> {
    let bound = settings.token_bound;
    Ok(match trained {
        Classifier::Polynomial { head, .. } => heads::polynomial(head)?,
        Classifier::Linear(head) => heads::linear(head, &vec![-bound; head.width], &vec![bound; head.width])?,
    })
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

    fn so_far(&self, input: &[u8]) -> Result<UpdateState> {
        if input.is_empty() {
            let change = vec![0.0; self.settings.values as usize];
            return Ok(UpdateState { change, clips: Clips::default() });
        }
        UpdateState::from_bytes(input, self.settings.values)
    }
}

impl Learning for Update {
    fn rounds(&self) -> u64 {
        self.settings.rounds
    }

    fn values(&self) -> u64 {
        1 + self.settings.values + 1
    }

    fn max(&self) -> u64 {
        self.mean.max().max(self.settings.values)
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers> {
        let s = &self.settings;
        let refuse =
            |what, found: String, expected: String| Error::Data { operation: NAME, what, found, expected };
        let tiles = data.tiles.as_ref();
        let tiles = tiles
            .ok_or_else(|| refuse("tiles", "not open to training".into(), "tiles and backbone".into()))?;
        let weight = self.mean.check(tiles.train.len())?;
        let mut model = Start::new(&tiles.model, s)?;
        model.add(&self.so_far(input)?.change)?;
        let before = model.values();
        let first = round * s.epochs as u64;
        let mut progress = |epoch: &Epoch| {
            let (epoch, loss, accuracy) = (first + epoch.number as u64, epoch.loss, epoch.accuracy);
            watch(&EpochFigures { job: NAME, round, epoch, loss, accuracy });
            ControlFlow::Continue(())
        };
        fit(
            &mut model.model,
            &mut model.head,
            &tiles.train,
            &tiles.preprocess,
            &s.plan(round),
            &mut progress,
        )?;
        let change: Vec<f32> = model.values().iter().zip(&before).map(|(a, b)| a - b).collect();
        if change.len() as u64 != s.values {
            return Err(refuse("number of trained values", change.len().to_string(), s.values.to_string()));
        }
        let clipped = Clips::count_in(NAME, "changes", &change, s.bound);
        Ok(Box::new(self.mean.encode(weight, &change)?.into_iter().chain([clipped])))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let (_, mean) = self.mean.decode(NAME, sums, self.settings.values as usize)?;
        let mut state = self.so_far(input)?;
        state.change.iter_mut().zip(mean).for_each(|(c, m)| *c += m as f32);
        let clipped = sums.get(1 + self.settings.values as usize).copied().unwrap_or(0);
        let values = self.settings.values.saturating_mul(committed as u64);
        state.clips = state.clips.plus(Clips { clipped, values });
        let bytes = state.to_bytes();
        Ok(if round + 1 == self.rounds() { Advanced::Final(bytes) } else { Advanced::Next(bytes) })
    }
}

/// The model that a round starts from.
struct Start {
    model: Vit,
    head: Classifier,
    tuning: Tuning,
}

impl Start {
    /// The backbone as every site has it, with adapters and head drawn from the job's seed.
    fn new(backbone: &Vit, s: &UpdateSettings) -> Result<Self> {
        let tuning = s.part.tuning();
        let mut model = backbone.clone();
        if model.config().width != s.width {
            let (what, found) = ("width of the backbone", model.config().width.to_string());
            return Err(Error::Data { operation: NAME, what, found, expected: s.width.to_string() });
        }
        tuning.prepare(&mut model, &mut ChaCha12Rng::seed_from_u64(s.seed))?;
        let head = classifier(s)?;
        Ok(Self { model, head, tuning })
    }

    /// The trained tensors of the backbone: those that the tuning's gradient has.
    fn trained(&mut self) -> Vec<&mut Vec<f32>> {
        let gradient = self.tuning.gradient(self.model.parameters());
        let is_trained: Vec<bool> = gradient.tensors().iter().map(|t| !t.is_empty()).collect();
        let tensors = self.model.parameters_mut().tensors_mut();
        tensors.into_iter().zip(is_trained).filter_map(|(t, trained)| trained.then_some(t)).collect()
    }

    /// Every trained value.
    fn values(&mut self) -> Vec<f32> {
        let mut out: Vec<f32> = self.trained().into_iter().flat_map(|t| t.iter().copied()).collect();
        out.extend(head_values(&self.head));
        out
    }

    /// Adds a change to every trained value.
    fn add(&mut self, change: &[f32]) -> Result<()> {
        let now = self.values();
        if now.len() != change.len() {
            let (what, found, expected) =
                ("number of trained values", now.len().to_string(), change.len().to_string());
            return Err(Error::Data { operation: NAME, what, found, expected });
        }
        let mut sums = now.iter().zip(change).map(|(a, b)| a + b);
        for tensor in self.trained() {
            tensor.iter_mut().zip(&mut sums).for_each(|(to, from)| *to = from);
        }
        let rest: Vec<f32> = sums.collect();
        set_head(&mut self.head, &rest);
        Ok(())
    }
}

/// The head that training starts from, drawn from the job's seed.
fn classifier(s: &UpdateSettings) -> Result<Classifier> {
    Ok(match s.hidden {
        0 => Classifier::Linear(LinearHead {
            weight: vec![0.0; s.classes * s.width],
            bias: vec![0.0; s.classes],
            width: s.width,
        }),
        hidden => {
            let activation = Activation::Trained { degree: 2 };
            let clip = s.token_bound;
            let plan = HeadPlan { hidden, activation, clip, seed: s.seed, ..HeadPlan::default() };
            let head = seeded_head(s.width, s.classes, &plan)?;
            Classifier::Polynomial { head, activation, range: plan.range }
        }
    })
}

fn head_values(head: &Classifier) -> Vec<f32> {
    match head {
        Classifier::Linear(head) => head.weight.iter().chain(&head.bias).copied().collect(),
        Classifier::Polynomial { head, .. } => parameters_of(head),
    }
}

fn set_head(head: &mut Classifier, values: &[f32]) {
    match head {
        Classifier::Linear(head) => {
            head.weight.iter_mut().chain(&mut head.bias).zip(values).for_each(|(to, from)| *to = *from);
        }
        Classifier::Polynomial { head, .. } => set_parameters(head, values),
    }
}
