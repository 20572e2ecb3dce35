//! Plans: everything that is decided before a key exists.

mod chain;
mod cost;
mod joint;
mod lengths;
mod literal;
mod magnitude;
mod noise;
mod policy;
mod report;
mod search;

pub use chain::{Chain, Rescale};
pub use cost::Machine;
pub(crate) use lengths::COUNT_LEN;
pub use literal::PlanLiteral;
pub use policy::{Collective, KeyOwner, Packing, Policy, Release};
pub use report::PlanReport;

use crate::feature::FeatureLayout;
use crate::layout::{Demand, Layout};
use crate::question::DROPPED;
use crate::{Error, Head, Result};
use blindscope_ckks::codec::Sparse;
use blindscope_ckks::ring_switch::DigitBits;
use blindscope_ckks::{Arithmetic, Level, Parameters, Scale, Security};
use blindscope_wire::{Digest, Fingerprint};
use magnitude::Magnitudes;
use noise::Noise;

/// Most bits of a coefficient of a compacted answer.
const MOST_ANSWER_BITS: u32 = 46;
/// Bytes a token that make the feature-major packing worth its upload.
const FEATURE_BYTES: usize = 30_000;

/// Parameters, layout, keys, bytes and errors of one head and policy.
///
/// Moduli, scales, the answer's bits and the errors are chosen from the head's sizes and named by the [`PlanLiteral`];
/// everything else follows from them, so an asker that holds the literal alone derives the same plan ([`Self::open`])
/// without the weights.
#[derive(Debug, Clone)]
pub struct Plan {
    literal: PlanLiteral,
    params: Parameters,
    layout: AnyLayout,
    answer_digits: DigitBits,
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
    /// [`Error::NoPlan`] where no parameters fit; [`Error::Overflow`] where answers could overflow the smallest modulus;
    /// [`Error::TooCoarse`] where the error that was asked for cannot be promised; [`Error::Ckks`] where no primes of the
    /// widths that it needs exist.
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
        let classical = Self::in_row(head, policy, packing, policy.security);
        if policy.security == Security::Quantum128 {
            return classical;
        }
        // The stricter row where it costs the asker nothing.
        match (classical, Self::in_row(head, policy, packing, Security::Quantum128)) {
            (Ok(plan), Ok(strict)) if strict.upload_len(policy.batch) <= plan.upload_len(policy.batch) => {
                Ok(strict)
            }
            (plan, _) => plan,
        }
    }

    fn in_row(head: &Head, policy: Policy, packing: Packing, security: Security) -> Result<Self> {
        let mut literal = PlanLiteral {
            version: PlanLiteral::version(),
            head: head.digest()?.to_string(),
            normalisation: head.literal().normalisation.clone(),
            units: head.circuit().first().bias.len(),
            classes: head.classes(),
            degree: head.circuit().degree(),
            batch: policy.batch,
            quantum: security == Security::Quantum128,
            packing,
            key: policy.key,
            collective: policy.collective,
            encrypted_head: policy.encrypted_head,
            release: policy.release,
            chain: Chain::unchosen(),
            answer_bits: 32,
            error_bound: 1.0,
            error_std: 1.0,
        };
        literal.check_shape()?;
        let worst = Magnitudes::worst(head, policy.encrypted_head);
        let most = policy.max_error.unwrap_or(worst.logit / 4.0);
        let chains = match policy.max_error {
            Some(_) => search::asked(&literal, &worst, most)?,
            None => search::most_exact(&literal, &worst, most)?,
        };
        let typical = Magnitudes::typical(head);
        let mut found = f64::INFINITY;
        for candidate in chains {
            literal.chain = candidate.chain;
            let mut plan = Self::open(literal.clone())?;
            plan.state_errors(&worst, &typical, policy.max_error);
            // The search takes primes for powers of two; narrow ones are up to a third of a bit below.
            if plan.literal.error_bound <= most {
                plan.id = plan.literal.digest()?;
                return Ok(plan);
            }
            found = found.min(plan.literal.error_bound);
        }
        let hint = "the primes are a little narrower than their widths; ask for a little less";
        Err(Error::TooCoarse { found, most, hint })
    }

    /// The answer's bits and the errors of the chain that was chosen.
    fn state_errors(&mut self, worst: &Magnitudes, typical: &Magnitudes, asked: Option<f64>) {
        let noise = Noise::exact(&self.literal, &self.layout, &self.params);
        let (at_worst, at_typical) = (noise.logit(worst), noise.logit(typical));
        // Dropped bits may add as much as is there for typical tokens, if that leaves what was asked for.
        let enough = |bits: &u32| {
            let dropped = noise.dropped(*bits);
            dropped <= at_typical && asked.is_none_or(|most| noise::TAIL * at_worst.hypot(dropped) <= most)
        };
        let whole = self.literal.key == KeyOwner::Collective;
        let bits = (8..=MOST_ANSWER_BITS).filter(|_| !whole).find(enough).unwrap_or(MOST_ANSWER_BITS);
        let dropped = noise.dropped(bits);
        self.literal.answer_bits = bits;
        self.literal.error_bound = noise::TAIL * at_worst.hypot(dropped);
        self.literal.error_std = at_typical.hypot(dropped);
    }

    /// Checks a published plan and derives the rest.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::Value`] for fields that no plan has; [`Error::NoPlan`] for a shape that its ring has no
    /// room for; [`Error::OtherMode`] for a packing that its policy excludes; [`Error::Ckks`] for primes that do not exist or
    /// are beyond what its row of the security table allows.
    pub fn open(literal: PlanLiteral) -> Result<Self> {
        literal.check()?;
        let params = literal.chain.parameters(&literal, Arithmetic::fastest())?;
        let layout =
            layout(&literal, literal.chain.log_n, (literal.chain.replicas, literal.chain.moduli.len()))?;
        let answer_digits = literal.chain.answer_digit.map_or(Ok(DigitBits::WIDE), DigitBits::new)?;
        let id = literal.digest()?;
        Ok(Self { literal, params, layout, answer_digits, id })
    }

    /// The same plan, evaluated on no faster path than `ceiling`: to measure paths. Keys, questions and answers are the same
    /// bytes on all of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn on(mut self, ceiling: Arithmetic) -> Result<Self> {
        self.params = self.literal.chain.parameters(&self.literal, ceiling)?;
        Ok(self)
    }

    /// The bytes to publish.
    ///
    /// # Errors
    /// [`Error::Json`] where it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.literal.to_bytes()
    }

    /// Reads and checks a published plan.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more bytes than a plan has, [`Error::Json`] for text that is no plan, or as [`Self::open`].
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

    /// Which coefficients of a question's ciphertexts travel, if not all of them do.
    pub(crate) fn sparse_question(&self) -> Result<Option<Sparse>> {
        let sparse = |l: &Layout| Sparse::new(&self.params, l.question_places(), DROPPED);
        Ok(self.token_layout().filter(|l| !l.is_whole()).map(sparse).transpose()?)
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
        Scale::pow2(self.literal.chain.fresh_log2)
    }

    /// Scale of an answer before it is compacted.
    pub fn answer(&self) -> Scale {
        Scale::pow2(self.literal.chain.answer_log2)
    }

    /// Scale of the first layer's units, once they are divided by the top prime.
    pub(crate) fn unit(&self) -> Scale {
        Scale::pow2(self.literal.chain.unit_log2)
    }

    /// What raises a linear head's answer from the units' scale to the answer's.
    pub(crate) fn raise(&self) -> i64 {
        1 << (self.literal.chain.answer_log2 - self.literal.chain.unit_log2).max(0)
    }

    /// Level at which the first layer's products are summed.
    pub fn first_level(&self) -> Level {
        Level(self.params.top_level().0 - self.literal.first_primes())
    }

    /// Level at which the first layer's products are rotated.
    pub(crate) fn rotated_level(&self) -> Level {
        match self.literal.chain.rescale {
            Rescale::Early => self.first_level(),
            Rescale::Late => self.params.top_level(),
        }
    }

    /// Level at which the outer layer's products are taken.
    pub(crate) fn outer_level(&self) -> Level {
        Level(self.literal.outer_primes())
    }

    /// Scale of the first layer's weights: from the fresh scale to the units', and the primes that its products lose.
    pub(crate) fn first_weight(&self) -> Scale {
        let top = self.params.top_level().0;
        let raised = self.unit().over(self.fresh());
        (self.first_level().0 + 1..=top).fold(raised, |scale, i| scale.times(Scale::prime(i)))
    }

    /// Level of the relinearisation key, if products of ciphertexts are taken.
    pub fn relin_level(&self) -> Option<Level> {
        if self.literal.encrypted_head {
            return Some(self.params.top_level());
        }
        (self.literal.degree > 1).then(|| self.first_level())
    }

    /// `(steps, level)` of each rotation's Galois key; a key of a level serves those below.
    pub fn rotation_keys(&self) -> Vec<(i64, Level)> {
        let Some(l) = self.token_layout() else { return Vec::new() };
        let at = |steps: Vec<i64>, level| steps.into_iter().map(move |k| (k, level));
        let mut keys: Vec<_> = at(l.first_rotations(), self.rotated_level()).collect();
        if self.literal.degree > 1 {
            let late = self.literal.chain.rescale == Rescale::Late;
            keys.extend(at(l.outer_rotations(), if late { self.outer_level() } else { Level(0) }));
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
        Err(Error::OtherPlan { op: "serve", found: format!("for head {found}"), expected })
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
                Err(Error::Length { field, found, expected: expected.to_string() })
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
                Err(Error::OtherMode { op, found, expected })
            }
        }
    }

    /// Degree of the ring of compacted answers.
    pub(crate) fn answer_degree(&self) -> usize {
        answer_degree(&self.literal, &self.literal.chain, &self.layout)
    }

    /// Digits of the key that switches answers to a smaller ring.
    pub(crate) fn answer_digits(&self) -> DigitBits {
        self.answer_digits
    }

    /// Whether answers are switched to a smaller ring.
    pub(crate) fn switches_ring(&self) -> bool {
        self.answer_degree() < self.params.n()
    }
}

impl AnyLayout {
    /// Ciphertexts of a question of this many tokens.
    fn pieces(&self, tokens: usize) -> usize {
        match self {
            Self::Token(l) => tokens.div_ceil(l.tokens),
            Self::Feature(l) => tokens.div_ceil(l.slots) * l.columns,
        }
    }
}

/// The layout in a ring of degree `2^log_n`, with so many copies of a token and so many primes.
fn layout(literal: &PlanLiteral, log_n: u32, (replicas, limbs): (Option<usize>, usize)) -> Result<AnyLayout> {
    let (slots, width) = (1 << (log_n - 1), literal.normalisation.mean.len());
    let PlanLiteral { units, classes, degree, batch, .. } = *literal;
    Ok(match literal.packing {
        Packing::Token => {
            let demand = Demand { slots, width, units, classes, degree, batch, replicas };
            AnyLayout::Token(Layout::new(demand)?)
        }
        Packing::Feature if literal.encrypted_head => {
            let (op, found, expected) = ("plan", "the feature-major packing", "an encrypted head");
            return Err(Error::OtherMode { op, found, expected });
        }
        Packing::Feature => AnyLayout::Feature(FeatureLayout::new(slots, limbs, width, units, classes)?),
    })
}

/// Degree of the ring of compacted answers.
fn answer_degree(plan: &PlanLiteral, chain: &Chain, layout: &AnyLayout) -> usize {
    match (plan.key, layout, chain.answer_digit) {
        (KeyOwner::Asker, AnyLayout::Token(l), Some(_)) => l.answer_degree(),
        _ => 1 << chain.log_n,
    }
}
