//! Plans: everything that is decided before a key exists.

mod lengths;
mod literal;
mod magnitude;
mod noise;
mod parameters;
mod policy;
mod report;

pub(crate) use lengths::COUNT_LEN;
pub use literal::PlanLiteral;
pub use policy::{KeyOwner, Packing, Policy, Release};
pub use report::PlanReport;

use crate::feature::FeatureLayout;
use crate::token::{Demand, Layout};
use crate::{ClassifyError, Head, Result};
use blindscope_ckks::{Level, Parameters, Scale, Security};
use blindscope_wire::{Digest, Fingerprint};
use magnitude::Magnitudes;
use noise::Noise;

/// `log2` of the scales of fresh ciphertexts that are weighed up.
const FRESH_LOG2: std::ops::RangeInclusive<i16> = 22..=36;
/// The same for encrypted heads under a collective key.
const WIDE_FRESH_LOG2: std::ops::RangeInclusive<i16> = 40..=72;
/// Bytes a token that make the feature-major packing worth its upload.
const FEATURE_BYTES: usize = 30_000;

/// Parameters, layout, keys, bytes and errors of one head and policy.
///
/// Everything but the answer's scale, its bits and the errors follows from the shape of the head and the policy, so an
/// asker that holds the [`PlanLiteral`] alone derives the same plan ([`Self::open`]) without the weights.
#[derive(Debug, Clone)]
pub struct Plan {
    literal: PlanLiteral,
    params: Parameters,
    layout: AnyLayout,
    id: Digest,
}

#[derive(Debug, Clone, Copy)]
enum AnyLayout {
    Token(Layout),
    Feature(FeatureLayout),
}

impl Plan {
    /// Plans one head under one policy.
    ///
    /// # Errors
    /// [`ClassifyError::NoPlan`], [`ClassifyError::Overflow`], [`ClassifyError::TooCoarse`], [`ClassifyError::Ckks`].
    pub fn new(head: &Head, policy: Policy) -> Result<Self> {
        if let Some(packing) = policy.packing {
            return Self::packed(head, policy, packing);
        }
        let feature = Self::packed(head, policy, Packing::Feature).ok();
        let worth = |p: &Self| p.upload_len(policy.batch) <= FEATURE_BYTES.saturating_mul(policy.batch);
        match feature.filter(worth) {
            Some(plan) => Ok(plan),
            None => Self::packed(head, policy, Packing::Token),
        }
    }

    fn packed(head: &Head, policy: Policy, packing: Packing) -> Result<Self> {
        let literal = PlanLiteral {
            version: PlanLiteral::version(),
            head: head.digest()?.to_string(),
            normalisation: head.literal().normalisation.clone(),
            units: head.circuit().first().bias.len(),
            classes: head.classes(),
            degree: head.circuit().degree(),
            batch: policy.batch,
            quantum: policy.security == Security::Quantum128,
            packing,
            key: policy.key,
            encrypted_head: policy.encrypted_head,
            release: policy.release,
            fresh_log2: 30,
            answer_log2: 8,
            answer_bits: 32,
            error_bound: 1.0,
            error_std: 1.0,
        };
        let mut plan = Self::open(literal)?;
        plan.fit(head, policy.max_error)?;
        plan.id = plan.literal.digest()?;
        Ok(plan)
    }

    /// Chooses scales and the answer's bits, and states the errors.
    ///
    /// A large fresh scale hides encryption noise, a small one leaves more of the modulus to the outer layer's weights;
    /// the one with the smallest bound is taken.
    fn fit(&mut self, head: &Head, max_error: Option<f64>) -> Result<()> {
        let (worst, typical) = (Magnitudes::worst(head), Magnitudes::typical(head));
        let q0 = self.params.q().prime(0).modulus().bits() as i16;
        let most = q0 - 2 - worst.logit.log2().ceil() as i16;
        let mut best: Option<PlanLiteral> = None;
        let wide = self.literal.is_wide();
        for fresh in if wide { WIDE_FRESH_LOG2 } else { FRESH_LOG2 } {
            // A linear head's answers start at the fresh scale and can only be raised.
            let least = if self.literal.degree == 1 { fresh } else { 12 };
            let answer = most.min(if wide { 56 } else { 38 });
            if answer < least {
                continue;
            }
            (self.literal.fresh_log2, self.literal.answer_log2) = (fresh, answer);
            self.state_errors(&worst, &typical);
            if best.as_ref().is_none_or(|b| self.literal.error_bound < b.error_bound) {
                best = Some(self.literal.clone());
            }
        }
        let room = f64::from(q0 - 2 - 12).exp2();
        self.literal = best.ok_or(ClassifyError::Overflow { largest: worst.logit, room })?;
        let (found, most) = (self.literal.error_bound, max_error.unwrap_or(worst.logit / 4.0));
        if found.is_nan() || found > most {
            let hint = "state the head's range (Head::calibrated), or lower the normalisation's bound";
            return Err(ClassifyError::TooCoarse { found, most, hint });
        }
        Ok(())
    }

    /// The answer's bits and the errors at the scales chosen.
    fn state_errors(&mut self, worst: &Magnitudes, typical: &Magnitudes) {
        let noise = Noise::new(&self.literal, &self.params);
        let (at_worst, at_typical) = (noise.logit(self, worst), noise.logit(self, typical));
        // Dropped bits may add as much as is there for typical tokens.
        let enough = |bits: &u32| noise.dropped(self, *bits) <= at_typical;
        let bits = (8..=32).find(enough).unwrap_or(32);
        // Ciphertexts for a committee are not compacted.
        let compacts = self.literal.key == KeyOwner::Asker;
        let dropped = if compacts { noise.dropped(self, bits) } else { 0.0 };
        self.literal.answer_bits = bits;
        self.literal.error_bound = noise::TAIL * at_worst.hypot(dropped);
        self.literal.error_std = at_typical.hypot(dropped);
    }

    /// Checks a published plan and derives the rest.
    ///
    /// # Errors
    /// [`ClassifyError::Length`], [`ClassifyError::Value`], [`ClassifyError::NoPlan`], [`ClassifyError::OtherMode`],
    /// [`ClassifyError::Ckks`].
    pub fn open(literal: PlanLiteral) -> Result<Self> {
        literal.check()?;
        let params = Parameters::new(parameters::parameters(&literal))?;
        let (slots, width) = (params.slots(), literal.normalisation.mean.len());
        let PlanLiteral { units, classes, degree, batch, .. } = literal;
        let layout = match literal.packing {
            Packing::Token => {
                AnyLayout::Token(Layout::new(Demand { slots, width, units, classes, degree, batch })?)
            }
            Packing::Feature if literal.encrypted_head => {
                let (op, found, expected) = ("plan", "the feature-major packing", "an encrypted head");
                return Err(ClassifyError::OtherMode { op, found, expected });
            }
            Packing::Feature => AnyLayout::Feature(FeatureLayout::new(slots, width, units, classes)?),
        };
        let id = literal.digest()?;
        Ok(Self { literal, params, layout, id })
    }

    /// The bytes to publish.
    ///
    /// # Errors
    /// [`ClassifyError::Json`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.literal.to_bytes()
    }

    /// Reads and checks a published plan.
    ///
    /// # Errors
    /// [`ClassifyError::TooLarge`], [`ClassifyError::Json`], or as [`Self::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::open(PlanLiteral::from_bytes(bytes)?)
    }

    /// The plan as public data.
    pub fn literal(&self) -> &PlanLiteral {
        &self.literal
    }

    /// The scheme's parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The digest of the plan; two plans with the same one ask the same model in the same way.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The identity that every key, question and answer carries.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.id.fingerprint()
    }

    /// The token packing's layout, if it is the plan's.
    pub fn token_layout(&self) -> Option<&Layout> {
        match &self.layout {
            AnyLayout::Token(l) => Some(l),
            AnyLayout::Feature(_) => None,
        }
    }

    /// The feature-major packing's layout, if it is the plan's.
    pub fn feature_layout(&self) -> Option<&FeatureLayout> {
        match &self.layout {
            AnyLayout::Feature(l) => Some(l),
            AnyLayout::Token(_) => None,
        }
    }

    /// Scale of fresh ciphertexts.
    pub fn fresh(&self) -> Scale {
        Scale::pow2(self.literal.fresh_log2)
    }

    /// Scale of an answer before it is compacted.
    pub fn answer(&self) -> Scale {
        Scale::pow2(self.literal.answer_log2)
    }

    /// What raises a linear head's answer from the fresh scale to the answer's.
    pub(crate) fn raise(&self) -> i64 {
        1 << (self.literal.answer_log2 - self.literal.fresh_log2).max(0)
    }

    /// Level at which the first layer's products are summed.
    pub fn first_level(&self) -> Level {
        Level(self.params.top_level().0 - self.literal.first_primes())
    }

    /// Level at which the outer layer's products are taken.
    pub(crate) fn outer_level(&self) -> Level {
        Level(self.literal.outer_primes())
    }

    /// Scale of an encrypted first layer's weights: the primes that its products lose.
    pub(crate) fn first_weight(&self) -> Scale {
        let top = self.params.top_level().0;
        (self.first_level().0 + 1..=top).fold(Scale::ONE, |scale, i| scale.times(Scale::prime(i)))
    }

    /// Level of the relinearisation key, if products of ciphertexts are taken.
    pub fn relin_level(&self) -> Option<Level> {
        if self.literal.encrypted_head {
            return Some(self.params.top_level());
        }
        (self.literal.degree > 1).then(|| self.first_level())
    }

    /// `(steps, level)` of each rotation key; a key of a level serves those below.
    pub fn rotation_keys(&self) -> Vec<(i64, Level)> {
        let Some(l) = self.token_layout() else { return Vec::new() };
        let at = |steps: Vec<i64>, level| steps.into_iter().map(move |k| (k, level));
        let mut keys: Vec<_> = at(l.first_rotations(), self.first_level()).collect();
        if self.literal.degree > 1 {
            keys.extend(at(l.outer_rotations(), Level(0)));
        }
        keys.sort_by_key(|k| (k.0, std::cmp::Reverse(k.1)));
        keys.dedup_by_key(|k| k.0);
        keys
    }

    /// Refuses a head that this plan was not made for.
    pub(crate) fn require_head(&self, head: &Head) -> Result<()> {
        let found = head.digest()?.to_string();
        if found == self.literal.head {
            return Ok(());
        }
        let expected = format!("for head {}", self.literal.head);
        Err(ClassifyError::OtherPlan { op: "serve", found: format!("for head {found}"), expected })
    }

    /// Refuses a head of another shape.
    pub(crate) fn require_shape(&self, head: &Head) -> Result<()> {
        let l = &self.literal;
        let shape = [
            ("width", head.width(), l.normalisation.mean.len()),
            ("first layer", head.circuit().first().bias.len(), l.units),
            ("classes", head.classes(), l.classes),
            ("degree", head.circuit().degree() as usize, l.degree as usize),
        ];
        match shape.into_iter().find(|(_, found, expected)| found != expected) {
            Some((field, found, expected)) => {
                Err(ClassifyError::Length { field, found, expected: expected.to_string() })
            }
            None => Ok(()),
        }
    }

    /// The layout of a plan for an encrypted head.
    pub(crate) fn encrypted_layout(&self, op: &'static str) -> Result<&Layout> {
        match self.token_layout() {
            Some(l) if self.literal.encrypted_head => Ok(l),
            _ => {
                let (found, expected) = ("a head in the clear", "an encrypted head");
                Err(ClassifyError::OtherMode { op, found, expected })
            }
        }
    }

    /// Degree of the ring of compacted answers.
    pub(crate) fn answer_degree(&self) -> usize {
        match (self.literal.key, self.token_layout()) {
            (KeyOwner::Asker, Some(l)) => l.answer_degree(),
            _ => self.params.n(),
        }
    }

    /// Whether answers are switched to a smaller ring.
    pub(crate) fn switches_ring(&self) -> bool {
        self.answer_degree() < self.params.n()
    }
}
