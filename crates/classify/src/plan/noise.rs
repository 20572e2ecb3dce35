//! The error of a logit, as a standard deviation.
//!
//! Every term below is a sum of thousands of independent small errors (encryption errors, roundings, key-switching
//! errors), so it is close to Gaussian; terms are independent of each other because each uses randomness of its own.
//! The variance of a rounding counts the secret's coefficients as independent and ternary. A bound of [`TAIL`]
//! deviations is then exceeded with probability below `3·10^-12` a logit. What is *not* statistical: sizes of units and
//! logits come from [`Magnitudes`], which are worst cases when a bound is asked for.

use super::chain::{self, Chain, MOST_PRIMES, Rescale};
use super::magnitude::Magnitudes;
use super::{AnyLayout, answer_degree};
use crate::PlanLiteral;
use crate::layout::{Layout, Outer};
use crate::question::DROPPED;
use blindscope_ckks::Parameters;
use blindscope_ckks::noise::{ERROR_STD, KeyVariances};
use blindscope_ckks::ring_switch::{self, DigitBits};
use blindscope_ckks::zeros;

/// Standard deviations that the stated bound allows.
pub(super) const TAIL: f64 = 7.0;

/// Standard deviations: of coefficients where nothing else is said, of real parts of slots where "slot" is.
pub(super) struct Noise<'p> {
    plan: &'p PlanLiteral,
    layout: &'p AnyLayout,
    chain: &'p Chain,
    n: f64,
    /// `log2` of the ciphertext primes, as many as there are.
    q: [f64; MOST_PRIMES],
    limbs: usize,
    /// `log2` of the special prime.
    special: f64,
    fresh: f64,
    /// Variances of the key's secret and errors.
    keys: KeyVariances,
    /// Rounding after a division.
    rounding: f64,
    /// Scale of fresh ciphertexts.
    delta: f64,
    /// Scale of units.
    unit: f64,
}

/// `sqrt((1 + n·v)/12)` for a secret of variance `v`
fn rounding(n: f64, secret: f64) -> f64 {
    ((1.0 + n * secret) / 12.0).sqrt()
}

impl<'p> Noise<'p> {
    /// With every prime taken for the power of two above it: what a search weighs up.
    pub(super) fn nominal(plan: &'p PlanLiteral, layout: &'p AnyLayout, chain: &'p Chain) -> Self {
        let q = chain.moduli.iter().map(|&b| f64::from(b));
        Self::with(plan, layout, chain, q, f64::from(chain.special))
    }

    /// With the primes themselves: what a plan states.
    pub(super) fn exact(plan: &'p PlanLiteral, layout: &'p AnyLayout, params: &Parameters) -> Self {
        let log2 = |p: u64| (p as f64).log2();
        let q = params.q().primes().iter().map(|p| log2(p.value()));
        let special = params.special().map_or(0.0, |s| log2(s.prime(0).value()));
        Self::with(plan, layout, &plan.chain, q, special)
    }

    fn with(
        plan: &'p PlanLiteral,
        layout: &'p AnyLayout,
        chain: &'p Chain,
        bits: impl Iterator<Item = f64>,
        special: f64,
    ) -> Self {
        let (mut q, mut limbs) = ([0.0; MOST_PRIMES], 0);
        for (place, bits) in q.iter_mut().zip(bits) {
            *place = bits;
            limbs += 1;
        }
        let n = f64::from(chain.log_n).exp2();
        // Under a public key: e_0 + e_1·s + e·u; under the secret key e alone.
        let (keys, fresh) = if plan.key == crate::KeyOwner::Collective {
            let keys = KeyVariances::collective(1 << chain.log_n, plan.collective.sites as usize);
            let one = keys.fresh(1 << chain.log_n);
            (keys, (f64::from(plan.collective.encryptions) * one).sqrt())
        } else {
            (KeyVariances::own(), ERROR_STD)
        };
        let (delta, unit) = (f64::from(chain.fresh_log2).exp2(), f64::from(chain.unit_log2).exp2());
        let rounding = rounding(n, keys.secret);
        Self { plan, layout, chain, n, q, limbs, special, fresh, keys, rounding, delta, unit }
    }

    fn slot(&self, coefficient: f64) -> f64 {
        coefficient * (self.n / 2.0).sqrt()
    }

    /// As [`Self::slot`], where no more coefficients than those of one comb are off.
    fn question_slot(&self, l: &Layout, coefficient: f64) -> f64 {
        let stride = l.combs().map(|c| c.stride).min().unwrap_or(1);
        self.slot(coefficient) / (stride as f64).sqrt()
    }

    /// An error of a question's coefficient, with what is dropped of it and what rotations of the question add.
    fn question(&self, l: &Layout) -> f64 {
        // `(4^d - 1)/12` about the middle, and the quarter by which what is put in its place is beside it.
        let dropped = if l.is_whole() { 0.0 } else { ((f64::from(2 * DROPPED).exp2() + 2.0) / 12.0).sqrt() };
        let hoisted = if l.babies > 1 { self.digits(self.limbs, self.keys.error) } else { 0.0 };
        self.fresh.hypot(dropped).hypot(hoisted)
    }

    /// One rotation with so many ciphertext primes left.
    fn switch(&self, limbs: usize) -> f64 {
        self.switch_under(limbs, self.keys.error)
    }

    /// One key switch under a key whose error has this variance.
    fn switch_under(&self, limbs: usize, error: f64) -> f64 {
        self.digits(limbs, error).hypot(self.rounding)
    }

    /// The same before it is rounded.
    fn digits(&self, limbs: usize, error: f64) -> f64 {
        let digits: f64 = self.q.iter().take(limbs).map(|q| (2.0 * (q - self.special)).exp2()).sum();
        (digits * self.n / 12.0 * error).sqrt()
    }

    /// Ciphertext primes behind the first layer.
    fn first_limbs(&self) -> usize {
        self.limbs - self.plan.first_primes()
    }

    /// Primes that the outer layer's products lose.
    fn outer_primes(&self) -> usize {
        chain::outer(self.plan, self.limbs)
    }

    /// One relinearisation where the square is taken.
    fn square_switch(&self) -> f64 {
        self.switch_under(self.first_limbs(), self.keys.relin)
    }

    /// Scale of the answer.
    fn answer(&self) -> f64 {
        f64::from(self.chain.answer_log2).exp2()
    }

    /// Scale of the first layer's weights.
    fn weight(&self) -> f64 {
        self.unit / self.delta * self.q[self.first_limbs()..self.limbs].iter().sum::<f64>().exp2()
    }

    /// `log2` of the scale of the highest power.
    fn power_log2(&self) -> f64 {
        match self.plan.degree {
            1 => self.unit.log2(),
            2 => self.square_log2(),
            _ => 2.0 * self.square_log2(),
        }
    }

    /// `log2` of the scale of squares.
    fn square_log2(&self) -> f64 {
        let lost = if self.plan.rescales_square() { self.q[self.outer_primes() + 1] } else { 0.0 };
        2.0 * self.unit.log2() - lost
    }

    /// Scale of the outer layer's weights.
    fn outer_weight(&self) -> f64 {
        (f64::from(self.chain.answer_log2) + self.outer_log2() - self.power_log2()).exp2()
    }

    /// `log2` of the primes that the outer layer's products lose.
    fn outer_log2(&self) -> f64 {
        self.q[1..=self.outer_primes()].iter().sum()
    }

    /// `log2` of the most by which an answer's scale may multiply its logits. A bit is for the sign, half a bit for
    /// errors and for primes below their width; where two logits share a slot it may be the square root of two larger.
    pub(super) fn answer_room(&self) -> f64 {
        let spare = if matches!(self.layout, AnyLayout::Feature(_)) { 2.0 } else { 1.5 };
        self.q[0] - spare
    }

    /// Whether every value stays within the modulus of its level.
    pub(super) fn holds(&self, m: &Magnitudes) -> bool {
        let (scale, unit) = (self.unit.log2(), m.unit.log2());
        let at = |limbs: usize| self.q.iter().take(limbs).sum::<f64>() - 2.0;
        let degree = self.plan.degree;
        let powers = if degree == 1 {
            self.chain.answer_log2 >= self.chain.unit_log2
        } else {
            let highest = self.power_log2() + f64::from(degree) * unit;
            2.0 * (scale + unit) <= at(self.first_limbs())
                && highest <= at(self.outer_primes() + 1)
                && self.square_log2() >= 1.0
                && self.outer_weight() >= 1.0
        };
        powers
            && self.weight() >= 1.0
            && f64::from(self.chain.answer_log2) + m.logit.log2() <= self.answer_room()
    }

    /// Standard deviation of a logit's error before the answer's last bits are dropped.
    pub(super) fn logit(&self, m: &Magnitudes) -> f64 {
        let (unit, outer) = match self.layout {
            AnyLayout::Token(l) => (self.token_unit(l, m), self.token_outer(l, m)),
            AnyLayout::Feature(_) => (self.feature_unit(m), self.feature_outer(m)),
        };
        (unit * m.gain)
            .hypot(outer)
            .hypot(self.rescaled_squares() * m.square_gain)
            .hypot(self.small_ring())
            .hypot(self.zeros())
    }

    /// Standard deviation in a logit of the flooding that an answer gets: that of all other errors, at their largest. A
    /// committee's masks are its own.
    pub(super) fn flood(&self, worst: &Magnitudes) -> f64 {
        if self.plan.key == crate::KeyOwner::Collective { 0.0 } else { self.logit(worst) }
    }

    /// An error of this deviation in a logit, in a coefficient of the answer before its last bits are dropped.
    pub(super) fn in_coefficients(&self, logit: f64) -> f64 {
        logit * self.answer_scale() / self.answer_slot()
    }

    /// Scale of the answer's coefficients before their last bits are dropped.
    fn answer_scale(&self) -> f64 {
        let switched = if self.answer_degree() == self.n as usize {
            0.0
        } else {
            f64::from(ring_switch::MODULUS_BITS) - self.q[0]
        };
        (f64::from(self.chain.answer_log2) + switched).exp2()
    }

    /// What an encryption of zero adds beside its flooding.
    fn zeros(&self) -> f64 {
        if self.plan.key == crate::KeyOwner::Collective {
            return 0.0;
        }
        zeros::noise(self.answer_degree(), self.n as usize) * self.answer_slot() / self.answer_scale()
    }

    /// What rescaling squares before they are squared again adds to each of them, in slots.
    fn rescaled_squares(&self) -> f64 {
        if !self.plan.rescales_square() {
            return 0.0;
        }
        let switch = self.square_switch() / self.q[self.outer_primes() + 1].exp2();
        self.slot(self.rounding.hypot(switch)) / self.square_log2().exp2()
    }

    /// Weights' own encryption noise in an encrypted first layer, in slots of a unit.
    fn encrypted_weights(&self, terms: f64, m: &Magnitudes) -> f64 {
        if !self.plan.encrypted_head {
            return 0.0;
        }
        let weights = terms.sqrt() * m.feature * self.slot(self.fresh_sum()) / self.weight();
        // Each product is relinearised before it is rescaled; a unit is a sum over columns, in whichever product they stand.
        let products = self.switch_under(self.limbs, self.keys.relin) / (self.delta * self.weight());
        weights.hypot(terms.sqrt() * self.slot(products))
    }

    /// What encrypting the bias of an encrypted first layer adds to a unit.
    fn encrypted_bias(&self) -> f64 {
        if self.plan.encrypted_head { self.slot(self.fresh_sum()) / self.unit } else { 0.0 }
    }

    /// The noise of the sum of all encryptions that a ciphertext of an encrypted head is. Holders encrypt the sums of what they were dealt: as
    /// many encryptions as a question is the sum of, whatever the sites.
    fn fresh_sum(&self) -> f64 {
        (f64::from(self.plan.collective.encryptions) * self.keys.fresh(self.n as usize)).sqrt()
    }

    fn token_unit(&self, l: &Layout, m: &Magnitudes) -> f64 {
        // A unit is a sum over all columns, in whichever copy and step each of them stands; where there is no feature, a
        // weight's error is multiplied by zero.
        let terms = (l.columns * 2) as f64;
        let products = self.question_slot(l, self.question(l)) / self.delta * m.first_norm;
        let encoding = terms.sqrt() * m.feature * self.question_slot(l, 1.0 / 12f64.sqrt()) / self.weight();
        let encrypted = self.encrypted_weights(terms, m);
        let (rescaled, rotated) = self.rotations(l);
        // The real part is z + conj z; a question's own errors are weighed with halves of weights, and a bias stands in units.
        products
            .hypot(self.encrypted_bias())
            .hypot(2.0 * encoding.hypot(rescaled).hypot(rotated).hypot(encrypted))
    }

    /// What rescaling and rotations add to half a unit.
    fn rotations(&self, l: &Layout) -> (f64, f64) {
        let added = (l.steps * l.positions() / l.period) as f64;
        match self.chain.rescale {
            Rescale::Early => (
                self.slot(self.rounding) / self.unit * added.sqrt(),
                self.slot(self.switch(self.first_limbs())) / self.unit * (added + 1.0).sqrt(),
            ),
            // The one rounding comes after the conjugate was added, and is not doubled.
            Rescale::Late => (
                self.slot(self.rounding) / self.unit / 2.0 * self.averaged(l),
                self.slot(self.switch(self.limbs)) / (self.delta * self.weight()) * (added + 1.0).sqrt(),
            ),
        }
    }

    /// What is left in a logit of errors that no two copies of a unit share, where the logit is the mean over all copies: classes
    /// beside it in one product bring theirs, since such errors lie in all coefficients. At most one, as a product holds no
    /// more classes than a ciphertext copies.
    fn averaged(&self, l: &Layout) -> f64 {
        if l.outer == Outer::Folded || self.plan.degree == 1 {
            return 1.0;
        }
        let classes = l.lanes(self.answer_degree()).min(l.classes);
        ((classes * l.period) as f64 / l.positions() as f64).sqrt()
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
            let squared = self.square_switch() * period.sqrt() * m.outer_norm / power;
            return coefficients * encoding.hypot(squared).hypot(self.rounding / self.answer());
        }
        let encoding = (period * tokens / 12.0).sqrt() * m.power * period.sqrt() / weight;
        let squared = self.slot(self.square_switch()) / power * period.sqrt() * m.outer_norm.max(1.0);
        let summed = (2.0 * period).sqrt()
            * match self.chain.rescale {
                Rescale::Early => self.slot(self.switch(1)) / self.answer(),
                Rescale::Late => {
                    let limbs = self.outer_primes() + 1;
                    self.slot(self.switch(limbs)) / (self.answer() * self.outer_log2().exp2())
                }
            };
        // Rounded after the sum, so in every coefficient: those of other lanes too.
        let lanes = l.lanes(self.answer_degree()).min(self.plan.batch.div_ceil(l.tokens)) as f64;
        let rescaled = self.rounding * (lanes * self.answer_coefficients()).sqrt() / self.answer();
        encoding.hypot(squared).hypot(summed).hypot(rescaled)
    }

    fn feature_unit(&self, m: &Magnitudes) -> f64 {
        let products = self.slot(self.fresh) / self.delta * m.first_norm;
        let encoding = (self.plan.normalisation.mean.len() as f64 / 12.0).sqrt() * m.feature / self.weight();
        let rounded = self.slot(self.rounding) / self.unit;
        let divided = match self.chain.rescale {
            Rescale::Early => rounded.hypot(self.slot(self.switch(self.first_limbs())) / self.unit),
            Rescale::Late => {
                (rounded / 2.0).hypot(self.slot(self.switch(self.limbs)) / (self.delta * self.weight()))
            }
        };
        products.hypot(2.0 * encoding.hypot(divided))
    }

    fn feature_outer(&self, m: &Magnitudes) -> f64 {
        if self.plan.degree == 1 {
            return 0.0;
        }
        let encoding = (self.plan.units as f64 / 12.0).sqrt() * m.power / self.outer_weight();
        let squared = self.slot(self.square_switch()) / self.power_log2().exp2() * m.outer_norm;
        encoding.hypot(squared).hypot(2.0 * self.slot(self.rounding) / self.answer())
    }

    /// What the way to a smaller ring adds.
    fn small_ring(&self) -> f64 {
        let n = self.n as usize;
        if self.answer_degree() == n {
            return 0.0;
        }
        let digits = self.chain.answer_digit.and_then(|bits| DigitBits::new(bits).ok());
        let digits = digits.unwrap_or(DigitBits::WIDE);
        let coefficient = self.rounding.hypot(digits.noise(n));
        coefficient * self.answer_slot() / self.answer_scale()
    }

    fn answer_degree(&self) -> usize {
        answer_degree(self.plan, self.chain, self.layout)
    }

    /// What errors of single coefficients of an answer are in a logit, the real part of a slot: as many of them, at all angles.
    fn answer_slot(&self) -> f64 {
        (self.answer_coefficients() / 2.0).sqrt()
    }

    fn answer_coefficients(&self) -> f64 {
        match self.layout {
            AnyLayout::Token(l) => l.lane_coefficients() as f64,
            AnyLayout::Feature(_) => self.n,
        }
    }

    /// What dropping an answer to `bits` adds. A committee gets answers whole.
    pub(super) fn dropped(&self, bits: u32) -> f64 {
        if self.plan.key == crate::KeyOwner::Collective {
            return 0.0;
        }
        let scale = (f64::from(self.chain.answer_log2) + f64::from(bits) - self.q[0]).exp2();
        let degree = self.answer_degree() as f64;
        rounding(degree, self.keys.secret) * self.answer_slot() / scale
    }
}
