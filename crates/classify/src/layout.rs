//! Where things stand in the slots of the token packing; what asker and server both go by.

use crate::{Error, Result};
use blindscope_ckks::Complex64;

/// Smallest ring degree of a compacted answer.
const SMALLEST_ANSWER: usize = 2048;

/// How the outer layer's sums over units are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outer {
    /// By the coefficients that are read: the mean over all slots of a product is its constant coefficient. No rotation,
    /// but whole polynomials of which only few coefficients may be shown. For one ciphertext.
    Extracted,
    /// By rotations, so that answers of many ciphertexts fit side by side into one.
    Folded,
}

/// Where features, units and logits stand in the slots of the token packing.
///
/// Slot `p·tokens + t` belongs to token `t`, so every rotation by a multiple of `tokens` is a cyclic rotation of all
/// tokens' positions `p` at once. Positions fall into `replicas` blocks; block `r` holds the token's complex pairs
/// rotated right by `r·steps`. Column `c` of block `r` in the product of step `g` then belongs to the unit congruent
/// to `c + r·steps + g` modulo `period`: the replicas are the giant steps of the diagonal method, made by the asker.
///
/// Reference: Halevi and Shoup, "Algorithms in `HElib`", 2014 (diagonals); Juvekar et al., "Gazelle", 2018 (hybrid).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Slots of a ciphertext.
    pub slots: usize,
    /// Features a token has.
    pub width: usize,
    /// Complex slots that hold them: half the width.
    pub columns: usize,
    /// Tokens to a ciphertext, a power of two.
    pub tokens: usize,
    /// Units of the first layer, padded to a power of two; at least `folded` where the outer layer is folded.
    pub period: usize,
    /// Logits.
    pub classes: usize,
    /// Copies of a token.
    pub replicas: usize,
    /// Products of the first layer: `replicas·steps = period`.
    pub steps: usize,
    /// How the outer layer sums.
    pub outer: Outer,
}

/// What a layout has to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) slots: usize,
    pub(crate) width: usize,
    pub(crate) units: usize,
    pub(crate) classes: usize,
    pub(crate) degree: u32,
    pub(crate) batch: usize,
}

impl Layout {
    /// The layout for a batch.
    ///
    /// # Errors
    /// [`Error::NoPlan`] for a token or a hidden layer that fills no ciphertext.
    pub(crate) fn new(d: Demand) -> Result<Self> {
        let units = d.units.next_power_of_two();
        if d.degree > 1 {
            let extracted = Self::of(d, units, Outer::Extracted)?;
            if d.batch <= extracted.tokens {
                return Ok(extracted);
            }
        }
        Self::of(d, units.max(d.classes.next_power_of_two()), Outer::Folded)
    }

    fn of(d: Demand, period: usize, outer: Outer) -> Result<Self> {
        let Demand { slots, width, classes, .. } = d;
        let columns = width.div_ceil(2);
        let least = columns.next_power_of_two().max(period);
        if least > slots {
            let hint = "reduce the width, the hidden layer or the classes";
            return Err(Error::NoPlan { what: "a token's slots", needed: least, most: slots, hint });
        }
        let tokens = d.batch.max(1).next_power_of_two().min(slots / least);
        let replicas = (slots / tokens / columns.next_power_of_two()).min(period);
        let steps = period / replicas;
        Ok(Self { slots, width, columns, tokens, period, classes, replicas, steps, outer })
    }

    /// Cyclic length of one token's positions.
    pub fn positions(&self) -> usize {
        self.slots / self.tokens
    }

    /// Logits, padded to a power of two.
    pub fn folded(&self) -> usize {
        self.classes.next_power_of_two()
    }

    fn block(&self) -> usize {
        self.positions() / self.replicas
    }

    /// Coefficients of a ciphertext that its message can occupy before extraction or after folding: the slots repeat.
    fn occupied(&self) -> usize {
        match self.outer {
            Outer::Extracted => 2 * self.tokens * self.period,
            Outer::Folded => 2 * self.tokens * self.folded(),
        }
    }

    /// Degree of the subring `Z[X^stride]` in which answers lie.
    pub(crate) fn answer_degree(&self) -> usize {
        self.occupied().max(SMALLEST_ANSWER).min(2 * self.slots)
    }

    /// How many polynomials fit side by side, shifted by powers of `X^stride`: classes of one ciphertext where they are
    /// extracted, ciphertexts where they are folded.
    pub(crate) fn lanes(&self, degree: usize) -> usize {
        degree / self.occupied()
    }

    /// Coefficients of one lane that hold its message: its slots repeat after this many halves.
    pub(crate) fn lane_coefficients(&self) -> usize {
        match self.outer {
            Outer::Extracted => 2 * self.tokens,
            Outer::Folded => self.occupied(),
        }
    }

    /// `(position, unit)` of column `c` in block `r` at step `g`.
    pub(crate) fn place(&self, r: usize, c: usize, g: usize) -> (usize, usize) {
        let block = self.block();
        (r * block + (c + r * self.steps) % block, (c + r * self.steps + g) % self.period)
    }

    /// Slots of up to `tokens` normalised tokens.
    pub(crate) fn pack(&self, tokens: &[Vec<f64>]) -> Vec<Complex64> {
        let mut slots = vec![Complex64::default(); self.slots];
        for (t, token) in tokens.iter().enumerate() {
            let pairs = blindscope_ckks::join_pairs(token);
            for r in 0..self.replicas {
                for (c, z) in pairs.iter().enumerate() {
                    slots[self.place(r, c, 0).0 * self.tokens + t] = *z;
                }
            }
        }
        slots
    }

    /// A value a position, the same for every token.
    pub(crate) fn spread(&self, f: impl Fn(usize) -> Complex64) -> Vec<Complex64> {
        (0..self.slots).map(|s| f(s / self.tokens)).collect()
    }

    /// Strides that fold all positions onto `period`, and the step of the diagonals.
    pub(crate) fn first_rotations(&self) -> Vec<i64> {
        let step = (self.steps > 1).then_some(-(self.tokens as i64));
        step.into_iter().chain(self.folds(self.period, self.positions())).collect()
    }

    /// Strides that fold `period` onto the classes, and the step of the diagonals.
    pub(crate) fn outer_rotations(&self) -> Vec<i64> {
        if self.outer == Outer::Extracted {
            return Vec::new();
        }
        let step = (self.folded() > 1).then_some(-(self.tokens as i64));
        step.into_iter().chain(self.folds(self.folded(), self.period)).collect()
    }

    /// Strides `from, 2·from, … , to/2`, in slots.
    pub(crate) fn folds(&self, from: usize, to: usize) -> impl Iterator<Item = i64> + use<> {
        let tokens = self.tokens;
        (from.trailing_zeros()..to.trailing_zeros()).map(move |k| (tokens << k) as i64)
    }
}
