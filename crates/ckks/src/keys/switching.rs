//! Hybrid key switching: an encryption of one secret under another, digit by digit.

use crate::{Error, Parameters, Result, Seed};
use blindscope_ring::{Ntt, Poly, sample};

/// Where the uniform halves of a key come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniformHalf {
    /// Expanded from 32 bytes; digit `j` uses the seed's domain `j`.
    Seeded(Seed),
    /// Written out, as for keys that protocols sum up.
    Explicit,
}

/// A gadget encryption of a secret `s'` under `s`: for digit `j`, `(b_j, a_j)` with
/// `b_j = -a_j·s + e_j + P·g_j·s'`, where `P·g_j` is `P` modulo the primes of digit `j` and 0 modulo all others.
///
/// Reference: Han and Ki, "Better bootstrapping for approximate homomorphic encryption", 2020, §3.
#[derive(Clone, PartialEq, Eq)]
pub struct SwitchingKey {
    pub(crate) params: Parameters,
    pub(crate) b: Vec<Poly<Ntt>>,
    pub(crate) a: Vec<Poly<Ntt>>,
    pub(crate) half: UniformHalf,
}

impl SwitchingKey {
    /// The key with these `b_j` over all primes, its `a_j` expanded from a seed.
    ///
    /// # Errors
    /// [`Error::KeyShape`] if there are not as many as the parameters have digits.
    pub fn from_seed(params: &Parameters, b: Vec<Poly<Ntt>>, seed: Seed) -> Result<Self> {
        check(params, b.len())?;
        let a = (0..b.len()).map(|j| sample::uniform(params.qp(), &seed, j as u64)).collect();
        Ok(Self { params: params.clone(), b, a, half: UniformHalf::Seeded(seed) })
    }

    /// The key with these pairs over all primes.
    ///
    /// # Errors
    /// [`Error::KeyShape`] if there are not as many as the parameters have digits.
    pub fn from_pairs(params: &Parameters, b: Vec<Poly<Ntt>>, a: Vec<Poly<Ntt>>) -> Result<Self> {
        check(params, b.len())?;
        check(params, a.len())?;
        Ok(Self { params: params.clone(), b, a, half: UniformHalf::Explicit })
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// `b_j`, a digit each, over all primes.
    pub fn b(&self) -> &[Poly<Ntt>] {
        &self.b
    }

    /// `a_j`, a digit each, over all primes.
    pub fn a(&self) -> &[Poly<Ntt>] {
        &self.a
    }
}

fn check(params: &Parameters, found: usize) -> Result<()> {
    let expected = params.digits();
    if expected == 0 {
        return Err(Error::NoSpecialPrime { op: "switching key" });
    }
    if found != expected {
        return Err(Error::KeyShape { op: "switching key", expected, found });
    }
    Ok(())
}

impl std::fmt::Debug for SwitchingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SwitchingKey({} digits, {})", self.b.len(), self.params.fingerprint())
    }
}

/// Switches `s^2` to `s`, after a product of ciphertexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelinKey(pub SwitchingKey);
