//! The server of the token packing: the first layer by diagonals, the activation, the outer layer.

use std::io::Read;

use super::outer::OuterLayer;
use crate::answer::{Lanes, shape};
use crate::layout::{Layout, Outer};
use crate::question::Pieces;
use crate::{EncryptedHead, Error, EvaluationKeys, Head, Plan, Rescale, Result};
use blindscope_ckks::{Ciphertext, Complex64, Encoder, Evaluator, LazyCiphertext, Level, Plaintext};

/// A first layer's weights, one plaintext or ciphertext a step, and its bias.
enum First {
    Clear(Vec<Plaintext>, Plaintext),
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
        let encoder = Encoder::new(plan.params());
        let top = plan.params().top_level();
        let weights = (0..l.steps)
            .map(|g| encoder.encode_slots(&first_step(head, l, g), top, plan.first_weight()))
            .collect::<std::result::Result<_, _>>()?;
        let bias = encoder.encode_slots(&l.first_bias(head), plan.first_level(), plan.fresh())?;
        Self::with(head, plan, First::Clear(weights, bias))
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
        let mut index = 0;
        while let Some(c) = pieces.next()? {
            let units = self.units(&c, keys)?;
            let logits = match &self.outer {
                None => vec![raised(&self.evaluator, &self.plan, units)?],
                Some(outer) => outer.apply(&self.evaluator, &units, keys)?,
            };
            for (i, y) in logits.iter().enumerate() {
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
        Ok(lanes)
    }

    /// The first layer's outputs, in slots.
    fn units(&self, tokens: &Ciphertext, keys: &EvaluationKeys) -> Result<Ciphertext> {
        let (l, ev) = (&self.layout, &self.evaluator);
        let level = self.plan.first_level();
        let mut products = self.products(tokens, keys)?;
        if self.plan.literal().chain.rescale == Rescale::Early {
            products.iter_mut().try_for_each(|p| lower(ev, p, level))?;
        }
        let mut sum = horner(ev, &products, -(l.tokens as i64), keys)?;
        for stride in l.folds(l.period, l.positions()) {
            ev.add_rotated(&mut sum, stride, &keys.galois)?;
        }
        ev.add_conjugate(&mut sum, &keys.galois)?;
        let mut v = ev.settle(sum)?;
        lower(ev, &mut v, level)?;
        match &self.first {
            First::Clear(_, bias) => ev.add_plain_assign(&mut v, bias)?,
            First::Encrypted(head) => ev.add_assign(&mut v, &head.bias)?,
        }
        Ok(v)
    }

    /// One product a step, at the top level.
    fn products(&self, x: &Ciphertext, keys: &EvaluationKeys) -> Result<Vec<Ciphertext>> {
        let ev = &self.evaluator;
        match &self.first {
            First::Clear(w, _) => w.iter().map(|w| Ok(ev.mul_plain(x, w)?)).collect(),
            First::Encrypted(head) => {
                let relin = keys.relin.as_ref().ok_or(Error::MissingRelinKey { op: "encrypted head" })?;
                head.weights.iter().map(|w| Ok(ev.mul_relin(x, w, relin)?)).collect()
            }
        }
    }
}

/// A linear head's logits at the answer's scale: what is added to them afterwards weighs less.
pub(crate) fn raised(ev: &Evaluator, plan: &Plan, mut logits: Ciphertext) -> Result<Ciphertext> {
    ev.mul_integer_assign(&mut logits, plan.raise())?;
    logits.set_scale(plan.answer());
    Ok(logits)
}

/// Divides by one prime after the other, down to a level.
pub(super) fn lower(ev: &Evaluator, c: &mut Ciphertext, level: Level) -> Result<()> {
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

/// The weights of step `g`: half of `w_j - i·w_(j+h)`, since the real part is taken as `z + conj z`.
pub(crate) fn first_step(head: &Head, l: &Layout, g: usize) -> Vec<Complex64> {
    let rows: Vec<Vec<Complex64>> =
        head.circuit().first().weights.iter().map(|w| blindscope_ckks::join_pairs(w)).collect();
    let mut positions = vec![Complex64::default(); l.positions()];
    for r in 0..l.replicas {
        for c in 0..l.columns {
            let (p, unit) = l.place(r, c, g);
            if let Some(row) = rows.get(unit) {
                positions[p] = row[c].conj() * 0.5;
            }
        }
    }
    l.spread(|p| positions[p])
}

impl Layout {
    /// The first layer's biases, in slots.
    pub(crate) fn first_bias(&self, head: &Head) -> Vec<Complex64> {
        let b = &head.circuit().first().bias;
        self.spread(|p| real(b.get(p % self.period).copied().unwrap_or(0.0)))
    }
}

pub(super) fn real(re: f64) -> Complex64 {
    Complex64 { re, im: 0.0 }
}
