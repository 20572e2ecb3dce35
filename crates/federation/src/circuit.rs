//! What encrypted inference needs of a key: parameters and key elements as plain data, without a word about heads.
//!
//! An `inference-keys` job makes a second collective secret under these parameters. A job that uses the key carries the same
//! circuit: it is part of the ceremony's transcript, so a share of the key opens under no other.

use serde::{Deserialize, Serialize};

use crate::{Blob, Error, JobId, JobSpec, Opening, Result, SiteId, Study, message};
use blindscope_ckks::noise::Noise;
use blindscope_ckks::{Level, ModulusLiteral, ParametersLiteral, Security};
use blindscope_threshold::Flooding;
use blindscope_wire::{Digest, Hasher};

/// Parameters and keys of encrypted inference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// `log2` of the ring degree.
    pub log_n: u32,
    /// Bits of the ciphertext primes, the last level's first; at least two.
    pub ciphertext: Vec<u32>,
    /// Bits of the special primes.
    pub special: Vec<u32>,
    /// Whether the parameters meet the quantum row of the security table.
    pub quantum: bool,
    /// Galois keys, by rising element.
    pub galois: Vec<GaloisDemand>,
    /// Level of the relinearisation key.
    pub relin: u32,
    /// `log2` of the standard deviation of an answer's noise, a coefficient, in thousandths; without what sites add.
    pub noise_millibits: u32,
    /// `log2` of the largest error that an answer bears, a coefficient, in thousandths.
    pub room_millibits: u32,
    /// Ciphertexts that are re-encrypted in the key's life, every attempt counted: its masks are derived from it.
    pub answers: u64,
}

/// A Galois key: `X -> X^element`, for levels up to `level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaloisDemand {
    /// Odd, below `2N`.
    pub element: u32,
    /// The highest level at which it is used.
    pub level: u32,
}

/// One question to an encrypted head, dealt in shares: nobody chose a ciphertext of it. See [`blindscope_threshold::Dealt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The job whose head is asked.
    pub head: JobId,
    /// The asker's public key, which answers are re-encrypted to.
    pub asker: Blob,
    /// What is left of the encoded tokens once the shares are taken off.
    pub remainder: Blob,
    /// The shares' seeds, sealed to their holders.
    pub dealt: Blob,
    /// The holders in order: they encrypt the shares.
    pub holders: Vec<SiteId>,
    /// How many tokens.
    pub tokens: u32,
    /// Ciphertexts of the question.
    pub pieces: u32,
    /// Ciphertexts of the answer.
    pub ciphertexts: u32,
    /// What the evaluation's own randomness is derived from: the coordinator's choice, told to sites and not to the asker.
    #[serde(with = "crate::text")]
    pub masks: Digest,
    /// Holders that the answer is not to be re-encrypted by while others can: in the asker's eyes they gave wrong shares before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoided: Vec<SiteId>,
}

/// What an encrypted head's answers are computed from, besides the question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The head's job file.
    pub head: Box<JobSpec>,
    /// The result that its job started from.
    pub start: Blob,
    /// The signed uploads that the head is the sum of, and the sum.
    pub opening: Opening,
    /// The evaluation keys.
    pub keys: Blob,
}

/// Most Galois keys.
const MAX_GALOIS: usize = 256;
/// Most primes of either kind.
const MAX_PRIMES: usize = 24;
/// Most ciphertexts of an answer.
const MAX_ANSWERS: u32 = 4096;
/// Most ciphertexts of a question.
const MAX_PIECES: u32 = 1024;

fn require(
    fine: bool,
    field: &'static str,
    found: impl std::fmt::Debug,
    expected: &'static str,
) -> Result<()> {
    if fine {
        Ok(())
    } else {
        Err(Error::Field { file: "job file", field, found: format!("{found:?}"), expected })
    }
}

impl Circuit {
    /// Whether every number is in range; parameters are checked where they are made.
    pub(crate) fn check(&self) -> Result<()> {
        require((4..=16).contains(&self.log_n), "circuit.log_n", self.log_n, "4 to 16")?;
        let primes = self.ciphertext.len();
        require((2..=MAX_PRIMES).contains(&primes), "circuit.ciphertext", primes, "2 to 24 primes")?;
        let special = self.special.len();
        require((1..=MAX_PRIMES).contains(&special), "circuit.special", special, "1 to 24 primes")?;
        require((self.relin as usize) < primes, "circuit.relin", self.relin, "a level of the primes")?;
        require(self.galois.len() <= MAX_GALOIS, "circuit.galois", self.galois.len(), "at most 256 keys")?;
        let rising = self.galois.windows(2).all(|w| matches!(w, [a, b] if a.element < b.element));
        let fits = |g: &GaloisDemand| {
            g.element % 2 == 1 && g.element < 2u32 << self.log_n && (g.level as usize) < primes
        };
        let fine = rising && self.galois.iter().all(fits);
        require(fine, "circuit.galois", &self.galois, "odd elements below 2N, rising, each at a level")?;
        let bits = self.noise_millibits.max(self.room_millibits);
        require(bits <= 120_000, "circuit.noise_millibits", bits, "at most 120000")?;
        require((1..=1 << 48).contains(&self.answers), "circuit.answers", self.answers, "1 to 2^48")
    }

    /// The parameters before any check of theirs.
    pub(crate) fn literal(&self) -> ParametersLiteral {
        let security = if self.quantum { Security::Quantum128 } else { Security::Classical128 };
        ParametersLiteral {
            log_n: self.log_n,
            ciphertext: ModulusLiteral::bits(&self.ciphertext),
            special: ModulusLiteral::bits(&self.special),
            log2_scale: 30,
            security,
        }
    }

    /// What a ceremony of this circuit is bound to.
    pub(crate) fn digest(&self) -> Digest {
        message::digest("blindscope/federation/circuit/v1", self)
    }

    pub(crate) fn relin_level(&self) -> Level {
        Level(self.relin as usize)
    }

    /// `log2` of the largest error that an answer bears, a coefficient.
    pub fn room_log2(&self) -> f64 {
        f64::from(self.room_millibits) / 1000.0
    }

    /// The masks of answers: over their noise and that of the members' zeros, which are rescaled and so add roundings only.
    ///
    /// # Errors
    /// [`Error::Threshold`] for weak masks, or for masks that would reach the message.
    pub fn flooding(&self, study: &Study) -> Result<Flooding> {
        let params = study.circuit_params(self)?;
        let (n, literal) = (params.n() as f64, study.literal());
        let secret = 1.0 + 2.0 / 3.0 * n * study.members().len() as f64;
        let zeros = f64::from(literal.threshold) * secret / 12.0;
        let answer = (f64::from(self.noise_millibits) / 500.0).exp2();
        let std = ((zeros + answer) * n).sqrt();
        let noise = Noise { std, bound: std };
        let committee = literal.threshold as usize;
        // Known values are opened once, before the first answer: their noise is that of one rounding, below the answers'.
        let openings = self.answers + blindscope_threshold::trial_committees(study.roster()).len() as u64;
        let bits = literal.statistical_bits;
        let flooding = Flooding::for_circuit(&params, noise, openings, committee, bits)?;
        flooding.require_room(self.room_log2())?;
        Ok(flooding)
    }
}

impl Evaluation {
    /// What tells one head under one key from another.
    pub fn digest(&self) -> Digest {
        let mut h = Hasher::new("blindscope/federation/evaluation/v1");
        h.absorb(&self.start.digest.0).absorb(&self.keys.digest.0).absorb(&self.opening.digest().0).finish()
    }
}

impl Question {
    /// 32 bytes from which a question's evaluation draws, in the job of this name: the same for whoever evaluates it.
    pub fn seed(&self, job: JobId) -> [u8; 32] {
        let mut h = Hasher::new("blindscope/federation/question-masks/v1");
        h.absorb(&self.masks.0).absorb(&job.0.0).finish().0
    }

    pub(crate) fn check(&self) -> Result<()> {
        let count = self.ciphertexts;
        require((1..=MAX_ANSWERS).contains(&count), "question.ciphertexts", count, "1 to 4096")?;
        require((1..=MAX_PIECES).contains(&self.pieces), "question.pieces", self.pieces, "1 to 1024")?;
        require(self.tokens > 0, "question.tokens", self.tokens, "at least 1")?;
        let rising = self.holders.windows(2).all(|w| w.first() < w.last());
        require(rising, "question.holders", &self.holders, "sites in order, each once")?;
        let rising = self.avoided.windows(2).all(|w| w.first() < w.last());
        let fine = rising && self.avoided.iter().all(|site| self.holders.contains(site));
        require(fine, "question.avoided", &self.avoided, "some of its holders in order, each once")
    }

    /// What tells this question from any other; also what its job is named after.
    pub fn digest(&self) -> Digest {
        Hasher::new("blindscope/federation/question/v1").absorb(message::to_text(self).as_bytes()).finish()
    }
}
