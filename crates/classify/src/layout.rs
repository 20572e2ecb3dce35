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
/// Fewer replicas than slots hold make shorter questions: see [`Comb`].
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
    /// Copies of a token in a question.
    pub replicas: usize,
    /// Where its columns stand among a question's coefficients.
    combs: [Option<Comb>; 2],
    /// Products of the first layer: `replicas·steps = period`.
    pub steps: usize,
    /// Rotations of the question itself, so that sums of that many products are rotated at once: one, itself, where it is whole.
    pub babies: usize,
    /// How the outer layer sums.
    pub outer: Outer,
}

/// Some of a token's columns, and the coefficients of a question that hold them: from `shift` on, every `stride`-th.
///
/// Slots that repeat `stride` times are those of a polynomial in `X^stride`: one coefficient in `stride` is message, and no
/// other has to travel. What a server puts in their place is noise of the size of the modulus, outside of `Z[X^stride]`; the
/// sums over repeated slots at the end of the first layer are traces onto that subring, and take it away.
///
/// Columns that are no power of two stand in two combs, the second one shifted by one coefficient: multiplied by `X^-1` it is in
/// a subring of its own, and the first is not. Their products are added up, and then they are one.
///
/// Reference: Chen, Dai, Kim, Song, "Efficient homomorphic conversion between (ring) LWE ciphertexts", 2020 (traces).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comb {
    /// The first column.
    pub column: usize,
    /// Columns, padded to a power of two.
    pub columns: usize,
    /// The first coefficient: 0 or 1.
    pub shift: usize,
    /// From one coefficient to the next, a power of two; the message's slots repeat as often.
    pub stride: usize,
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
    /// Most copies of a token; none for as many as there is room for.
    pub(crate) replicas: Option<usize>,
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
        // A block holds all columns and a multiple of the period: positions that are congruent then belong to one unit.
        let room = (slots / tokens / least).min(period);
        let (replicas, columns_of) = match d.replicas {
            None => (room, vec![(0, slots / tokens / room)]),
            Some(most) => (most.clamp(1, room), split(columns, period)),
        };
        let mut combs = [None; 2];
        for (shift, (place, (column, columns))) in combs.iter_mut().zip(columns_of).enumerate() {
            let stride = slots / (tokens * replicas * columns);
            *place = Some(Comb { column, columns, shift, stride });
        }
        let steps = period / replicas;
        let babies = if d.replicas.is_some() { 1 << (steps.ilog2() / 2) } else { 1 };
        Ok(Self { slots, width, columns, tokens, period, classes, replicas, combs, steps, babies, outer })
    }

    /// Where a token's columns stand.
    pub fn combs(&self) -> impl Iterator<Item = Comb> + Clone + use<> {
        self.combs.into_iter().flatten()
    }

    /// Whether every coefficient of a question travels.
    pub fn is_whole(&self) -> bool {
        self.question_coefficients() == 2 * self.slots
    }

    /// Coefficients of a question's ciphertext that travel.
    pub fn question_coefficients(&self) -> usize {
        self.combs().map(|c| 2 * self.slots / c.stride).sum()
    }

    /// Places of those coefficients, one comb after the other.
    pub(crate) fn question_places(&self) -> Vec<usize> {
        let n = 2 * self.slots;
        self.combs().flat_map(|c| (c.shift..n).step_by(c.stride)).collect()
    }

    /// Cyclic length of one token's positions.
    pub fn positions(&self) -> usize {
        self.slots / self.tokens
    }

    /// Logits, padded to a power of two.
    pub fn folded(&self) -> usize {
        self.classes.next_power_of_two()
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

    /// `(position, unit)` of column `c` of a comb in its block `r` at step `g`.
    pub(crate) fn place(&self, comb: &Comb, r: usize, c: usize, g: usize) -> (usize, usize) {
        let block = comb.columns;
        (r * block + (c + r * self.steps) % block, (c + r * self.steps + g) % self.period)
    }

    /// Slots of a comb's columns of up to `tokens` normalised tokens.
    pub(crate) fn pack(&self, comb: &Comb, tokens: &[Vec<f64>]) -> Vec<Complex64> {
        let mut slots = vec![Complex64::default(); self.slots / comb.stride];
        for (t, token) in tokens.iter().enumerate() {
            let pairs = blindscope_ckks::join_pairs(token);
            for r in 0..self.replicas {
                for (c, z) in pairs.iter().skip(comb.column).take(comb.columns).enumerate() {
                    slots[self.place(comb, r, c, 0).0 * self.tokens + t] = *z;
                }
            }
        }
        slots.repeat(comb.stride)
    }

    /// Slots of a comb's weights in step `g`, `weights` a unit, the same for every token.
    pub(crate) fn pack_step(&self, comb: &Comb, weights: &[Vec<Complex64>], g: usize) -> Vec<Complex64> {
        let mut positions = vec![Complex64::default(); self.replicas * comb.columns];
        for r in 0..self.replicas {
            for c in 0..comb.columns.min(self.columns - comb.column) {
                let (p, unit) = self.place(comb, r, c, g);
                if let Some(row) = weights.get(unit) {
                    positions[p] = row[comb.column + c];
                }
            }
        }
        self.spread(|p| positions[p % positions.len()])
    }

    /// A value a position, the same for every token.
    pub(crate) fn spread(&self, f: impl Fn(usize) -> Complex64) -> Vec<Complex64> {
        (0..self.slots).map(|s| f(s / self.tokens)).collect()
    }

    /// Strides that fold all positions onto `period`, and the steps of the diagonals.
    pub(crate) fn first_rotations(&self) -> Vec<i64> {
        let giant = (self.steps > self.babies).then_some(self.giant());
        let folds = self.folds(self.period, self.positions());
        (1..self.babies).map(|j| self.baby(j)).chain(giant).chain(folds).collect()
    }

    /// The rotation of the question that products of steps congruent to `j` modulo `babies` take.
    pub(crate) fn baby(&self, j: usize) -> i64 {
        -((j * self.tokens) as i64)
    }

    /// The rotation from one sum of `babies` products to the next.
    pub(crate) fn giant(&self) -> i64 {
        self.baby(self.babies)
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

/// `(first column, columns)` of each comb: powers of two of at least `least`, as few columns as two combs can have in all.
fn split(columns: usize, least: usize) -> Vec<(usize, usize)> {
    let whole = columns.next_power_of_two().max(least);
    let half = whole / 2;
    let rest = columns.saturating_sub(half).next_power_of_two().max(least);
    if half >= least && rest < half { vec![(0, half), (half, rest)] } else { vec![(0, whole)] }
}
