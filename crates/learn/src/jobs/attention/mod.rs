//! `attention`: one classifier a slide. Gated attention over the slide's tiles (Ilse et al., arXiv 1802.04712) and a linear head on
//! what it pools, trained by full-batch steps.
//!
//! Round 0 agrees on the standardisation, in which every slide counts once. In each round after it a site computes the gradient of
//! each of its slides, turns it into integers *slide by slide*, and adds those up. So the sum over sites is the sum over the pooled
//! slides to the last bit, whatever site a slide lies at, and the step that follows from it is the pooled one. The last round, if
//! asked for, counts right and wrong answers.

mod pooling;
mod settings;
mod state;

pub use pooling::{AttentionPooling, PooledSlides};
pub use settings::AttentionSettings;

use rayon::prelude::*;

use super::clips::{Clips, ClipsAt};
use super::confusion::{confusion_of, encode_counts, split_counts};
use super::integers::{each_class, padded};
use super::kind::Learned;
use super::model::Model;
use super::scaling::ScalingSums;
use super::{Advanced, Bag, EpochFigures, Error, Integers, Learning, Result, SiteData, Watch, job};
use blindscope_aggregate::FixedPoint;
use blindscope_vision::head::SlideClassifier;
use state::State;

const NAME: &str = "attention";

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    ..Learned::of::<AttentionSettings>(
        "Rounds of full-batch steps of gated attention over the tiles of slides, and of a head on what it pools: one class a slide.",
        |spec| Ok(Box::new(Attention::new(job::settings(spec)?)?)),
    )
};

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    settings: AttentionSettings,
    gradient: FixedPoint,
    scaling: ScalingSums,
}

/// What the slides of a site sum to in a round.
struct Summed {
    /// One a number of the classifier.
    integers: Vec<u64>,
    /// Numbers of gradients that were clipped.
    clipped: usize,
    loss: f64,
    right: usize,
}

impl Attention {
    pub(super) fn new(settings: AttentionSettings) -> Result<Self> {
        settings.check()?;
        let gradient = FixedPoint::new(settings.gradient_bound, settings.bits)?;
        let scaling = ScalingSums::new(settings.bound, settings.bits)?;
        Ok(Self { settings, gradient, scaling })
    }

    /// The site's slides, if they are no more than the job's headroom was proved for.
    fn bags(&self, data: &SiteData) -> Result<Vec<Bag>> {
        let s = &self.settings;
        data.train.check(NAME, s.width, s.classes)?;
        data.train.check_clipped(NAME, s.bound, s.clipped)?;
        let bags = data.train.bags(NAME)?;
        let ranges = [
            ("number of slides", bags.len() as u64, s.examples),
            ("number of tiles", data.train.len() as u64, s.tiles),
        ];
        for (what, found, most) in ranges {
            if !(1..=most).contains(&found) {
                let (found, expected) = (found.to_string(), format!("1 to {most}"));
                return Err(Error::Data { operation: NAME, what, found, expected });
            }
        }
        Ok(bags)
    }

    /// Slides; the sum over slides of mean features and mean squares; slides a class; clipped features.
    fn scale(&self, data: &SiteData, bags: &[Bag]) -> Result<Vec<u64>> {
        let s = &self.settings;
        let (mut sums, mut classes) = (vec![0u64; 2 * s.width], vec![0u64; s.classes]);
        for bag in bags {
            let rows = data.train.rows.rows(s.width, &bag.rows)?;
            let (mut x, mut squares) = (vec![0.0f64; s.width], vec![0.0f64; s.width]);
            let tiles = bag.rows.len() as f64;
            for row in rows.chunks_exact(s.width) {
                for ((v, x), square) in row.iter().zip(&mut x).zip(&mut squares) {
                    let v = f64::from(*v).clamp(-s.bound, s.bound);
                    *x += v / tiles;
                    *square += v * v / tiles;
                }
            }
            self.scaling.add(&mut sums, &x, &squares)?;
            classes[bag.label] += 1;
        }
        let clipped = Clips::count(NAME, "features", &data.train.rows, s.bound)?;
        Ok([vec![bags.len() as u64], sums, classes, vec![clipped, data.train.len() as u64]].concat())
    }

    fn scaled(&self, sums: &[u64]) -> Result<State> {
        let s = &self.settings;
        let (scaling, slides) = self.scaling.decode(sums, s.width)?;
        let at = 1 + 2 * s.width;
        let Some((classes, &[clipped, tiles])) =
            sums.get(at..at + s.classes + 2).and_then(|rest| rest.split_last_chunk::<2>())
        else {
            let reason = format!("{} sums, {} are needed", sums.len(), at + s.classes + 2);
            return Err(Error::Sums { operation: NAME, reason });
        };
        each_class(NAME, classes, &self.settings.names)?;
        let clips = Clips { clipped, values: tiles.saturating_mul(s.width as u64) };
        Ok(State::common(s, scaling, slides, clips))
    }

    /// Slides, the sum of their gradients, how many numbers were clipped.
    fn gradients(
        &self,
        data: &SiteData,
        bags: &[Bag],
        round: u64,
        state: &State,
        watch: Watch<'_>,
    ) -> Result<Vec<u64>> {
        let classifier = state.classifier();
        let one = |summed: Summed, bag: &Bag| self.add(summed, data, bag, state, &classifier);
        let none =
            || Summed { integers: vec![0; state::values(&self.settings)], clipped: 0, loss: 0.0, right: 0 };
        // Integers add up to the same sum in any order.
        let summed = bags.par_iter().try_fold(none, one).try_reduce(none, |a, b| Ok(a.plus(b)))?;
        let (slides, numbers) = (bags.len(), bags.len() * summed.integers.len());
        Clips::tell(NAME, "gradients", (summed.clipped, numbers), self.settings.gradient_bound);
        let (loss, accuracy) = (summed.loss / slides as f64, summed.right as f64 / slides as f64);
        watch(&EpochFigures { job: NAME, round, epoch: round, loss: loss as f32, accuracy: accuracy as f32 });
        Ok([vec![slides as u64], summed.integers, vec![summed.clipped as u64]].concat())
    }

    fn add(
        &self,
        mut summed: Summed,
        data: &SiteData,
        bag: &Bag,
        state: &State,
        classifier: &SlideClassifier,
    ) -> Result<Summed> {
        let rows = data.train.rows.rows(self.settings.width, &bag.rows)?;
        let slide = classifier.gradient(&state.pooling.standardised(&rows), bag.label)?;
        for (at, (sum, g)) in summed.integers.iter_mut().zip(&slide.values).enumerate() {
            *sum += self.gradient.encode_one(at, f64::from(*g))?;
            summed.clipped += usize::from(f64::from(g.abs()) > self.settings.gradient_bound);
        }
        summed.loss += f64::from(slide.loss);
        summed.right += usize::from(slide.class == bag.label);
        Ok(summed)
    }

    fn count(&self, data: &SiteData, state: &State) -> Result<Vec<u64>> {
        let s = &self.settings;
        data.validation.check("validation", s.width, s.classes)?;
        if data.validation.is_empty() {
            return Ok(vec![0; s.classes * s.classes]);
        }
        let slides = state.pooling.examples("validation", &data.validation)?;
        let logits = state.head.logits(&slides.rows.whole()?)?;
        encode_counts(&confusion_of(&logits, &slides.labels, s.classes), s.examples)
    }

    fn model(&self, state: &State, committed: usize) -> Model {
        Model::new(NAME, vec![(NAME, state.literal())], state.slides, committed)
            .of_classes(&self.settings.names)
            .of_backbone(&self.settings.backbone)
            .clipped_by(state.clips)
            .pooled_by(state.pooling.clone())
    }

    fn stepped(&self, state: &mut State, round: u64, sums: &[u64]) -> Result<()> {
        let s = &self.settings;
        let count = state::values(s);
        let Some((&slides, rest)) = sums.split_first().filter(|(n, rest)| **n > 0 && rest.len() > count)
        else {
            let reason = format!("{} sums over at least one slide are needed", count + 2);
            return Err(Error::Sums { operation: NAME, reason });
        };
        let mean = |sum: &u64| (self.gradient.decode_sum(*sum, slides) / slides as f64) as f32;
        let gradient: Vec<f32> = rest.iter().take(count).map(mean).collect();
        state.step(s, &gradient, round - 1, self.gradient.step() as f32);
        state.slides = slides;
        let values = slides.saturating_mul(count as u64);
        state.clips = state.clips.plus(Clips { clipped: rest[count], values });
        Ok(())
    }
}

impl Summed {
    fn plus(mut self, other: Self) -> Self {
        self.integers.iter_mut().zip(other.integers).for_each(|(a, b)| *a += b);
        self.clipped += other.clipped;
        self.loss += other.loss;
        self.right += other.right;
        self
    }
}

impl Learning for Attention {
    fn rounds(&self) -> u64 {
        1 + self.settings.rounds + u64::from(self.settings.validate)
    }

    fn values(&self) -> u64 {
        let s = &self.settings;
        let scaling = 1 + 2 * s.width + s.classes + 2;
        (1 + state::values(s) + 1).max(scaling).max(s.classes * s.classes) as u64
    }

    fn max(&self) -> u64 {
        let s = &self.settings;
        let clipped = s.examples * state::values(s) as u64;
        (self.gradient.max() * s.examples).max(clipped).max(s.tiles * s.width as u64)
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers> {
        let bags = self.bags(data)?;
        let values = if round == 0 {
            self.scale(data, &bags)?
        } else {
            let state = State::from_bytes(input, &self.settings)?;
            if round <= self.settings.rounds {
                self.gradients(data, &bags, round, &state, watch)?
            } else {
                self.count(data, &state)?
            }
        };
        Ok(Box::new(padded(values, self.values()).into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        if round == 0 {
            return Ok(Advanced::Next(self.scaled(sums)?.to_bytes()));
        }
        let mut state = State::from_bytes(input, s)?;
        if round > s.rounds {
            let mut model = self.model(&state, committed);
            model.validation = Some(split_counts(sums, s.classes)?);
            return Ok(Advanced::Final(model.to_json()?));
        }
        self.stepped(&mut state, round, sums)?;
        if round + 1 == self.rounds() {
            return Ok(Advanced::Final(self.model(&state, committed).to_json()?));
        }
        Ok(Advanced::Next(state.to_bytes()))
    }
}
