//! The error of a logit, as a standard deviation.
//!
//! Every term below is a sum of thousands of independent small errors (encryption errors, roundings, key-switching
//! errors), so it is close to Gaussian; terms are independent of each other because each uses randomness of its own.
//! The variance of a rounding counts the secret's coefficients as independent and ternary. A bound of [`TAIL`]
//! deviations is then exceeded with probability below `3·10^-12` a logit. What is *not* statistical: sizes of units and
//! logits come from [`Magnitudes`], which are worst cases when a bound is asked for.

use super::magnitude::Magnitudes;
use crate::token::{Layout, Outer};
use crate::{Plan, PlanLiteral};
use blindscope_ckks::{Parameters, ring_switch};

/// Standard deviations that the stated bound allows.
pub(super) const TAIL: f64 = 7.0;
/// Standard deviation of the scheme's error distribution.
const SIGMA: f64 = 3.24;

/// Standard deviations: of coefficients where nothing else is said, of real parts of slots where "slot" is.
pub(super) struct Noise<'p> {
    plan: &'p PlanLiteral,
    params: &'p Parameters,
    n: f64,
    fresh: f64,
    /// Rounding after a division.
    rounding: f64,
    /// One key switch.
    switch: f64,
    /// Scale of fresh ciphertexts.
    delta: f64,
}

/// `sqrt((1 + 2n/3)/12)`
fn rounding(n: f64) -> f64 {
    ((1.0 + 2.0 * n / 3.0) / 12.0).sqrt()
}

impl<'p> Noise<'p> {
    pub(super) fn new(plan: &'p PlanLiteral, params: &'p Parameters) -> Self {
        let n = params.n() as f64;
        let special = params.special().map_or(1.0, |s| s.prime(0).value() as f64);
        let digits = params.q().primes().iter().map(|q| (q.value() as f64 / special).powi(2)).sum::<f64>();
        // Under a public key: e_0 + e_1·s + e·u; under the secret key e alone.
        let public = plan.key == crate::KeyOwner::Collective;
        let fresh = SIGMA * if public { (4.0 * n / 3.0 + 1.0).sqrt() } else { 1.0 };
        let switch = (digits * n / 12.0 * SIGMA * SIGMA).sqrt().hypot(rounding(n));
        let delta = f64::from(plan.fresh_log2).exp2();
        Self { plan, params, n, fresh, rounding: rounding(n), switch, delta }
    }

    fn slot(&self, coefficient: f64) -> f64 {
        coefficient * (self.n / 2.0).sqrt()
    }

    /// Scale of the answer.
    fn answer(&self) -> f64 {
        f64::from(self.plan.answer_log2).exp2()
    }

    /// Scale of the first layer's weights.
    fn weight(&self) -> f64 {
        let top = self.params.top_level().0;
        (top + 1 - self.plan.first_primes()..=top).map(|i| self.params.q().prime(i).value() as f64).product()
    }

    /// `log2` of the scale of the highest power.
    fn power_log2(&self) -> f64 {
        let delta = self.delta.log2();
        if self.plan.degree == 1 {
            return delta;
        }
        let square = if self.plan.rescales_square() {
            2.0 * delta - self.prime_log2(self.plan.outer_primes() + 1)
        } else {
            2.0 * delta
        };
        if self.plan.degree == 4 { 2.0 * square } else { square }
    }

    /// Scale of the outer layer's weights.
    fn outer_weight(&self) -> f64 {
        let lost: f64 = (1..=self.plan.outer_primes()).map(|i| self.prime_log2(i)).sum();
        (f64::from(self.plan.answer_log2) + lost - self.power_log2()).exp2()
    }

    fn prime_log2(&self, index: usize) -> f64 {
        (self.params.q().prime(index).value() as f64).log2()
    }

    /// Standard deviation of a logit's error before the answer's last bits are dropped.
    pub(super) fn logit(&self, plan: &Plan, m: &Magnitudes) -> f64 {
        let (unit, outer) = match plan.token_layout() {
            Some(l) => (self.token_unit(l, m), self.token_outer(l, m)),
            None => (self.feature_unit(m), self.feature_outer(m)),
        };
        (unit * m.gain).hypot(outer).hypot(self.small_ring(plan))
    }

    /// Weights' own encryption noise in an encrypted first layer, in slots of a unit.
    fn encrypted_weights(&self, terms: f64, m: &Magnitudes) -> f64 {
        if !self.plan.encrypted_head {
            return 0.0;
        }
        let fresh = SIGMA * (4.0 * self.n / 3.0 + 1.0).sqrt();
        terms.sqrt() * m.feature * self.slot(fresh) / self.weight()
    }

    fn token_unit(&self, l: &Layout, m: &Magnitudes) -> f64 {
        let copies = l.positions() / l.period;
        let products = self.slot(self.fresh) / self.delta * m.first_norm;
        let terms = (l.steps * l.replicas * l.columns * 2) as f64;
        let encoding = terms.sqrt() * m.feature * self.slot(1.0 / 12f64.sqrt()) / self.weight();
        let rescaled = self.slot(self.rounding) / self.delta * ((l.steps * copies) as f64).sqrt();
        let rotated = self.slot(self.switch) / self.delta * ((l.steps * copies + 1) as f64).sqrt();
        let encrypted = self.encrypted_weights((copies * l.steps) as f64 * 2.0, m);
        // The real part is z + conj z.
        2.0 * products.hypot(encoding).hypot(rescaled).hypot(rotated).hypot(encrypted)
    }

    fn token_outer(&self, l: &Layout, m: &Magnitudes) -> f64 {
        if self.plan.degree == 1 {
            return 0.0;
        }
        let (period, tokens) = (l.period as f64, l.tokens as f64);
        let (weight, power) = (self.outer_weight(), self.power_log2().exp2());
        if l.outer == Outer::Extracted {
            // Single coefficients: a product with a polynomial of norm w has deviation w times the other's.
            let coefficients = (2.0 * tokens).sqrt();
            let encoding = m.power / 12f64.sqrt() / weight;
            let squared = self.switch * period.sqrt() * m.outer_norm / power;
            return coefficients * encoding.hypot(squared).hypot(self.rounding / self.answer());
        }
        let encoding = (period * tokens / 12.0).sqrt() * m.power * period.sqrt() / weight;
        let squared = self.slot(self.switch) / power * period.sqrt() * m.outer_norm.max(1.0);
        let summed = self.slot(self.switch) / self.answer() * (2.0 * period).sqrt();
        encoding.hypot(squared).hypot(summed)
    }

    fn feature_unit(&self, m: &Magnitudes) -> f64 {
        let products = self.slot(self.fresh) / self.delta * m.first_norm;
        let encoding = (self.plan.normalisation.mean.len() as f64 / 12.0).sqrt() * m.feature / self.weight();
        let divided = self.slot(self.rounding).hypot(self.slot(self.switch)) / self.delta;
        2.0 * products.hypot(encoding).hypot(divided)
    }

    fn feature_outer(&self, m: &Magnitudes) -> f64 {
        if self.plan.degree == 1 {
            return 0.0;
        }
        let encoding = (self.plan.units as f64 / 12.0).sqrt() * m.power / self.outer_weight();
        let squared = self.slot(self.switch) / self.power_log2().exp2() * m.outer_norm;
        encoding.hypot(squared).hypot(2.0 * self.slot(self.rounding) / self.answer())
    }

    /// What the way to a smaller ring adds.
    fn small_ring(&self, plan: &Plan) -> f64 {
        if plan.answer_degree() == self.params.n() {
            return 0.0;
        }
        let q0 = self.params.q().prime(0).value() as f64;
        let scale = self.answer() * f64::from(ring_switch::MODULUS_BITS).exp2() / q0;
        let coefficient = self.rounding.hypot(ring_switch::noise(self.params.n()));
        coefficient * self.answer_coefficients(plan).sqrt() / scale
    }

    fn answer_coefficients(&self, plan: &Plan) -> f64 {
        plan.token_layout().map_or(self.n, |l| l.lane_coefficients() as f64)
    }

    /// What dropping an answer to `bits` adds.
    pub(super) fn dropped(&self, plan: &Plan, bits: u32) -> f64 {
        let q0 = self.params.q().prime(0).value() as f64;
        let scale = self.answer() * f64::from(bits).exp2() / q0;
        rounding(plan.answer_degree() as f64) * self.answer_coefficients(plan).sqrt() / scale
    }
}
