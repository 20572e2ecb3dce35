//! The server of the token packing: the first layer by diagonals, the activation, the outer layer.

use std::io::Read;

use rayon::prelude::*;

use super::first::FirstLayer;
use super::outer::OuterLayer;
use crate::answer::{Lanes, shape};
use crate::layout::{Layout, Outer};
use crate::question::Pieces;
use crate::{EncryptedHead, Error, EvaluationKeys, Head, Plan, Rescale, Result};
use blindscope_ckks::{Ciphertext, Complex64, Evaluator, LazyCiphertext, Level, Plaintext, RaisedPlaintext};

/// Ciphertexts of a question in memory at a time, for each thread.
const PER_THREAD: usize = 2;

/// A first layer's weights, one plaintext or ciphertext a step, and its bias.
enum First {
    Clear(Vec<Plaintext>, Plaintext),
    /// For products with rotations of the question.
    Hoisted(Vec<RaisedPlaintext>, Plaintext),
    Encrypted(EncryptedHead),
}

/// Evaluates one head on encrypted tokens.
pub(crate) struct TokenServer {
    plan: Plan,
    layout: Layout,
    evaluator: Evaluator,
    first: First,
    outer: Option<OuterLayer>,
}

impl TokenServer {
    /// Encodes a head for its plan.
    ///
    /// # Errors
    /// [`Error::OtherPlan`] for another head than the plan's; [`Error::OtherMode`] for a plan of the feature packing, or of
    /// encrypted heads; [`Error::Ckks`] for a weight that its scale cannot hold.
    pub(crate) fn new(head: &Head, plan: &Plan) -> Result<Self> {
        plan.require_head(head)?;
        let Some(l) = plan.token_layout().filter(|_| !plan.literal().encrypted_head) else {
            let (found, expected) = ("an encrypted head", "a head in the clear");
            return Err(Error::OtherMode { op: "serve", found, expected });
        };
        let encode = FirstLayer::new(plan, l);
        let bias = encode.bias(head, 1.0)?;
        let first = if l.babies > 1 {
            First::Hoisted(encode.raised(head)?, bias)
        } else {
            First::Clear(encode.weights(head, 1.0)?, bias)
        };
        Self::with(head, plan, first)
    }

    /// As [`Self::new`], with an encrypted first layer: whoever holds this server without the secret learns nothing of
    /// it. The outer layer is the template's, in the clear.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn encrypted(template: &Head, plan: &Plan, first: EncryptedHead) -> Result<Self> {
        plan.encrypted_layout("serve an encrypted head")?;
        plan.require_shape(template)?;
        Self::with(template, plan, First::Encrypted(first))
    }

    fn with(head: &Head, plan: &Plan, first: First) -> Result<Self> {
        let Some(layout) = plan.token_layout().copied() else {
            let (found, expected) = ("the feature-major packing", "the token packing");
            return Err(Error::OtherMode { op: "serve", found, expected });
        };
        let outer = OuterLayer::new(head, plan, &layout)?;
        Ok(Self { evaluator: Evaluator::new(plan.params()), plan: plan.clone(), layout, first, outer })
    }

    /// The logits of a question, side by side as the answer's shape says.
    pub(crate) fn lanes(
        &self,
        keys: &EvaluationKeys,
        pieces: &mut Pieces<'_, impl Read>,
    ) -> Result<Vec<Lanes>> {
        let shapes = shape::pieces(&self.plan, pieces.tokens());
        let mut lanes: Vec<Lanes> = shapes.iter().map(|_| Lanes::new(&self.plan)).collect();
        let degree = self.plan.answer_degree();
        let (most, stride) = (self.layout.lanes(degree), self.plan.params().n() / degree);
        let (mut index, run) = (0, PER_THREAD * rayon::current_num_threads());
        loop {
            let questions = pieces.run(run)?;
            if questions.is_empty() {
                return Ok(lanes);
            }
            for logits in self.all_logits(&questions, keys) {
                for (i, y) in logits?.iter().enumerate() {
                    // Extracted: a ciphertext a piece. Folded: one ciphertext, next to those before it.
                    let (piece, lane) = match self.layout.outer {
                        Outer::Extracted => (i, 0),
                        Outer::Folded => (index / most, index % most),
                    };
                    if let Some(sum) = lanes.get_mut(piece) {
                        sum.add(y, lane * stride)?;
                    }
                }
                index += 1;
            }
        }
    }

    /// The logits of each ciphertext of a run, which threads share.
    fn all_logits(&self, questions: &[Ciphertext], keys: &EvaluationKeys) -> Vec<Result<Vec<Ciphertext>>> {
        let one = |c| {
            let units = self.units(c, keys)?;
            match &self.outer {
                None => Ok(vec![raised(&self.evaluator, &self.plan, units)?]),
                Some(outer) => outer.apply(&self.evaluator, &units, keys),
            }
        };
        // A lone one is not worth waking another thread.
        if questions.len() == 1 {
            questions.iter().map(one).collect()
        } else {
            questions.par_iter().map(one).collect()
        }
    }

    /// The first layer's outputs, in slots.
    fn units(&self, tokens: &Ciphertext, keys: &EvaluationKeys) -> Result<Ciphertext> {
        let (l, ev) = (&self.layout, &self.evaluator);
        let level = self.plan.first_level();
        let mut sum = match &self.first {
            First::Clear(w, _) => self.chain(w.iter().map(|w| Ok(ev.mul_plain(tokens, w)?)), keys)?,
            First::Hoisted(w, _) => self.hoisted(tokens, w, keys)?,
            First::Encrypted(head) => {
                let relin = keys.relin.as_ref().ok_or(Error::MissingRelinKey { op: "encrypted head" })?;
                self.chain(head.weights.iter().map(|w| Ok(ev.mul_relin(tokens, w, relin)?)), keys)?
            }
        };
        for stride in l.folds(l.period, l.positions()) {
            ev.add_rotated(&mut sum, stride, &keys.galois)?;
        }
        ev.add_conjugate(&mut sum, &keys.galois)?;
        let mut v = ev.settle(sum)?;
        lower(ev, &mut v, level)?;
        match &self.first {
            First::Clear(_, bias) | First::Hoisted(_, bias) => ev.add_plain_assign(&mut v, bias)?,
            First::Encrypted(head) => ev.add_assign(&mut v, &head.bias)?,
        }
        Ok(v)
    }

    /// One product a step, summed along a chain.
    fn chain(
        &self,
        products: impl Iterator<Item = Result<Ciphertext>>,
        keys: &EvaluationKeys,
    ) -> Result<LazyCiphertext> {
        let (ev, level) = (&self.evaluator, self.plan.first_level());
        let mut products = products.collect::<Result<Vec<_>>>()?;
        if self.plan.literal().chain.rescale == Rescale::Early {
            products.iter_mut().try_for_each(|p| lower(ev, p, level))?;
        }
        horner(ev, &products, self.layout.giant(), keys)
    }

    /// As [`Self::chain`], of products with a few rotations of the question.
    fn hoisted(
        &self,
        tokens: &Ciphertext,
        weights: &[RaisedPlaintext],
        keys: &EvaluationKeys,
    ) -> Result<LazyCiphertext> {
        let (l, ev) = (&self.layout, &self.evaluator);
        let steps: Vec<i64> = (0..l.babies).map(|j| l.baby(j)).collect();
        let babies = ev.rotate_raised(tokens, &steps, &keys.galois)?;
        let link = |w: &[RaisedPlaintext]| ev.mul_raised_sum(&babies.iter().zip(w).collect::<Vec<_>>());
        let mut links = weights.chunks(l.babies).rev().map(link);
        let Some(last) = links.next() else { return Ok(ev.defer(&Ciphertext::empty(ev.params()))?) };
        let mut sum = last?;
        for a in links {
            ev.rotate_then_add_lazy(&mut sum, l.giant(), &keys.galois, &a?)?;
        }
        Ok(sum)
    }
}

/// A linear head's logits at the answer's scale: what is added to them afterwards weighs less.
pub(crate) fn raised(ev: &Evaluator, plan: &Plan, mut logits: Ciphertext) -> Result<Ciphertext> {
    ev.mul_integer_assign(&mut logits, plan.raise())?;
    logits.set_scale(plan.answer());
    Ok(logits)
}

/// Divides by one prime after the other, down to a level.
pub(crate) fn lower(ev: &Evaluator, c: &mut Ciphertext, level: Level) -> Result<()> {
    while c.level() > level {
        ev.rescale_assign(c)?;
    }
    Ok(())
}

/// `Σ_g p_g` rotated by `g` steps, with one key.
pub(super) fn horner(
    ev: &Evaluator,
    products: &[Ciphertext],
    step: i64,
    keys: &EvaluationKeys,
) -> Result<LazyCiphertext> {
    let Some((last, rest)) = products.split_last() else {
        return Ok(ev.defer(&Ciphertext::empty(ev.params()))?);
    };
    let mut sum = ev.defer(last)?;
    for p in rest.iter().rev() {
        ev.rotate_then_add(&mut sum, step, &keys.galois, p)?;
    }
    Ok(sum)
}

pub(super) fn real(re: f64) -> Complex64 {
    Complex64 { re, im: 0.0 }
}
