//! A plan in figures, for people and programs.

use serde::Serialize;

use super::{Packing, Plan, Rescale};
use crate::layout::{Layout, Outer};

/// Microseconds of one transform of degree 8192 on the machine of `docs/benchmarks.md`.
const TRANSFORM_US: f64 = 9.0;
/// By how much an evaluation exceeds its transforms there.
const OVERHEAD: f64 = 2.0;
/// Multiply–accumulates a microsecond there.
const PRODUCTS_PER_US: f64 = 6_000.0;
/// Microseconds to read one residue of a question: its bits, its check, the seed's half.
const RESIDUE_US: f64 = 0.006;

/// The figures of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// The plan's digest.
    pub plan: String,
    /// How tokens stand in slots.
    pub packing: Packing,
    /// `log2 N`
    pub log_n: u32,
    /// Bits of the ciphertext primes.
    pub moduli: Vec<u32>,
    /// Bits of the special prime.
    pub special: u32,
    /// Bits of `QP`, and how many the security table allows.
    pub log_qp: [u32; 2],
    /// When the first layer's products are divided: before or after rotations.
    pub rescale: Rescale,
    /// `quantum-128` or `classical-128`.
    pub security: &'static str,
    /// Products one after the other.
    pub depth: usize,
    /// Levels a fresh ciphertext has.
    pub levels: usize,
    /// Most tokens of a question.
    pub batch: usize,
    /// Tokens to a ciphertext, or to a group of ciphertexts.
    pub tokens: usize,
    /// Rotations and conjugations run for one ciphertext or group.
    pub rotations: usize,
    /// Steps of the rotation keys.
    pub rotation_keys: Vec<i64>,
    /// All keys: rotations, conjugation, relinearisation, ring switch.
    pub keys: usize,
    /// Bytes of those keys, seeded.
    pub key_bytes: usize,
    /// Bytes of a question of `batch` tokens.
    pub upload_bytes: usize,
    /// Bytes of the answer to `batch` tokens, compacted.
    pub answer_bytes: usize,
    /// The server's time for `batch` tokens, one thread, from counts of operations and the times of
    /// `docs/benchmarks.md`.
    pub predicted_ms: f64,
    /// What no logit's error exceeds, up to a chance of `10^-11` a logit.
    pub error_bound: f64,
    /// Standard deviation of a logit's error for features of unit size.
    pub error_std: f64,
}

impl PlanReport {
    /// Whether the first layer's products are rescaled after rotations.
    pub fn late(&self) -> bool {
        self.rescale == Rescale::Late
    }
}

impl Plan {
    /// The plan in figures.
    pub fn report(&self) -> PlanReport {
        let batch = self.literal.batch;
        let relin = usize::from(self.relin_level().is_some());
        let rotation_keys: Vec<i64> = self.rotation_keys().iter().map(|k| k.0).collect();
        let special = self.params.special().map_or(0, |s| s.prime(0).modulus().bits());
        PlanReport {
            plan: self.id.to_string(),
            packing: self.literal.packing,
            log_n: self.params.log_n(),
            moduli: self.params.q().primes().iter().map(|p| p.modulus().bits()).collect(),
            special,
            log_qp: self.log_qp(),
            rescale: self.literal.chain.rescale,
            security: self.params.literal().security.name(),
            depth: if self.literal.degree == 1 { 1 } else { 2 + self.literal.degree.ilog2() as usize },
            levels: self.params.top_level().0,
            batch,
            tokens: self.token_layout().map_or(self.params.slots(), |l| l.tokens),
            rotations: self.rotations(),
            keys: rotation_keys.len() + 1 + relin + usize::from(self.switches_ring()),
            rotation_keys,
            key_bytes: self.keys_len(),
            upload_bytes: self.upload_len(batch),
            answer_bytes: self.answer_len(batch),
            predicted_ms: self.predicted_us() / 1e3,
            error_bound: self.literal.error_bound,
            error_std: self.literal.error_std,
        }
    }

    fn log_qp(&self) -> [u32; 2] {
        let chain = &self.literal.chain;
        let most = super::chain::row(self.literal.quantum).max_log_qp(chain.log_n);
        [chain.log_q() + chain.special, most.unwrap_or(0)]
    }

    /// Rotations for one ciphertext of tokens, or conjugations for one group.
    fn rotations(&self) -> usize {
        let Some(l) = self.token_layout() else { return self.literal.units };
        first_rotations(l) + self.outer_rotations(l)
    }

    fn outer_rotations(&self, l: &Layout) -> usize {
        if self.literal.degree == 1 || l.outer == Outer::Extracted {
            return 0;
        }
        l.folded() - 1 + log2(l.period / l.folded())
    }

    fn predicted_us(&self) -> f64 {
        let (n, top) = (self.params.n() as f64, self.params.top_level().0);
        let transform = TRANSFORM_US * n * n.log2() / (8192.0 * 13.0) * OVERHEAD;
        let switch = |limbs: usize| (limbs * limbs + 3 * limbs + 2) as f64 * transform;
        // Back to coefficients once, forward modulo each prime that stays; two components.
        let rescale = |limbs: usize| 2.0 * limbs as f64 * transform;
        let read = (top + 1) as f64 * n * RESIDUE_US;
        let squares =
            if self.literal.degree > 1 { switch(top) * f64::from(self.literal.degree / 2) } else { 0.0 };
        if let Some(l) = self.token_layout() {
            let (rotations, outer) = (first_rotations(l) as f64, self.outer_rotations(l) as f64);
            let (first, outer) = match self.literal.chain.rescale {
                Rescale::Early => (
                    l.steps as f64 * rescale(top + 1) + rotations * switch(top),
                    outer * switch(1) + 4.0 * rescale(2),
                ),
                Rescale::Late => {
                    (rescale(top + 1) + rotations * switch(top + 1), outer * switch(2) + rescale(2))
                }
            };
            let each = read + first + squares + outer;
            return each * self.pieces(self.literal.batch) as f64;
        }
        let units = self.literal.units as f64;
        let columns = self.literal.normalisation.mean.len().div_ceil(2) as f64;
        let products = units * columns * 2.0 * (top + 1) as f64 * n / PRODUCTS_PER_US;
        let conjugated = top + usize::from(self.literal.chain.rescale == Rescale::Late);
        let divided = units * (rescale(top + 1) + switch(conjugated));
        let group = columns * read + products + divided + squares;
        group * self.literal.batch.div_ceil(self.params.slots()) as f64
    }
}

/// Steps, folds and the conjugation of the first layer.
fn first_rotations(l: &Layout) -> usize {
    l.steps - 1 + log2(l.positions() / l.period) + 1
}

fn log2(x: usize) -> usize {
    x.trailing_zeros() as usize
}
