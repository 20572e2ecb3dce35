use crate::{ClassifyError, Result};
use blindscope_ckks::Complex64;

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
    /// Units of the first layer, padded to a power of two at least `classes`.
    pub period: usize,
    /// Logits, padded to a power of two.
    pub classes: usize,
    /// Copies of a token.
    pub replicas: usize,
    /// Products of the first layer: `replicas·steps = period`.
    pub steps: usize,
}

impl Layout {
    /// The layout for a batch.
    ///
    /// # Errors
    /// [`ClassifyError::NoPlan`] for a token or a hidden layer that fills no ciphertext.
    pub fn new(slots: usize, width: usize, units: usize, classes: usize, batch: usize) -> Result<Self> {
        let columns = width.div_ceil(2);
        let classes = classes.next_power_of_two();
        let period = units.next_power_of_two().max(classes);
        let least = columns.next_power_of_two().max(period);
        if least > slots {
            let hint = "reduce the width or the hidden layer";
            return Err(ClassifyError::NoPlan { what: "a token's slots", needed: least, most: slots, hint });
        }
        let tokens = batch.max(1).next_power_of_two().min(slots / least);
        let replicas = (slots / tokens / columns.next_power_of_two()).min(period);
        Ok(Self { slots, width, columns, tokens, period, classes, replicas, steps: period / replicas })
    }

    /// Cyclic length of one token's positions.
    pub fn positions(&self) -> usize {
        self.slots / self.tokens
    }

    fn block(&self) -> usize {
        self.positions() / self.replicas
    }

    /// Coefficients of an answer that are not zero by construction: its slots repeat after `classes·tokens`.
    pub fn answer_coefficients(&self) -> usize {
        2 * self.classes * self.tokens
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

    /// Strides that fold `period` onto `classes`, and the step of the diagonals.
    pub(crate) fn outer_rotations(&self) -> Vec<i64> {
        let step = (self.classes > 1).then_some(-(self.tokens as i64));
        step.into_iter().chain(self.folds(self.classes, self.period)).collect()
    }

    /// Strides `from, 2·from, … , to/2`, in slots.
    pub(crate) fn folds(&self, from: usize, to: usize) -> impl Iterator<Item = i64> + use<> {
        let tokens = self.tokens;
        (from.trailing_zeros()..to.trailing_zeros()).map(move |k| (tokens << k) as i64)
    }
}
