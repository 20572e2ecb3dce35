//! `fedavg`: rounds of local training of the polynomial head, and the weighted mean of its weights (`McMahan` et al., arXiv
//! 1602.05629).
//!
//! Round 0 agrees on the standardisation ([`ScalingSums`]). All sites then train one head on standardised features,
//! which is also the form in which it is evaluated under encryption. The last round, if asked for, counts right and
//! wrong answers.

use super::clips::{Clips, ClipsAt};
use super::confusion::{confusion_of, encode_counts, split_counts};
use super::integers::{WeightedMean, bytes_of, each_class, floats, padded};
use super::job::settings;
use super::kind::Learned;
use super::model::{Model, matrix};
use super::scaling::ScalingSums;
use super::settings::FedAvgSettings;
use super::{Advanced, EpochFigures, Error, Integers, Learning, Result, SiteData, Watch};
use blindscope_aggregate::FixedPoint;
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{HeadPlan, PolynomialHead, Scaling, train_polynomial};
use blindscope_vision::values::Source;

const NAME: &str = "fedavg";

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    ..Learned::of::<FedAvgSettings>("Rounds of local training of a polynomial head, averaged.", |spec| {
        Ok(Box::new(FedAvg::new(settings(spec)?)?))
    })
};

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct FedAvg {
    settings: FedAvgSettings,
    mean: WeightedMean,
    scaling: ScalingSums,
}

/// What a round starts from: the common standardisation and the common head.
#[derive(Debug, Clone, PartialEq)]
struct State {
    scaling: Scaling,
    /// On standardised features.
    head: PolynomialHead,
    /// Examples of the last round.
    examples: u64,
    /// Features that were clipped before they were standardised, and weights that were clipped in any round.
    clips: Clips,
}

impl FedAvg {
    pub(super) fn new(settings: FedAvgSettings) -> Result<Self> {
        settings.check()?;
        let mean = WeightedMean::new(settings.bound, settings.bits, settings.examples)?;
        let scaling = ScalingSums::new(settings.bound, settings.bits)?;
        Ok(Self { settings, mean, scaling })
    }

    /// Numbers of the head.
    fn parameters(&self) -> usize {
        let s = &self.settings;
        s.hidden * (s.width + 1) + s.degree + 1 + s.classes * (s.hidden + 1)
    }

    fn train(&self, data: &SiteData, round: u64, state: &State, watch: Watch<'_>) -> Result<Vec<u64>> {
        let s = &self.settings;
        let weight = self.mean.check(data.train.len())?;
        let z = |rows: Vec<f32>| shortened(state.scaling.apply(&rows), s.width, s.clip, reach(s.width));
        let (z, start) = (Source::changed(&data.train.rows, &z), Some(&state.head));
        let trained = train_polynomial(z, s.width, &data.train.labels, s.classes, &s.plan(round), start)?;
        let first = (round - 1) * s.epochs as u64;
        for (i, (loss, accuracy)) in trained.epochs.iter().enumerate() {
            let epoch = first + i as u64 + 1;
            watch(&EpochFigures { job: NAME, round, epoch, loss: *loss, accuracy: *accuracy });
        }
        let parameters = parameters_of(&trained.head);
        let mut values = self.mean.encode(weight, &parameters)?;
        values.push(Clips::count_in(NAME, "weights", &parameters, s.bound));
        Ok(values)
    }

    /// Sums behind the common scaling: the scaling's own, examples a class, clipped features.
    fn scale(&self, data: &SiteData) -> Result<Vec<u64>> {
        let s = &self.settings;
        self.mean.check(data.train.len())?;
        let mut values = self.scaling.encode(&data.train.rows, s.width)?;
        let mut classes = vec![0; s.classes];
        data.train.labels.iter().for_each(|label| classes[*label] += 1);
        values.extend(classes);
        values.push(Clips::count(NAME, "features", &data.train.rows, s.bound)?);
        Ok(values)
    }

    fn scaled(&self, sums: &[u64]) -> Result<State> {
        let s = &self.settings;
        let at = 1 + 2 * s.width;
        let (scaling, examples) = self.scaling.decode(sums, s.width)?;
        let rest = sums.get(at..=at + s.classes).and_then(|rest| rest.split_last());
        let Some((&clipped, classes)) = rest else {
            let reason = format!("{} sums, {} are needed", sums.len(), at + s.classes + 1);
            return Err(Error::Sums { operation: NAME, reason });
        };
        each_class(NAME, classes, &s.names)?;
        let clips = Clips { clipped, values: examples * s.width as u64 };
        Ok(State { scaling, head: common_start(s)?, examples, clips })
    }

    fn count(&self, data: &SiteData, state: &State) -> Result<Vec<u64>> {
        let s = &self.settings;
        data.validation.check("validation", s.width, s.classes)?;
        let mut logits = Vec::with_capacity(data.validation.len() * s.classes);
        for block in data.validation.rows.blocks() {
            let z = shortened(state.scaling.apply(&block?), s.width, s.clip, reach(s.width));
            logits.extend(state.head.logits(&z)?);
        }
        encode_counts(&confusion_of(&logits, &data.validation.labels, s.classes), s.examples)
    }

    fn model(&self, state: &State, committed: usize) -> Model {
        let heads = vec![("polynomial", state.literal(self.settings.clip))];
        Model::new(NAME, heads, state.examples, committed)
            .of_classes(&self.settings.names)
            .of_backbone(&self.settings.backbone)
            .clipped_by(state.clips)
    }

    fn state(&self, input: &[u8]) -> Result<State> {
        State::from_bytes(input, &self.settings, self.parameters())
    }
}

impl Learning for FedAvg {
    fn rounds(&self) -> u64 {
        1 + self.settings.rounds + u64::from(self.settings.validate)
    }

    fn values(&self) -> u64 {
        let counts = self.settings.classes * self.settings.classes;
        let scaling = 1 + 2 * self.settings.width + self.settings.classes + 1;
        (1 + self.parameters() + 1).max(scaling).max(counts) as u64
    }

    fn max(&self) -> u64 {
        let most = self.settings.examples * self.settings.width as u64;
        self.mean.max().max(most).max(self.parameters() as u64)
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers> {
        let s = &self.settings;
        data.train.check("fedavg", s.width, s.classes)?;
        data.train.check_clipped("fedavg", s.bound, s.clipped)?;
        if round == 0 {
            data.train.check_step("fedavg", s.width, FixedPoint::new(s.bound, s.bits)?.step())?;
        }
        let values = if round == 0 {
            self.scale(data)?
        } else if round <= s.rounds {
            self.train(data, round, &self.state(input)?, watch)?
        } else {
            self.count(data, &self.state(input)?)?
        };
        Ok(Box::new(padded(values, self.values()).into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        if round == 0 {
            let state = self.scaled(sums)?;
            if self.rounds() == 1 {
                return Ok(Advanced::Final(self.model(&state, committed).to_json()?));
            }
            return Ok(Advanced::Next(state.to_bytes()));
        }
        let mut state = self.state(input)?;
        if round > s.rounds {
            let mut model = self.model(&state, committed);
            model.validation = Some(split_counts(sums, s.classes)?);
            return Ok(Advanced::Final(model.to_json()?));
        }
        let (examples, values) = self.mean.decode(NAME, sums, self.parameters())?;
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        set_parameters(&mut state.head, &values);
        state.examples = examples;
        let clipped = sums.get(1 + self.parameters()).copied().unwrap_or(0);
        let values = (committed * self.parameters()) as u64;
        state.clips = state.clips.plus(Clips { clipped, values });
        if round + 1 == self.rounds() {
            return Ok(Advanced::Final(self.model(&state, committed).to_json()?));
        }
        Ok(Advanced::Next(state.to_bytes()))
    }
}

impl State {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.examples.to_le_bytes().to_vec();
        let scaling = self.scaling.mean.iter().chain(&self.scaling.deviation);
        out.extend(bytes_of(scaling.chain(&parameters_of(&self.head))));
        out.extend(self.clips.to_bytes());
        out
    }

    fn from_bytes(bytes: &[u8], s: &FedAvgSettings, parameters: usize) -> Result<Self> {
        const WHAT: &str = "start of a fedavg round";
        let short = || Error::Bytes { what: WHAT, reason: format!("{} bytes are too few", bytes.len()) };
        let (bytes, clips) = Clips::split_from(bytes).ok_or_else(short)?;
        let (examples, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        let values = floats(WHAT, rest, 2 * s.width + parameters)?;
        let (mean, rest) = values.split_at(s.width);
        let (deviation, parameters) = rest.split_at(s.width);
        if let Some(bad) = deviation.iter().find(|d| **d <= 0.0) {
            return Err(Error::Bytes { what: WHAT, reason: format!("a deviation of {bad}") });
        }
        let mut head = common_start(s)?;
        set_parameters(&mut head, parameters);
        let scaling = Scaling { mean: mean.to_vec(), deviation: deviation.to_vec() };
        Ok(Self { scaling, head, examples: u64::from_le_bytes(*examples), clips })
    }

    /// The head of inference: standardised by the asker, clipped, evaluated as trained.
    fn literal(&self, clip: f32) -> HeadLiteral {
        let vector = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let head = &self.head;
        let normalisation = Normalisation {
            mean: vector(&self.scaling.mean),
            gain: self.scaling.deviation.iter().map(|d| 1.0 / f64::from(*d)).collect(),
            bound: f64::from(clip),
            radius: Some(f64::from(reach(head.width))),
        };
        let inner = Affine { weights: matrix(&head.weight1, head.width), bias: vector(&head.bias1) };
        let outer = Affine { weights: matrix(&head.weight2, head.bias1.len()), bias: vector(&head.bias2) };
        HeadLiteral {
            normalisation,
            range: None,
            map: Map::Polynomial { inner, polynomial: vector(&head.polynomial), outer },
        }
    }
}

/// Norm to which a standardised token is shortened: twice the root mean square, since the squares of `width` standardised
/// features are `width` in the mean. Known to all sites without looking at any data.
fn reach(width: usize) -> f32 {
    2.0 * (width as f32).sqrt()
}

/// Standardised rows clipped as askers clip them: to the box of `clip`, then to the ball of `radius`.
pub(super) fn shortened(mut rows: Vec<f32>, width: usize, clip: f32, radius: f32) -> Vec<f32> {
    for row in rows.chunks_exact_mut(width.max(1)) {
        let mut square = 0.0f64;
        for x in row.iter_mut() {
            *x = x.clamp(-clip, clip);
            square += f64::from(*x) * f64::from(*x);
        }
        let norm = square.sqrt() as f32;
        if norm > radius {
            for x in row {
                *x *= radius / norm;
            }
        }
    }
    rows
}

/// The head that all sites start from, drawn from the job's seed, on features of mean 0 and deviation 1.
fn common_start(s: &FedAvgSettings) -> Result<PolynomialHead> {
    seeded_head(s.width, s.classes, &HeadPlan { seed: s.seed, ..s.plan(0) })
}

/// A head that nobody trained. It is drawn as training draws it: from two rows a class, all ones and all minus ones, whose
/// mean is 0 and deviation 1 in every feature.
pub(super) fn seeded_head(width: usize, classes: usize, plan: &HeadPlan) -> Result<PolynomialHead> {
    let rows: Vec<f32> =
        (0..2 * classes).flat_map(|i| vec![if i % 2 == 0 { 1.0 } else { -1.0 }; width]).collect();
    let labels: Vec<usize> = (0..2 * classes).map(|i| i / 2).collect();
    let plan = HeadPlan { epochs: 0, ..*plan };
    Ok(train_polynomial(&rows, width, &labels, classes, &plan, None)?.head)
}

/// Every number of a head in one order: W₁, b₁, p, W₂, b₂.
pub(super) fn parameters_of(head: &PolynomialHead) -> Vec<f32> {
    [&head.weight1, &head.bias1, &head.polynomial, &head.weight2, &head.bias2]
        .into_iter()
        .flatten()
        .copied()
        .collect()
}

/// The reverse of [`parameters_of`]. Range: as many values as the head has.
pub(super) fn set_parameters(head: &mut PolynomialHead, values: &[f32]) {
    let mut values = values.iter();
    let PolynomialHead { weight1, bias1, polynomial, weight2, bias2, .. } = head;
    for tensor in [weight1, bias1, polynomial, weight2, bias2] {
        tensor.iter_mut().zip(&mut values).for_each(|(to, from)| *to = *from);
    }
}
