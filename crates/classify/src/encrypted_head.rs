//! A first layer that nobody but the holders of the key sees, in a form that sites can add up.
//!
//! Each site encodes its own first layer, times its share of the whole; encryptions of the sums of all sites' plaintexts, or sums of
//! their encryptions, are the ciphertexts of the average. Sites must agree on plan, normalisation and outer layer: an
//! average of first layers is an average of heads only when everything behind it is the same.

use rand_core::CryptoRng;

use crate::form::Form;
use crate::token::FirstLayer;
use crate::{Error, Head, Plan, Result};
use blindscope_ckks::{Ciphertext, Evaluator, Level, Plaintext, PublicEncryptor, PublicKey, codec};
use blindscope_wire::{Header, Kind, Writer};

/// An encrypted first layer.
pub(crate) const KIND: Kind = Kind(0x0504);

/// Weights and biases of a first layer, encrypted in the plan's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedHead {
    /// One a step.
    pub(crate) weights: Vec<Ciphertext>,
    pub(crate) bias: Ciphertext,
}

impl EncryptedHead {
    /// Encrypts `share` times the first layer of a head: 1 for a head of its own, a site's weight in an average
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::OtherMode`] unless the plan is for an encrypted head, [`Error::Length`] for a head of another shape,
    /// [`Error::Ckks`] for a key of other parameters.
    pub fn encrypt(
        head: &Head,
        plan: &Plan,
        share: f64,
        key: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self> {
        let encryptor = PublicEncryptor::new(key);
        let plain = Self::encode(head, plan, share)?;
        let ciphertexts = plain.iter().map(|m| Ok(encryptor.encrypt(m, rng)?)).collect::<Result<_>>()?;
        Self::from_ciphertexts(plan, ciphertexts)
    }

    /// What [`Self::encrypt`] encrypts: one plaintext a step, then the bias. For those who encrypt elsewhere.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn encode(head: &Head, plan: &Plan, share: f64) -> Result<Vec<Plaintext>> {
        let l = plan.encrypted_layout("encrypt head")?;
        plan.require_shape(head)?;
        let first = FirstLayer::new(plan, l);
        let mut plain = first.weights(head, share)?;
        plain.push(first.bias(head, share)?);
        Ok(plain)
    }

    /// The head of these ciphertexts at any scale, one a step, then the bias: encryptions of what [`Self::encode`] gave, by those who encrypt
    /// elsewhere. They are taken to be at the plan's scales.
    ///
    /// # Errors
    /// As [`Self::from_ciphertexts`], but for scales.
    pub fn at_scales(plan: &Plan, mut ciphertexts: Vec<Ciphertext>) -> Result<Self> {
        let bias = ciphertexts.len().saturating_sub(1);
        for (i, c) in ciphertexts.iter_mut().enumerate() {
            c.set_scale(if i < bias { plan.first_weight() } else { plan.unit() });
        }
        Self::from_ciphertexts(plan, ciphertexts)
    }

    /// The head of these ciphertexts: one a step, then the bias.
    ///
    /// # Errors
    /// [`Error::OtherMode`] where the plan is for clear heads alone; [`Error::Count`] for another number of ciphertexts than the plan's;
    /// [`Error::Form`] for one of another level, scale or other parameters.
    pub fn from_ciphertexts(plan: &Plan, mut ciphertexts: Vec<Ciphertext>) -> Result<Self> {
        const OP: &str = "encrypted head";
        let levels = Self::levels(plan)?;
        if ciphertexts.len() != levels.len() {
            let (what, found) = ("ciphertexts", ciphertexts.len());
            return Err(Error::Count { op: OP, what, found, expected: levels.len().to_string() });
        }
        for (i, (c, level)) in ciphertexts.iter().zip(&levels).enumerate() {
            let scale = if i + 1 < levels.len() { plan.first_weight() } else { plan.unit() };
            Form { level: *level, scale }.require(OP, plan, c)?;
        }
        let bias = ciphertexts.pop().unwrap_or_else(|| Ciphertext::empty(plan.params()));
        Ok(Self { weights: ciphertexts, bias })
    }

    /// Levels of the ciphertexts in order: one a step, then the bias.
    ///
    /// # Errors
    /// [`Error::OtherMode`] where the plan does not offer it.
    pub fn levels(plan: &Plan) -> Result<Vec<Level>> {
        let steps = plan.encrypted_layout("encrypted head")?.steps;
        let weights = std::iter::repeat_n(plan.params().top_level(), steps);
        Ok(weights.chain([plan.first_level()]).collect())
    }

    /// Adds another site's share.
    ///
    /// # Errors
    /// [`Error::Count`] for another number of steps, [`Error::Ckks`] for other parameters.
    pub fn add_assign(&mut self, plan: &Plan, other: &Self) -> Result<()> {
        if self.weights.len() != other.weights.len() {
            let (op, what, found) = ("add encrypted heads", "ciphertexts", other.weights.len());
            return Err(Error::Count { op, what, found, expected: self.weights.len().to_string() });
        }
        let ev = Evaluator::new(plan.params());
        for (a, b) in self.weights.iter_mut().zip(&other.weights) {
            ev.add_assign(a, b)?;
        }
        Ok(ev.add_assign(&mut self.bias, &other.bias)?)
    }

    /// Bytes of an encrypted head of this plan.
    ///
    /// # Errors
    /// [`Error::OtherMode`] where the plan does not offer it.
    pub fn wire_len(plan: &Plan) -> Result<usize> {
        let l = plan.encrypted_layout("encrypted head")?;
        let weight = codec::ciphertext_len(plan.params(), 2, plan.params().top_level());
        Ok(Header::LEN + l.steps * weight + codec::ciphertext_len(plan.params(), 2, plan.first_level()))
    }

    /// The bytes of an encrypted head.
    ///
    /// # Errors
    /// [`Error::OtherMode`] where the plan does not offer it.
    pub fn to_bytes(&self, plan: &Plan) -> Result<Vec<u8>> {
        let len = Self::wire_len(plan)?;
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, len);
        let payload_len = (len - Header::LEN) as u64;
        Header { kind: KIND, params: plan.fingerprint(), payload_len }.write(&mut w);
        self.weights.iter().chain([&self.bias]).for_each(|c| w.bytes(&codec::encode_ciphertext(c)));
        w.finish();
        Ok(out)
    }

    /// Reads an encrypted head of this plan.
    ///
    /// # Errors
    /// [`Error::OtherMode`] for a plan whose heads are in the clear; [`Error::Wire`] for bytes that are cut or of another kind;
    /// [`Error::Count`] for another length than the plan's; [`Error::OtherPlan`] for a ciphertext of another level;
    /// [`Error::Ckks`] for a residue that is not below its prime.
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let wire = |source| Error::Wire { object: "encrypted head", source };
        let len = Self::wire_len(plan)?;
        let mut r = Header::open(bytes, KIND, plan.fingerprint()).map_err(wire)?;
        if bytes.len() != len {
            let (op, what, found) = ("encrypted head", "bytes", bytes.len());
            return Err(Error::Count { op, what, found, expected: len.to_string() });
        }
        let mut next = |level: Level| -> Result<Ciphertext> {
            let len = codec::ciphertext_len(plan.params(), 2, level);
            Ok(codec::decode_ciphertext(plan.params(), r.bytes("ciphertext", len).map_err(wire)?)?)
        };
        let ciphertexts = Self::levels(plan)?.into_iter().map(&mut next).collect::<Result<_>>()?;
        r.finish().map_err(wire)?;
        Self::from_ciphertexts(plan, ciphertexts)
    }
}
