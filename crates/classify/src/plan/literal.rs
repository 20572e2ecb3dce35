//! A plan as public data: what a server publishes and an asker needs. It holds no weight.

use serde::{Deserialize, Serialize};

use super::{Chain, Collective, KeyOwner, MOST_ANSWER_BITS, Packing, Release, chain};
use crate::head::{MOST, Normalisation};
use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

/// Version of the plan's form and of everything that is derived from it.
const VERSION: u32 = 6;
/// Largest plan that is read: means and gains of the widest token, as text.
const MOST_BYTES: usize = 1 << 20;
/// Most sites of a collective key, and most encryptions that a question is the sum of.
const MOST_SUMMANDS: usize = 1024;
/// Most tokens of one question.
pub(super) const MOST_BATCH: usize = 1 << 20;

/// A plan before any check, in the shape of its JSON. Parameters, layout, keys and lengths follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLiteral {
    /// Version of this form.
    pub version: u32,
    /// SHA-256 of the head, in hexadecimal: which model answers.
    pub head: String,
    /// Applied by the asker before encryption.
    pub normalisation: Normalisation,
    /// Outputs of the first layer.
    pub units: usize,
    /// Logits.
    pub classes: usize,
    /// Degree of the circuit: 1, 2 or 4.
    pub degree: u32,
    /// Most tokens of one question.
    pub batch: usize,
    /// Whether the parameters meet the quantum row of the security table.
    pub quantum: bool,
    /// How tokens stand in slots.
    pub packing: Packing,
    /// Under whose key the asker encrypts.
    pub key: KeyOwner,
    /// How a collective key comes about.
    pub collective: Collective,
    /// Whether the first layer is encrypted.
    pub encrypted_head: bool,
    /// What the asker is to learn.
    pub release: Release,
    /// Moduli and scales.
    pub chain: Chain,
    /// Bits of a coefficient of a compacted answer.
    pub answer_bits: u32,
    /// What no logit's error exceeds, up to a chance of `10^-11` a logit.
    pub error_bound: f64,
    /// Standard deviation of a logit's error for features of unit size.
    pub error_std: f64,
}

impl PlanLiteral {
    pub(super) fn version() -> u32 {
        VERSION
    }

    /// Whether the primes leave room for the masks of a committee that re-encrypts answers.
    pub(crate) fn is_wide(&self) -> bool {
        self.key == KeyOwner::Collective && self.packing == Packing::Token
    }

    /// Primes that the first layer's products lose.
    pub(crate) fn first_primes(&self) -> usize {
        if self.is_wide() { 2 } else { 1 }
    }

    /// Primes that the outer layer's products lose: what the chain has beside the last one, the first layer's and the square's.
    pub(crate) fn outer_primes(&self) -> usize {
        chain::outer(self, self.chain.moduli.len())
    }

    /// Whether a square is rescaled before the outer layer.
    pub(crate) fn rescales_square(&self) -> bool {
        self.degree == 4 || (self.degree == 2 && self.is_wide())
    }

    /// The bytes of the plan: JSON.
    ///
    /// # Errors
    /// [`Error::Json`] where it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads a plan; [`crate::Plan::open`] checks it.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more bytes than a plan has, [`Error::Json`] for text that is no plan, [`Error::Length`] for a plan
    /// of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        if bytes.len() > MOST_BYTES {
            return Err(Error::TooLarge { what: "plan", found: bytes.len(), most: MOST_BYTES });
        }
        // Before its fields: those of another version are other fields.
        check_version(serde_json::from_slice::<Versioned>(bytes)?.version)?;
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The digest of everything in the plan: every key, question and answer carries its first half.
    pub(super) fn digest(&self) -> Result<Digest> {
        Ok(Hasher::new("blindscope/classify/plan/v2").absorb(&self.to_bytes()?).finish())
    }

    pub(super) fn check(&self) -> Result<()> {
        self.check_shape()?;
        within("plan.answer_bits", self.answer_bits as usize, 8, MOST_ANSWER_BITS as usize)?;
        self.chain.check(self)?;
        for value in [self.error_bound, self.error_std] {
            if !(value.is_finite() && value > 0.0) {
                let (field, expected) = ("plan.error_bound or error_std", "a positive number");
                return Err(Error::Value { field, value, expected });
            }
        }
        Ok(())
    }

    /// What is given by head and policy.
    pub(super) fn check_shape(&self) -> Result<()> {
        check_version(self.version)?;
        self.normalisation.check()?;
        within("plan.units", self.units, 1, MOST)?;
        within("plan.classes", self.classes, 1, MOST)?;
        within("plan.batch", self.batch, 1, MOST_BATCH)?;
        within("plan.collective.sites", self.collective.sites as usize, 1, MOST_SUMMANDS)?;
        within("plan.collective.encryptions", self.collective.encryptions as usize, 1, MOST_SUMMANDS)?;
        if self.degree == 1 && self.encrypted_head && self.key == KeyOwner::Collective {
            return Err(Error::LinearCollective);
        }
        if !matches!(self.degree, 1 | 2 | 4) {
            let (found, expected) = (self.degree as usize, "1, 2 or 4".into());
            return Err(Error::Length { field: "plan.degree", found, expected });
        }
        Ok(())
    }
}

fn check_version(found: u32) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let (found, expected) = (found as usize, format!("{VERSION}; plan again"));
    Err(Error::Length { field: "plan.version", found, expected })
}

pub(super) fn within(field: &'static str, found: usize, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Error::Length { field, found, expected: format!("{min} to {max}") })
}
