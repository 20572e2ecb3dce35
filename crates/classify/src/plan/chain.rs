//! Moduli and scales: what the planner chooses and a published plan names.

use serde::{Deserialize, Serialize};

use super::literal::within;
use super::{KeyOwner, Packing, PlanLiteral};
use crate::{Error, Result};
use blindscope_ckks::{Arithmetic, ModulusLiteral, Parameters, ParametersLiteral, Security};

/// Rings that plans use, as `log2 N`.
pub(super) const RINGS: std::ops::RangeInclusive<u32> = 12..=15;
/// Widest prime: the fast transforms run up to this width.
pub(super) const WIDEST: u32 = 46;
/// Widest prime where a committee re-encrypts.
const WIDEST_OF_ALL: u32 = 61;
/// Most ciphertext primes of a plan.
pub(super) const MOST_PRIMES: usize = 6;
/// Bits of a digit of the ring-switching key, the shortest key first; at last, answers that are not switched.
pub(super) const ANSWER_DIGITS: [Option<u32>; 4] = [Some(8), Some(4), Some(2), None];
/// Most copies of a token in a question.
const MOST_REPLICAS: usize = 1 << 14;
/// `log2` of the scales of fresh ciphertexts and of units.
pub(super) const FRESH: std::ops::RangeInclusive<i16> = 12..=40;
/// The same where a committee re-encrypts.
pub(super) const WIDE_FRESH: std::ops::RangeInclusive<i16> = 40..=72;
/// Largest `log2` of the parameters' default scale, which plans do not use: theirs depends on the head.
const DEFAULT_LOG2: u32 = 30;

/// When the first layer's products are divided by the top prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rescale {
    /// Each before it is rotated: cheap rotations and narrow keys, whose errors weigh against the fresh scale.
    Early,
    /// Once, after all rotations: their errors are divided away with it, keys reach up to the top level.
    Late,
}

/// Moduli and scales of a plan. Widths name primes: each is the largest of its width that is 1 modulo `2N` and not
/// taken yet, ciphertext primes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// `log2 N`
    pub log_n: u32,
    /// Widths of the ciphertext primes, in bits: the last one left, then one a level. The top prime is the scale of the
    /// first layer's weights.
    pub moduli: Vec<u32>,
    /// Width of the special prime, in bits.
    pub special: u32,
    /// When the first layer's products are divided by the top prime.
    pub rescale: Rescale,
    /// `log2` of the scale of fresh ciphertexts.
    pub fresh_log2: i16,
    /// `log2` of the scale of the first layer's units, once they are divided by the top prime.
    pub unit_log2: i16,
    /// Most copies of a token in a question of the token packing, of which only the coefficients that hold them travel; none
    /// where all do.
    pub replicas: Option<usize>,
    /// `log2` of the scale of an answer before it is compacted.
    pub answer_log2: i16,
    /// Bits of a digit of the key that switches answers to a smaller ring: narrower ones make less noise and longer keys. None
    /// where answers stay in the ring of the questions.
    pub answer_digit: Option<u32>,
}

/// Most primes that the outer layer's products lose.
const MOST_OUTER: usize = 2;

/// Ciphertext primes that a plan's circuit takes if the outer layer's products lose `outer` of them.
pub(super) fn primes(plan: &PlanLiteral, outer: usize) -> usize {
    let squares = usize::from(plan.rescales_square());
    let outer = if plan.degree == 1 { 0 } else { outer };
    1 + plan.first_primes() + outer + squares
}

/// How many primes the outer layer's products lose in a chain of so many; zero where there is no outer layer.
pub(super) fn outer(plan: &PlanLiteral, primes: usize) -> usize {
    primes.saturating_sub(self::primes(plan, 0))
}

/// Counts of primes that the outer layer's products may lose: one, two where weights and units together need more than the widest.
pub(super) fn outers(plan: &PlanLiteral) -> std::ops::RangeInclusive<usize> {
    let least = if plan.is_wide() { MOST_OUTER } else { 1 };
    least..=if plan.degree == 1 { least } else { MOST_OUTER }
}

/// Ring, ciphertext primes and special prime of answers that a committee re-encrypts. Its masks lie some forty bits
/// above an answer's noise: wide primes keep the noise that far down, and each layer's weights take two narrow ones
/// together as their scale.
pub(super) fn wide(degree: u32) -> (u32, &'static [u32], u32) {
    match degree {
        1 => (14, &[60, 35, 35], WIDEST_OF_ALL),
        2 => (14, &[60, 34, 34, 58, 36, 36], WIDEST_OF_ALL),
        _ => (15, &[60, 60, 60, 60, 35, 35], WIDEST_OF_ALL),
    }
}

/// Narrowest prime of a plan: below it there are too few that are 1 modulo `2N`.
pub(super) fn narrowest(log_n: u32) -> u32 {
    log_n + 7
}

impl Chain {
    /// What stands in a literal before the search.
    pub(super) fn unchosen() -> Self {
        let (log_n, special, rescale) = (*RINGS.start(), WIDEST, Rescale::Early);
        let (fresh_log2, unit_log2) = (*FRESH.start(), *FRESH.start());
        let (moduli, replicas, answer_log2, answer_digit) = (Vec::new(), None, 8, ANSWER_DIGITS[0]);
        Self { log_n, moduli, special, rescale, fresh_log2, unit_log2, replicas, answer_log2, answer_digit }
    }

    /// Whether a plan's questions may leave coefficients out: what stands in their place would go through products with
    /// encrypted weights, and through a rescaling before the traces that take it away.
    pub(super) fn may_leave_out(plan: &PlanLiteral, rescale: Rescale) -> bool {
        let clear = plan.key == KeyOwner::Asker && !plan.encrypted_head;
        clear && plan.packing == Packing::Token && rescale == Rescale::Late
    }

    /// Bits of the ciphertext primes.
    pub(super) fn log_q(&self) -> u32 {
        self.moduli.iter().sum()
    }

    pub(super) fn check(&self, plan: &PlanLiteral) -> Result<()> {
        let (least, most) = (*RINGS.start() as usize, *RINGS.end() as usize);
        within("plan.chain.log_n", self.log_n as usize, least, most)?;
        let (least, most) = (primes(plan, *outers(plan).start()), primes(plan, *outers(plan).end()));
        within("plan.chain.moduli", self.moduli.len(), least, most)?;
        let (widest, fresh, answer) =
            if plan.is_wide() { (WIDEST_OF_ALL, WIDE_FRESH, 56) } else { (WIDEST, FRESH, 45) };
        let width = |bits: &u32| {
            within("plan.chain bits", *bits as usize, narrowest(self.log_n) as usize, widest as usize)
        };
        self.moduli.iter().chain([&self.special]).try_for_each(width)?;
        let positive = |x: i16| x.max(0) as usize;
        let (least, most) = (positive(*fresh.start()), positive(*fresh.end()));
        within("plan.chain.fresh_log2", positive(self.fresh_log2), least, most)?;
        within("plan.chain.unit_log2", positive(self.unit_log2), least, most)?;
        if let Some(replicas) = self.replicas {
            // None in plans whose questions are whole.
            let most = if Self::may_leave_out(plan, self.rescale) { MOST_REPLICAS } else { 0 };
            within("plan.chain.replicas", replicas, 1, most)?;
            if !replicas.is_power_of_two() {
                let (field, expected) = ("plan.chain.replicas", "a power of two".to_owned());
                return Err(Error::Length { field, found: replicas, expected });
            }
        }
        if let Some(bits) = self.answer_digit {
            within("plan.chain.answer_digit", bits as usize, 2, 8)?;
        }
        within("plan.chain.answer_log2", positive(self.answer_log2), 8, answer)
    }

    /// The scheme's parameters; refused above the row of the security table that the plan names.
    pub(super) fn parameters(&self, plan: &PlanLiteral, ceiling: Arithmetic) -> Result<Parameters> {
        let first = self.moduli.first().copied().unwrap_or(0);
        let literal = ParametersLiteral {
            log_n: self.log_n,
            ciphertext: ModulusLiteral::bits(&self.moduli),
            special: ModulusLiteral::bits(&[self.special]),
            log2_scale: DEFAULT_LOG2.min(first.saturating_sub(2)),
            security: row(plan.quantum),
        };
        Ok(Parameters::on(ceiling, literal)?)
    }
}

/// The row that a plan has to meet.
pub(super) fn row(quantum: bool) -> Security {
    if quantum { Security::Quantum128 } else { Security::Classical128 }
}
