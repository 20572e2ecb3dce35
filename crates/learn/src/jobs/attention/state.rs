//! What a round of an attention job starts from: scaling, weights, and the moments of the steps so far.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::super::clips::Clips;
use super::super::integers::{bytes_of, floats};
use super::super::{Error, Result};
use super::pooling::AttentionPooling;
use super::settings::AttentionSettings;
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{AdamW, LinearHead, Scaling, SlideClassifier};

const WHAT: &str = "start of an attention round";

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) pooling: AttentionPooling,
    pub(super) head: LinearHead,
    /// First and second moments of the gradient, one a number of the classifier.
    moments: [Vec<f32>; 2],
    /// Slides of all sites.
    pub(super) slides: u64,
    /// Features and gradients that were clipped in any round.
    pub(super) clips: Clips,
}

impl State {
    /// The start that all sites share: drawn from the job's seed.
    pub(super) fn common(s: &AttentionSettings, scaling: Scaling, slides: u64, clips: Clips) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(s.seed);
        let SlideClassifier { attention, head } =
            SlideClassifier::random(s.width, s.hidden, s.classes, &mut rng);
        let none = vec![0.0; values(s)];
        let pooling = AttentionPooling { scaling, clip: s.clip, attention };
        Self { pooling, head, moments: [none.clone(), none], slides, clips }
    }

    pub(super) fn classifier(&self) -> SlideClassifier {
        SlideClassifier { attention: self.pooling.attention.clone(), head: self.head.clone() }
    }

    /// One step along the mean gradient of all slides. Range: as many numbers as the classifier has; `steps` were made before.
    pub(super) fn step(&mut self, s: &AttentionSettings, gradient: &[f32], steps: u64, grain: f32) {
        let mut classifier = self.classifier();
        let lengths: Vec<usize> = classifier.tensors_mut().map(|(tensor, _)| tensor.len()).collect();
        let [first, second] = [0, 1].map(|at| cut(&self.moments[at], &lengths));
        let moments = first.into_iter().zip(second).collect();
        let mut optimiser = AdamW::resumed(s.rate, s.decay, steps as i32, moments);
        // What the fixed point cannot tell from zero is no reason for a whole step.
        optimiser.epsilon = grain;
        let gradients = cut(gradient, &lengths);
        let tensors = classifier.tensors_mut().zip(&gradients);
        optimiser.step(tensors.map(|((tensor, decays), g)| (tensor.as_mut_slice(), g.as_slice(), decays)));
        let (first, second): (Vec<_>, Vec<_>) = optimiser.into_moments().into_iter().unzip();
        self.moments = [first.concat(), second.concat()];
        (self.pooling.attention, self.head) = (classifier.attention, classifier.head);
    }

    /// The head of inference, on the token that the asker pools: it lies within box and ball already, as every tile does.
    pub(super) fn literal(&self) -> HeadLiteral {
        let width = self.head.width;
        let number = |v: &f32| f64::from(*v);
        let layer = Affine {
            weights: self
                .head
                .weight
                .chunks_exact(width.max(1))
                .map(|row| row.iter().map(number).collect())
                .collect(),
            bias: self.head.bias.iter().map(number).collect(),
        };
        let normalisation = Normalisation {
            radius: Some(f64::from(super::super::fedavg::reach(width))),
            ..Normalisation::identity(width, f64::from(self.pooling.clip))
        };
        HeadLiteral { normalisation, map: Map::Linear { layer }, range: None }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.slides.to_le_bytes().to_vec();
        let scaling = self.pooling.scaling.mean.iter().chain(&self.pooling.scaling.deviation);
        let values = self.classifier().values();
        out.extend(bytes_of(scaling.chain(&values).chain(self.moments.iter().flatten())));
        out.extend(self.clips.to_bytes());
        out
    }

    pub(super) fn from_bytes(bytes: &[u8], s: &AttentionSettings) -> Result<Self> {
        let short = || Error::Bytes { what: WHAT, reason: format!("{} bytes are too few", bytes.len()) };
        let (rest, clips) = Clips::split_from(bytes).ok_or_else(short)?;
        let (slides, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let count = values(s);
        let numbers = floats(WHAT, rest, 2 * s.width + 3 * count)?;
        let parts = cut(&numbers, &[s.width, s.width, count, count, count]);
        let [mean, deviation, values, first, second] = parts.try_into().map_err(|_| short())?;
        if deviation.iter().any(|d| *d <= 0.0) || second.iter().any(|v| *v < 0.0) {
            let reason = "a deviation or a second moment is negative or zero".into();
            return Err(Error::Bytes { what: WHAT, reason });
        }
        let mut state = Self::common(s, Scaling { mean, deviation }, u64::from_le_bytes(*slides), clips);
        let mut classifier = state.classifier();
        classifier.set_values(&values);
        (state.pooling.attention, state.head) = (classifier.attention, classifier.head);
        Ok(Self { moments: [first, second], ..state })
    }
}

/// Numbers of the job's classifier.
pub(super) fn values(s: &AttentionSettings) -> usize {
    SlideClassifier::len_of(s.width, s.hidden, s.classes)
}

/// Pieces of these lengths. Range: they sum to the whole.
fn cut(values: &[f32], lengths: &[usize]) -> Vec<Vec<f32>> {
    let mut rest = values;
    let piece = |len: &usize| {
        let (piece, after) = rest.split_at(*len);
        rest = after;
        piece.to_vec()
    };
    lengths.iter().map(piece).collect()
}
