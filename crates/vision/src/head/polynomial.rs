//! The encryption-friendly head: logits = W₂·p(W₁·x + b₁) + b₂ with p a polynomial of degree 2 or 4.
//!
//! CKKS evaluates p exactly as trained, so nothing is lost to an approximated activation. What must be known is the range
//! that p sees. It is bounded twice: features are standardised and each is clipped to ±`clip` deviations by the asker
//! before encryption, so |h_j| ≤ |b_j| + clip·Σ|W₁,jk| for every input ([`PolynomialHead::hard_bound`]); and the largest
//! |h_j| over the training data is measured and pulled below `range` by a penalty ([`TrainedHead::seen`]).

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::activation::{Activation, evaluate};
use super::adamw::AdamW;
use super::batches::{Passes, for_each_batch_of};
use super::linear::{affine, check_examples, check_pairs, cross_entropy};
use super::scaling::Scaling;
use crate::error::{Error, Result};
use crate::values::Source;
use crate::vit::fill_normal;

/// logits = W₂·p(W₁·x + b₁) + b₂ on raw features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolynomialHead {
    /// Feature width.
    pub width: usize,
    /// W₁: `[hidden, width]`.
    pub weight1: Vec<f32>,
    /// b₁: `[hidden]`.
    pub bias1: Vec<f32>,
    /// Coefficients of p from the constant up.
    pub polynomial: Vec<f32>,
    /// W₂: `[classes, hidden]`.
    pub weight2: Vec<f32>,
    /// b₂: `[classes]`.
    pub bias2: Vec<f32>,
    /// Lowest raw value of each feature that an asker may send; lower ones are clipped to it.
    pub lowest: Vec<f32>,
    /// Highest raw value of each feature.
    pub highest: Vec<f32>,
}

impl PolynomialHead {
    /// Features clipped to the range that the bound is proved for: what is encrypted.
    pub fn clip(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = rows.to_vec();
        for row in out.chunks_exact_mut(self.width) {
            for ((x, low), high) in row.iter_mut().zip(&self.lowest).zip(&self.highest) {
                *x = x.clamp(*low, *high);
            }
        }
        out
    }

    /// Largest |W₁·x + b₁| over rows: how far p is used.
    ///
    /// # Errors
    /// As [`PolynomialHead::hidden`]; [`Error::Io`] when the file of rows cannot be read any more.
    pub fn reach<'a>(&self, rows: impl Into<Source<'a>>) -> Result<f32> {
        rows.into().blocks().try_fold(0.0f32, |most, block| {
            Ok(self.hidden(&block?)?.iter().fold(most, |m, h| m.max(h.abs())))
        })
    }

    /// W₁·x + b₁ of clipped rows: what p sees, `[n, hidden]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `rows` is no whole number of rows.
    pub fn hidden(&self, rows: &[f32]) -> Result<Vec<f32>> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(Error::shape("polynomial head", format!("rows of {}", self.width), rows.len()));
        }
        Ok(affine(&self.clip(rows), &self.weight1, &self.bias1, self.width))
    }

    /// Logits `[n, classes]` of `rows: [n, width]`.
    ///
    /// # Errors
    /// As [`PolynomialHead::hidden`].
    pub fn logits(&self, rows: &[f32]) -> Result<Vec<f32>> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(Error::shape("polynomial head", format!("rows of {}", self.width), rows.len()));
        }
        Ok(self.logits_of_clipped(&self.clip(rows)))
    }

    /// As [`PolynomialHead::logits`] for rows that are whole and already clipped.
    pub(crate) fn logits_of_clipped(&self, rows: &[f32]) -> Vec<f32> {
        let mut hidden = affine(rows, &self.weight1, &self.bias1, self.width);
        hidden.iter_mut().for_each(|h| *h = evaluate(&self.polynomial, *h));
        affine(&hidden, &self.weight2, &self.bias2, self.bias1.len())
    }

    /// max_j sup |W₁·x + b₁|_j over every clipped x: the range for which a circuit must hold.
    pub fn hard_bound(&self) -> f32 {
        let rows = self.weight1.chunks_exact(self.width).zip(&self.bias1);
        rows.map(|(row, b)| {
            let (mut low, mut high) = (*b, *b);
            for ((w, l), h) in row.iter().zip(&self.lowest).zip(&self.highest) {
                low += (w * l).min(w * h);
                high += (w * l).max(w * h);
            }
            low.abs().max(high.abs())
        })
        .fold(0.0, f32::max)
    }
}

/// How a polynomial head is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadPlan {
    /// Hidden units.
    pub hidden: usize,
    /// The polynomial.
    pub activation: Activation,
    /// Whether only the first layer is trained, and polynomial and outer layer stay as they start.
    pub first_layer: bool,
    /// Deviations to which a standardised feature is clipped.
    pub clip: f32,
    /// |h| that training keeps to: beyond it a penalty pulls back.
    pub range: f32,
    /// Passes over the data; the paper's local training has 30.
    pub epochs: usize,
    /// Examples a step.
    pub batch: usize,
    /// Peak step size of AdamW.
    pub rate: f32,
    /// Weight decay of both matrices.
    pub decay: f32,
    /// Seed of start and shuffles.
    pub seed: u64,
}

impl Default for HeadPlan {
    fn default() -> Self {
        Self {
            hidden: 32,
            activation: Activation::Trained { degree: 2 },
            first_layer: false,
            clip: 4.0,
            range: 4.0,
            epochs: 30,
            batch: 32,
            rate: 3e-3,
            decay: 0.1,
            seed: 0,
        }
    }
}

/// A trained head with what was seen on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedHead {
    /// The head.
    pub head: PolynomialHead,
    /// Largest |h| over the training data: what p saw.
    pub seen: f32,
    /// Mean loss and training accuracy of every epoch.
    pub epochs: Vec<(f32, f32)>,
}

/// Trains a polynomial head by AdamW on clipped, standardised features. `start` continues from a head of the same shape
/// (a federated round); its own scaling is then kept, so that heads of different sites can be averaged.
///
/// # Errors
/// [`Error::Shape`] and [`Error::Data`] for examples that do not pair up, an unserved degree or a `start` of another shape;
/// [`Error::Io`] when the file of rows cannot be read any more.
pub fn train_polynomial<'a>(
    rows: impl Into<Source<'a>>,
    width: usize,
    labels: &[usize],
    classes: usize,
    plan: &HeadPlan,
    start: Option<&PolynomialHead>,
) -> Result<TrainedHead> {
    let rows = rows.into();
    // A head that goes on knows its classes already: a site without examples of some trains with those that it has.
    check_pairs(rows, width, labels, classes)?;
    if start.is_none() {
        check_examples(rows, width, labels, classes)?;
    }
    let mut work = Work::begin(rows, width, classes, plan, start)?;
    let (scaling, clip) = (work.scaling.clone(), work.clip);
    let passes = Passes { epochs: plan.epochs, batch: plan.batch, seed: plan.seed ^ 1 };
    let mut optimiser = AdamW::new(plan.rate, plan.decay);
    let (mut loss, mut correct, mut epochs) = (0.0, 0usize, Vec::new());
    for_each_batch_of(rows, width, labels, passes, &|x| z(&scaling, clip, x), |x, y, progress| {
        optimiser.rate = plan.rate * progress.rate;
        let (batch_loss, right) = work.step(x, y, plan, &mut optimiser);
        loss += batch_loss * y.len() as f32;
        correct += right;
        if progress.epoch_end.is_some() {
            epochs.push((loss / labels.len() as f32, correct as f32 / labels.len() as f32));
            (loss, correct) = (0.0, 0);
        }
    })?;
    let head = work.finish(plan);
    let seen = head.reach(rows)?;
    Ok(TrainedHead { head, seen, epochs })
}

/// Standardised, clipped rows.
fn z(scaling: &Scaling, clip: f32, rows: &[f32]) -> Vec<f32> {
    let mut z = scaling.apply(rows);
    z.iter_mut().for_each(|v| *v = v.clamp(-clip, clip));
    z
}

/// A head on standardised features while it is trained.
struct Work {
    scaling: Scaling,
    clip: f32,
    head: PolynomialHead,
}

impl Work {
    fn begin(
        rows: Source<'_>,
        width: usize,
        classes: usize,
        plan: &HeadPlan,
        start: Option<&PolynomialHead>,
    ) -> Result<Self> {
        if let Some(start) = start {
            return Self::resume(start, width, classes, plan);
        }
        let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
        let mut weight1 = vec![0.0; plan.hidden * width];
        let mut weight2 = vec![0.0; classes * plan.hidden];
        fill_normal(&mut weight1, 1.0 / (width as f32).sqrt(), &mut rng);
        fill_normal(&mut weight2, 1.0 / (plan.hidden as f32).sqrt(), &mut rng);
        let head = PolynomialHead {
            width,
            weight1,
            bias1: vec![0.0; plan.hidden],
            polynomial: plan.activation.start(plan.range)?,
            weight2,
            bias2: vec![0.0; classes],
            lowest: Vec::new(),
            highest: Vec::new(),
        };
        Ok(Self { scaling: Scaling::fit(rows, width)?, clip: plan.clip, head })
    }

    /// Unfolds a finished head: its clipping range tells its scaling.
    fn resume(start: &PolynomialHead, width: usize, classes: usize, plan: &HeadPlan) -> Result<Self> {
        if start.width != width || start.bias1.len() != plan.hidden || start.bias2.len() != classes {
            let got = format!("{} → {} → {}", start.width, start.bias1.len(), start.bias2.len());
            return Err(Error::shape(
                "continuing a head",
                format!("{width} → {} → {classes}", plan.hidden),
                got,
            ));
        }
        let limits = || start.lowest.iter().zip(&start.highest);
        let scaling = Scaling {
            mean: limits().map(|(l, h)| f32::midpoint(*l, *h)).collect(),
            deviation: limits().map(|(l, h)| (h - l) / (2.0 * plan.clip)).collect(),
        };
        let mut head = start.clone();
        for (row, b) in head.weight1.chunks_exact_mut(width).zip(&mut head.bias1) {
            for ((w, m), s) in row.iter_mut().zip(&scaling.mean).zip(&scaling.deviation) {
                *b += *w * m;
                *w *= s;
            }
        }
        Ok(Self { scaling, clip: plan.clip, head })
    }

    /// One AdamW step; the batch's loss and right answers.
    fn step(&mut self, x: &[f32], labels: &[usize], plan: &HeadPlan, optimiser: &mut AdamW) -> (f32, usize) {
        let classes = self.head.bias2.len();
        let logits = self.head.logits_of_clipped(x);
        let right =
            logits.chunks_exact(classes).zip(labels).filter(|(row, y)| crate::metrics::argmax(row) == **y);
        let right = right.count();
        let (loss, d_logits) = cross_entropy(&logits, labels, classes);
        let gradient = self.head.gradient(x, &d_logits, plan.range);
        // W₁ and b₁ stand first.
        let trained = if plan.first_layer { 2 } else { usize::MAX };
        optimiser.step(self.head.tensors(&gradient, plan.activation).take(trained));
        (loss, right)
    }

    /// The head on raw features.
    fn finish(mut self, plan: &HeadPlan) -> PolynomialHead {
        self.scaling.fold(&mut self.head.weight1, &mut self.head.bias1);
        let limits = self.scaling.mean.iter().zip(&self.scaling.deviation);
        self.head.lowest = limits.clone().map(|(m, s)| m - plan.clip * s).collect();
        self.head.highest = limits.map(|(m, s)| m + plan.clip * s).collect();
        self.head
    }
}
