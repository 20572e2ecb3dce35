//! One slot a token: sums of ciphertexts times constants, a square a unit, sums again.
//!
//! Features arrive in pairs `x_j + i·x_(j+h)`; times `(w_j - i·w_(j+h))/2` their sum has half the unit as its real part,
//! and a conjugation a *unit* makes that the unit. Nothing is rotated. Ciphertexts are read in runs and forgotten, so
//! memory is what one run and one ciphertext a unit take, whatever the batch.

use std::io::Read;

use rayon::prelude::*;

use super::FeatureLayout;
use crate::answer::Lanes;
use crate::question::Pieces;
use crate::token::{lower, raised};
use crate::{Circuit, Error, EvaluationKeys, Head, Plan, Powers, Rescale, Result};
use blindscope_ckks::{
    Ciphertext, Complex64, Encoder, Evaluator, GaussianMatrix, Level, Plaintext, Scale, join_pairs,
};

/// Ciphertexts of a run.
const RUN: usize = 64;
/// Units that are squared at once.
const UNITS: usize = 16;

/// Evaluates one head on thousands of encrypted tokens.
pub(crate) struct FeatureServer {
    plan: Plan,
    layout: FeatureLayout,
    evaluator: Evaluator,
    /// One a run of columns.
    first: Vec<GaussianMatrix>,
    first_bias: Vec<f64>,
    outer: Option<OuterLayer>,
}

/// `Σ_d A_d·v^d + bias`, two classes to a row.
struct OuterLayer {
    /// `(power, one matrix a run of units)`
    terms: Vec<(u32, Vec<GaussianMatrix>)>,
    bias: Vec<Plaintext>,
}

impl FeatureServer {
    /// Prepares a head for its plan.
    ///
    /// # Errors
    /// [`Error::OtherPlan`] for another head than the plan's; [`Error::OtherMode`] for a plan of the token packing;
    /// [`Error::Ckks`] for a weight that its scale cannot hold.
    pub(crate) fn new(head: &Head, plan: &Plan) -> Result<Self> {
        plan.require_head(head)?;
        let Some(layout) = plan.feature_layout().copied() else {
            let (found, expected) = ("the token packing", "the feature-major packing");
            return Err(Error::OtherMode { op: "serve", found, expected });
        };
        let top = plan.params().top_level();
        let layer = head.circuit().first();
        let halves = |w: &Vec<f64>| -> Vec<Complex64> {
            let mut pairs: Vec<_> = join_pairs(w).iter().map(|z| z.conj() * 0.5).collect();
            pairs.resize(layout.columns, Complex64::default());
            pairs
        };
        let rows: Vec<Vec<Complex64>> = layer.weights.iter().map(halves).collect();
        let first = runs(plan, top, &rows, plan.first_weight(), RUN)?;
        let outer = match head.circuit() {
            Circuit::Linear(_) => None,
            Circuit::Powers(powers) => Some(OuterLayer::new(plan, &layout, powers)?),
        };
        let evaluator = Evaluator::new(plan.params());
        Ok(Self { plan: plan.clone(), layout, evaluator, first, first_bias: layer.bias.clone(), outer })
    }

    /// The logits of a question: for each group of tokens, one ciphertext for two classes.
    pub(crate) fn lanes(
        &self,
        keys: &EvaluationKeys,
        pieces: &mut Pieces<'_, impl Read>,
    ) -> Result<Vec<Lanes>> {
        let mut lanes = Vec::new();
        for _ in 0..pieces.tokens().div_ceil(self.layout.slots) {
            let units = self.units(keys, pieces)?;
            let logits = match &self.outer {
                Some(outer) => outer.apply(self, units, keys)?,
                None => self.side_by_side(&units)?,
            };
            for y in &logits {
                let mut lane = Lanes::new(&self.plan);
                lane.add(y, 0)?;
                lanes.push(lane);
            }
        }
        Ok(lanes)
    }

    /// The first layer's outputs, a ciphertext each, at the first level.
    fn units(&self, keys: &EvaluationKeys, pieces: &mut Pieces<'_, impl Read>) -> Result<Vec<Ciphertext>> {
        let ev = &self.evaluator;
        let top = self.plan.params().top_level();
        let scale = self.plan.fresh().times(self.plan.first_weight());
        let late = self.plan.literal().chain.rescale == Rescale::Late;
        let mut sums = ev.zeros(self.layout.units, 2, top, scale);
        for weights in &self.first {
            let run = pieces.run(weights.shape().1)?;
            ev.mul_gaussian_add_assign(&mut sums, weights, &run)?;
        }
        let finish = |(v, bias): (&mut Ciphertext, &f64)| -> Result<()> {
            if !late {
                ev.rescale_assign(v)?;
            }
            let conjugate = ev.conjugate(v, &keys.galois)?;
            ev.add_assign(v, &conjugate)?;
            if late {
                ev.rescale_assign(v)?;
            }
            Ok(ev.add_scalar_assign(v, *bias)?)
        };
        sums.par_iter_mut().zip(&self.first_bias).try_for_each(finish)?;
        Ok(sums)
    }

    /// Two real ciphertexts as one complex one.
    fn side_by_side(&self, units: &[Ciphertext]) -> Result<Vec<Ciphertext>> {
        let join = |pair: &[Ciphertext]| {
            let joined = match pair {
                [re, im] => self.evaluator.add(re, &self.evaluator.mul_i(im)?)?,
                [re] => re.clone(),
                _ => Ciphertext::empty(self.plan.params()),
            };
            raised(&self.evaluator, &self.plan, joined)
        };
        units.chunks(2).map(join).collect()
    }
}

/// One matrix for each run of `size` columns.
fn runs(
    plan: &Plan,
    level: Level,
    rows: &[Vec<Complex64>],
    scale: Scale,
    size: usize,
) -> Result<Vec<GaussianMatrix>> {
    let columns = rows.first().map_or(0, Vec::len);
    let one = |from: usize| {
        let part: Vec<Vec<_>> = rows.iter().map(|r| r[from..(from + size).min(columns)].to_vec()).collect();
        Ok(GaussianMatrix::new(plan.params(), level, &part, scale)?)
    };
    (0..columns).step_by(size).map(one).collect()
}

impl OuterLayer {
    fn new(plan: &Plan, layout: &FeatureLayout, powers: &Powers) -> Result<Self> {
        let pair = |a: &Vec<f64>, b: Option<&Vec<f64>>| -> Vec<Complex64> {
            let im = |h: usize| b.map_or(0.0, |b| b[h]);
            a.iter().enumerate().map(|(h, &re)| Complex64 { re, im: im(h) }).collect()
        };
        let term = |(d, a): &(u32, Vec<Vec<f64>>)| {
            let rows: Vec<_> = a.chunks(2).map(|rows| pair(&rows[0], rows.get(1))).collect();
            Ok((*d, runs(plan, plan.outer_level(), &rows, plan.outer_scale(*d), UNITS)?))
        };
        let encoder = Encoder::new(plan.params());
        let bias = |b: &[f64]| {
            let z = Complex64 { re: b[0], im: b.get(1).copied().unwrap_or(0.0) };
            Ok(encoder.encode_slots(&vec![z; layout.slots], Level(0), plan.answer())?)
        };
        Ok(Self {
            terms: powers.terms.iter().map(term).collect::<Result<_>>()?,
            bias: powers.bias.chunks(2).map(bias).collect::<Result<_>>()?,
        })
    }

    fn apply(
        &self,
        server: &FeatureServer,
        units: Vec<Ciphertext>,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>> {
        let ev = &server.evaluator;
        let relin = keys.relin.as_ref().ok_or(Error::MissingRelinKey { op: "square" })?;
        let level = server.plan.outer_level();
        let scale = (1..=level.0).fold(server.plan.answer(), |scale, i| scale.times(Scale::prime(i)));
        // The highest power is a product still: it is relinearised once, after the sum.
        let mut top = ev.zeros(self.bias.len(), 3, level, scale);
        let mut low = ev.zeros(self.bias.len(), 2, level, scale);
        let degree = server.plan.literal().degree;
        let mut units = units.into_iter();
        for run in 0..server.layout.units.div_ceil(UNITS) {
            let v: Vec<Ciphertext> = units.by_ref().take(UNITS).collect();
            for (d, weights) in &self.terms {
                let powers = v
                    .par_iter()
                    .map(|v| match (d, degree) {
                        (1, _) => Ok(ev.drop_to_level(v, level)?),
                        (2, 2) => Ok(ev.square(v)?),
                        (2, _) => square_rescaled(ev, v, relin),
                        _ => Ok(ev.square(&square_rescaled(ev, v, relin)?)?),
                    })
                    .collect::<Result<Vec<_>>>()?;
                let acc = if *d == degree { &mut top } else { &mut low };
                ev.mul_gaussian_add_assign(acc, &weights[run], &powers)?;
            }
        }
        let finish = |((top, low), bias): ((&Ciphertext, &Ciphertext), &Plaintext)| {
            let mut y = ev.relinearise(top, relin)?;
            ev.add_assign(&mut y, low)?;
            lower(ev, &mut y, Level(0))?;
            ev.add_plain_assign(&mut y, bias)?;
            Ok(y)
        };
        top.iter().zip(&low).zip(&self.bias).map(finish).collect()
    }
}

fn square_rescaled(ev: &Evaluator, v: &Ciphertext, relin: &blindscope_ckks::RelinKey) -> Result<Ciphertext> {
    Ok(ev.rescale(&ev.relinearise(&ev.square(v)?, relin)?)?)
}
