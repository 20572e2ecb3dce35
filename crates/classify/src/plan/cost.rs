//! What an answer takes: counts of operations, times what they cost on a machine.
//!
//! Costs are a table a path of arithmetic, measured once on a reference machine. For another machine the whole table is scaled
//! by how much faster or slower its transforms are; whoever asks has timed them.

use serde::Serialize;

use super::{Plan, Rescale};
use crate::layout::{Layout, Outer};
use blindscope_ckks::Arithmetic;

/// What operations cost on a machine, one thread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machine {
    /// The path of arithmetic: `portable`, `doubles` or `ifma`.
    pub path: &'static str,
    /// Whether transforms were timed on the machine at hand; otherwise the costs are the reference machine's.
    pub calibrated: bool,
    /// Microseconds of one transform of degree 8192.
    pub transform_us: f64,
    /// By how much an evaluation exceeds its transforms.
    pub overhead: f64,
    /// Multiply–accumulates a microsecond.
    pub products_per_us: f64,
    /// Microseconds to read one residue of a question: its bits, its check, the seed's half.
    pub residue_us: f64,
}

impl Machine {
    /// The machine of `docs/benchmarks.md` on a path.
    pub fn reference(path: Arithmetic) -> Self {
        let (transform_us, overhead, products_per_us, residue_us) = match path {
            Arithmetic::Ifma => (8.5, 2.4, 7300.0, 0.006),
            Arithmetic::Doubles => (14.5, 2.1, 4200.0, 0.006),
            _ => (68.0, 1.6, 700.0, 0.006),
        };
        let path = path.name();
        Self { path, calibrated: false, transform_us, overhead, products_per_us, residue_us }
    }

    /// A machine on which one transform of degree `n` takes so many microseconds on a path, everything else in proportion.
    pub fn measured(path: Arithmetic, n: usize, transform_us: f64) -> Self {
        let reference = Self::reference(path);
        let transform_us = transform_us / relative(n);
        let slower = transform_us / reference.transform_us;
        Self {
            calibrated: true,
            transform_us,
            products_per_us: reference.products_per_us / slower,
            residue_us: reference.residue_us * slower,
            ..reference
        }
    }
}

impl Plan {
    /// The path that the plan's primes run on here.
    pub fn arithmetic(&self) -> Arithmetic {
        self.params.q().prime(0).arithmetic()
    }

    /// Rotations for one ciphertext of tokens, or conjugations for one group.
    pub(super) fn rotations(&self) -> usize {
        let Some(l) = self.token_layout() else { return self.literal.units };
        first_rotations(l) + l.babies - 1 + self.outer_rotations(l)
    }

    fn outer_rotations(&self, l: &Layout) -> usize {
        if self.literal.degree == 1 || l.outer == Outer::Extracted {
            return 0;
        }
        l.folded() - 1 + log2(l.period / l.folded())
    }

    /// Microseconds of an answer to a whole batch.
    pub(super) fn predicted_us(&self, machine: &Machine) -> f64 {
        let (n, top) = (self.params.n() as f64, self.params.top_level().0);
        let transform = machine.transform_us * relative(self.params.n()) * machine.overhead;
        let read = (top + 1) as f64 * n * machine.residue_us;
        if let Some(l) = self.token_layout() {
            let each = read + self.token_transforms(l) as f64 * transform;
            return each * self.pieces(self.literal.batch) as f64;
        }
        let (units, limbs) = (self.literal.units, top + 1);
        let columns = self.literal.normalisation.mean.len().div_ceil(2);
        let products = (units * columns * 2 * limbs) as f64 * n / machine.products_per_us;
        let rotated = self.rotated_level().limbs();
        let each = rescale(limbs) + switch(rotated);
        let squares = if self.literal.degree == 4 { units * switch(top) } else { 0 };
        let outer = self.literal.classes.div_ceil(2) * (switch(top) + rescale(top) + 2);
        let group = columns as f64 * read + products + (units * each + squares + outer) as f64 * transform;
        group * self.literal.batch.div_ceil(self.params.slots()) as f64
    }

    /// Transforms for one ciphertext of tokens.
    fn token_transforms(&self, l: &Layout) -> usize {
        let (first, rotated) = (self.first_level().limbs(), self.rotated_level().limbs());
        let top = self.params.top_level().limbs();
        let early = self.literal.chain.rescale == Rescale::Early;
        let dropped = |from: usize, to: usize| (to + 1..=from).map(rescale).sum::<usize>();
        let rescaled = if early { l.steps } else { 1 } * dropped(top, first);
        let inner = rescaled + chain(first_rotations(l), rotated) + hoisted(l, rotated);
        let small = if self.switches_ring() { 7 } else { 0 };
        if self.literal.degree == 1 {
            return inner + 2 + small;
        }
        let squares = self.literal.degree as usize / 2 * switch(first);
        let outer = self.outer_level().limbs();
        let parts = if l.outer == Outer::Extracted { 1 } else { l.folded() };
        let (lowered, level) = if early { (parts, 1) } else { (1, outer) };
        let folds = match self.outer_rotations(l) {
            0 => 0,
            links => chain(links, level),
        };
        inner + squares + lowered * dropped(outer, 1) + folds + 2 + small
    }
}

/// A transform of degree `n`, over one of degree 8192.
fn relative(n: usize) -> f64 {
    n as f64 * (n as f64).log2() / (8192.0 * 13.0)
}

/// Transforms of a key switch by itself, with one special prime.
fn switch(limbs: usize) -> usize {
    limbs * limbs + 3 * limbs + 2
}

/// Transforms of a chain that divides late.
fn chain(links: usize, limbs: usize) -> usize {
    links * (limbs * limbs + 2 * limbs + 1) + limbs + 1
}

/// Back to coefficients once, forward modulo each prime that stays; two components.
fn rescale(limbs: usize) -> usize {
    2 * limbs
}

/// Links of the first layer's chain: sums of products, folds and the conjugation.
fn first_rotations(l: &Layout) -> usize {
    l.steps / l.babies - 1 + log2(l.positions() / l.period) + 1
}

/// Digits of a question that is rotated before it is multiplied, made once; each sum of products is divided.
fn hoisted(l: &Layout, limbs: usize) -> usize {
    if l.babies == 1 { 0 } else { limbs * (limbs + 1) + l.steps / l.babies * (limbs + 1) }
}

fn log2(x: usize) -> usize {
    x.trailing_zeros() as usize
}
