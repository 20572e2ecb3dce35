//! The asker's secrets and the keys that it sends to a server once.

use rand_core::CryptoRng;

use crate::{Error, KeyOwner, Plan, Result};
use blindscope_ckks::ring_switch::{self, RingSwitchKey, SmallSecret};
use blindscope_ckks::zeros::{self, ZeroKey};
use blindscope_ckks::{
    GaloisKey, GaloisKeys, KeyGenerator, Level, RelinKey, SecretKey, Seed, UniformHalf, codec,
    conjugation_element, rotation_element,
};
use blindscope_wire::{Header, Kind, Reader, Writer};

/// Evaluation keys.
pub(crate) const KIND: Kind = Kind(0x0501);

/// What an asker keeps: the key its questions are encrypted under, and the one that answers come back under. Wiped on
/// drop, without a wire form.
#[derive(Debug)]
pub struct AskerSecret {
    pub(crate) secret: SecretKey,
    pub(crate) small: SmallSecret,
}

impl AskerSecret {
    /// Fresh secrets for a plan.
    ///
    /// # Timing
    /// Depends on the plan alone.
    ///
    /// # Errors
    /// [`Error::Ckks`] where the degree of the plan's answers has no ring.
    pub fn generate(plan: &Plan, rng: &mut impl CryptoRng) -> Result<Self> {
        let secret = KeyGenerator::new(plan.params()).secret_key(rng);
        let small = if plan.switches_ring() {
            SmallSecret::generate(plan.answer_degree(), rng)?
        } else {
            SmallSecret::full(&secret)
        };
        Ok(Self { secret, small })
    }

    /// The key that questions are encrypted under.
    pub fn key(&self) -> &SecretKey {
        &self.secret
    }
}

/// The keys that a plan's server needs, each cut to the level at which it is used.
#[derive(Debug, Clone)]
pub struct EvaluationKeys {
    /// Rotations and the conjugation.
    pub galois: GaloisKeys,
    /// For products of ciphertexts.
    pub relin: Option<RelinKey>,
    /// For answers in a smaller ring.
    pub ring_switch: Option<RingSwitchKey>,
    /// For encryptions of zero that hide how an answer under the asker's own key was computed.
    pub zeros: Option<ZeroKey>,
}

impl EvaluationKeys {
    /// The keys of an asker.
    ///
    /// # Timing
    /// Depends on the plan alone.
    ///
    /// # Errors
    /// [`Error::Ckks`] where the scheme refuses, see there.
    pub fn generate(plan: &Plan, secret: &AskerSecret, rng: &mut impl CryptoRng) -> Result<Self> {
        let mut keys = Self::for_secret(plan, &secret.secret, rng)?;
        if plan.switches_ring() {
            let digits = plan.answer_digits();
            keys.ring_switch = Some(RingSwitchKey::generate(&secret.secret, &secret.small, digits, rng)?);
        }
        if plan.has_zero_key() {
            keys.zeros = Some(ZeroKey::generate(plan.params(), &secret.small, rng)?);
        }
        Ok(keys)
    }

    /// Keys of one secret without a way to a smaller ring, as plans under a collective key need them; a committee makes
    /// the same keys together.
    ///
    /// # Timing
    /// Depends on the plan alone.
    ///
    /// # Errors
    /// [`Error::Ckks`] where the scheme refuses, see there.
    pub fn for_secret(plan: &Plan, secret: &SecretKey, rng: &mut impl CryptoRng) -> Result<Self> {
        let generator = KeyGenerator::new(plan.params());
        let log_n = plan.params().log_n();
        // Drawn in this order, made by every thread.
        let rotations =
            plan.rotation_keys().into_iter().map(|(k, level)| (rotation_element(k, log_n), level));
        let conjugation = (conjugation_element(log_n), plan.rotated_level());
        let elements: Vec<_> = [conjugation].into_iter().chain(rotations).collect();
        let galois = generator.galois_keys_at(secret, &elements, rng)?;
        let relin = plan
            .relin_level()
            .map(|level| generator.relin_key(secret, rng).map(|k| k.at_level(level)))
            .transpose()?;
        Ok(Self { galois, relin, ring_switch: None, zeros: None })
    }

    /// The bytes of seeded keys: [`Plan::keys_len`] of them.
    ///
    /// # Errors
    /// [`Error::Count`] if the keys are not those that the plan names: their bytes are more or fewer.
    pub fn to_bytes(&self, plan: &Plan) -> Result<Vec<u8>> {
        let len = plan.keys_len();
        let mut payload = Vec::with_capacity(len);
        self.galois.iter().for_each(|k| payload.extend(codec::encode_galois_key(k)));
        self.relin.iter().for_each(|k| payload.extend(codec::encode_relin_key(k)));
        self.ring_switch.iter().for_each(|k| payload.extend(ring_switch::encode_key(k)));
        self.zeros.iter().for_each(|k| payload.extend(zeros::encode_key(k)));
        if payload.len() + Header::LEN != len {
            let (op, what, found) = ("write keys", "bytes of keys", payload.len());
            let expected = format!("{} by plan {}", len - Header::LEN, plan.id());
            return Err(Error::Count { op, what, found, expected });
        }
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, len);
        Header { kind: KIND, params: plan.fingerprint(), payload_len: payload.len() as u64 }.write(&mut w);
        w.bytes(&payload);
        w.finish();
        Ok(out)
    }

    /// Reads seeded keys: exactly those that the plan names, at their levels.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes of another kind or plan, [`Error::Count`] for another length than the plan's, [`Error::Ckks`] for
    /// a key that is cut or altered, [`Error::OtherKey`] for one that the plan does not name.
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let wire = |source| Error::Wire { object: "keys", source };
        let mut r = Header::open(bytes, KIND, plan.fingerprint()).map_err(wire)?;
        if bytes.len() != plan.keys_len() {
            let (op, what, found) = ("keys", "bytes", bytes.len());
            return Err(Error::Count { op, what, found, expected: plan.keys_len().to_string() });
        }
        let params = plan.params();
        let seeded = UniformHalf::Seeded(Seed([0; 32]));
        let mut galois = Vec::new();
        for (element, level) in plan.galois_elements() {
            let len = codec::galois_key_len(params, level, seeded);
            let key = codec::decode_galois_key(params, r.bytes("Galois key", len).map_err(wire)?)?;
            require(&key, element, level)?;
            galois.push(key);
        }
        let relin = match plan.relin_level() {
            Some(level) => Some(read_relin(plan, level, &mut r)?),
            None => None,
        };
        let ring_switch = if plan.switches_ring() {
            let digits = plan.answer_digits();
            let bytes = r.bytes("ring-switching key", ring_switch::key_len(params, digits)).map_err(wire)?;
            Some(ring_switch::decode_key(params, plan.answer_degree(), digits, bytes)?)
        } else {
            None
        };
        let zeros = if plan.has_zero_key() {
            let (degree, params) = (plan.answer_degree(), plan.params());
            let bytes = r.bytes("zero key", zeros::key_len(params, degree)).map_err(wire)?;
            Some(zeros::decode_key(params, degree, bytes)?)
        } else {
            None
        };
        r.finish().map_err(wire)?;
        Ok(Self { galois: GaloisKeys::new(galois), relin, ring_switch, zeros })
    }
}

fn read_relin(plan: &Plan, level: Level, r: &mut Reader<'_>) -> Result<RelinKey> {
    let len = codec::relin_key_len(plan.params(), level, UniformHalf::Seeded(Seed([0; 32])));
    let wire = |source| Error::Wire { object: "keys", source };
    let key = codec::decode_relin_key(plan.params(), r.bytes("relinearisation key", len).map_err(wire)?)?;
    if key.0.level() == level {
        return Ok(key);
    }
    other_key(format!("a relinearisation key at level {}", key.0.level()), format!("level {level}"))
}

fn require(key: &GaloisKey, element: usize, level: Level) -> Result<()> {
    if (key.element(), key.key().level()) == (element, level) {
        return Ok(());
    }
    let found = format!("Galois element {} at level {}", key.element(), key.key().level());
    other_key(found, format!("element {element} at level {level}"))
}

fn other_key<T>(found: String, expected: String) -> Result<T> {
    Err(Error::OtherKey { op: "keys", found, expected })
}

impl Plan {
    /// `(element, level)` of every Galois key, in the order of the wire.
    pub fn galois_elements(&self) -> Vec<(usize, Level)> {
        let log_n = self.params().log_n();
        let conjugation = (conjugation_element(log_n), self.rotated_level());
        let rotation = |(steps, level)| (rotation_element(steps, log_n), level);
        let mut all: Vec<_> = self.rotation_keys().into_iter().map(rotation).chain([conjugation]).collect();
        all.sort_by_key(|k| k.0);
        all
    }

    pub(crate) fn require_key(&self, op: &'static str, owner: KeyOwner) -> Result<()> {
        if self.literal().key == owner {
            return Ok(());
        }
        let name = |k: KeyOwner| match k {
            KeyOwner::Asker => "the asker's own key",
            KeyOwner::Collective => "a collective key",
        };
        Err(Error::OtherMode { op, found: name(self.literal().key), expected: name(owner) })
    }
}
