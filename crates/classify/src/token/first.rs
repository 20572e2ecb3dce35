//! A first layer as plaintexts: one a step of the diagonal method, which holds the weights of all combs.
//!
//! Where the slots of a comb repeat, their sum at the end of the layer is a trace, which multiplies by the number of
//! repetitions: weights are divided by it *modulo the primes*, so that neither scale nor precision is spent on it. A shifted
//! comb is shifted back by its weights.

use crate::layout::{Comb, Layout};
use crate::{Head, Plan, Result};
use blindscope_ckks::{Complex64, Encoder, Plaintext, RaisedPlaintext, Strand, join_pairs};

/// Encodes first layers for one plan.
pub(crate) struct FirstLayer<'p> {
    plan: &'p Plan,
    layout: &'p Layout,
    encoder: Encoder,
}

impl<'p> FirstLayer<'p> {
    pub(crate) fn new(plan: &'p Plan, layout: &'p Layout) -> Self {
        Self { plan, layout, encoder: Encoder::new(plan.params()) }
    }

    /// `share` times the weights of a head, one plaintext a step, at the top level.
    ///
    /// # Errors
    /// [`crate::Error::Ckks`] where the scheme refuses, see there.
    pub(crate) fn weights(&self, head: &Head, share: f64) -> Result<Vec<Plaintext>> {
        let rows = rows(head, share);
        let (top, scale) = (self.plan.params().top_level(), self.plan.first_weight());
        let step =
            |g: usize| Ok(self.encoder.encode_strands(&self.strands(&self.slots(&rows, g)), top, scale)?);
        (0..self.layout.steps).map(step).collect()
    }

    /// The weights of a head for products with rotations of the question: one plaintext a step, rotated like its ciphertext.
    ///
    /// # Errors
    /// As [`Self::weights`].
    pub(crate) fn raised(&self, head: &Head) -> Result<Vec<RaisedPlaintext>> {
        let (rows, l) = (rows(head, 1.0), self.layout);
        let (top, scale) = (self.plan.params().top_level(), self.plan.first_weight());
        let step = |g: usize| -> Result<RaisedPlaintext> {
            let slots = self.slots(&rows, g);
            let w = self.encoder.encode_strands_raised(&self.strands(&slots), top, scale)?;
            Ok(w.rotated(l.baby(g % l.babies)))
        };
        (0..l.steps).map(step).collect()
    }

    /// The weights of a step, the slots of a comb each.
    fn slots(&self, rows: &[Vec<Complex64>], g: usize) -> Vec<Vec<Complex64>> {
        self.layout.combs().map(|comb| self.layout.pack_step(&comb, rows, g)).collect()
    }

    fn strands<'s>(&self, slots: &'s [Vec<Complex64>]) -> Vec<Strand<'s>> {
        let strand = |(comb, slots): (Comb, &'s Vec<Complex64>)| Strand {
            slots,
            shift: -(comb.shift as i64),
            divisor: comb.stride as u64,
        };
        self.layout.combs().zip(slots).map(strand).collect()
    }

    /// `share` times the biases of a head, at the units' level and scale.
    ///
    /// # Errors
    /// As [`Self::weights`].
    pub(crate) fn bias(&self, head: &Head, share: f64) -> Result<Plaintext> {
        let (b, l) = (&head.circuit().first().bias, self.layout);
        let at = |p: usize| b.get(p % l.period).map_or(0.0, |b| b * share);
        let slots = l.spread(|p| Complex64 { re: at(p), im: 0.0 });
        Ok(self.encoder.encode_slots(&slots, self.plan.first_level(), self.plan.unit())?)
    }
}

/// Half of `w_j - i·w_(j+h)` a unit, since the real part is taken as `z + conj z`.
fn rows(head: &Head, share: f64) -> Vec<Vec<Complex64>> {
    let half = |w: &Vec<f64>| join_pairs(w).iter().map(|z| z.conj() * 0.5 * share).collect();
    head.circuit().first().weights.iter().map(half).collect()
}
