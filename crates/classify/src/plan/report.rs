//! A plan in figures, for people and programs.

use serde::Serialize;

use super::{Machine, Packing, Plan, Rescale};

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
    /// Steps of the rotations that have a Galois key.
    pub rotation_keys: Vec<i64>,
    /// All keys: rotations, conjugation, relinearisation, ring switch, encryptions of zero.
    pub keys: usize,
    /// Bytes of those keys, seeded.
    pub key_bytes: usize,
    /// Bytes of a question of `batch` tokens.
    pub upload_bytes: usize,
    /// Bytes of the answer to `batch` tokens, compacted.
    pub answer_bytes: usize,
    /// The server's time for `batch` tokens, one thread, from counts of operations and the costs of [`Self::machine`].
    pub predicted_ms: f64,
    /// Which machine's costs the time was predicted from.
    pub machine: Machine,
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
    /// The plan in figures, its time as the reference machine has it on the path that the plan's primes run on.
    pub fn report(&self) -> PlanReport {
        self.report_on(Machine::reference(self.arithmetic()))
    }

    /// The plan in figures, its time as a machine has it: the one at hand, say, by [`Machine::measured`].
    pub fn report_on(&self, machine: Machine) -> PlanReport {
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
            keys: rotation_keys.len()
                + 1
                + relin
                + usize::from(self.switches_ring())
                + usize::from(self.has_zero_key()),
            rotation_keys,
            key_bytes: self.keys_len(),
            upload_bytes: self.upload_len(batch),
            answer_bytes: self.answer_len(batch),
            predicted_ms: self.predicted_us(&machine) / 1e3,
            machine,
            error_bound: self.literal.error_bound,
            error_std: self.literal.error_std,
        }
    }

    fn log_qp(&self) -> [u32; 2] {
        let chain = &self.literal.chain;
        let most = super::chain::row(self.literal.quantum).max_log_qp(chain.log_n);
        [chain.log_q() + chain.special, most.unwrap_or(0)]
    }
}
