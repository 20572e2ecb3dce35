//! The keys of one party, each drawn from a generator that the caller hands in.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::{GaloisKey, GaloisKeys, PublicKey, RelinKey, SecretKey, SwitchingKey};
use crate::{Error, Parameters, Result, Seed};
use blindscope_ring::galois::{self, Automorphism};
use blindscope_ring::{Ntt, Poly, sample};

/// Makes the keys of one party.
pub struct KeyGenerator {
    params: Parameters,
}

impl KeyGenerator {
    /// A generator for these parameters.
    pub fn new(params: &Parameters) -> Self {
        Self { params: params.clone() }
    }

    /// A fresh secret key.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    pub fn secret_key(&self, rng: &mut impl CryptoRng) -> SecretKey {
        SecretKey::generate(&self.params, rng)
    }

    /// The public key of a secret key.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    pub fn public_key(&self, secret: &SecretKey, rng: &mut impl CryptoRng) -> PublicKey {
        let q = self.params.q();
        let seed = Seed::generate(rng);
        let mut b = sample::uniform(q, &seed, 0);
        q.mul_assign(&mut b, &secret.s);
        q.neg_assign(&mut b);
        let e = Zeroizing::new(sample::error_poly(q, rng));
        q.add_assign(&mut b, &e);
        PublicKey::from_seed(&self.params, b, seed)
    }

    /// The relinearisation key of a secret key.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn relin_key(&self, secret: &SecretKey, rng: &mut impl CryptoRng) -> Result<RelinKey> {
        let mut square = Zeroizing::new(secret.s.clone());
        self.params.qp().mul_assign(&mut square, &secret.s);
        self.switching_key(&square, &secret.s, rng).map(RelinKey)
    }

    /// The key that rotates slots left by `steps` (right if negative).
    ///
    /// # Timing
    /// Depends on the parameters and the step, which is public.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn rotation_key(
        &self,
        secret: &SecretKey,
        steps: i64,
        rng: &mut impl CryptoRng,
    ) -> Result<GaloisKey> {
        self.galois_key(secret, galois::rotation_element(steps, self.params.log_n()), rng)
    }

    /// The key that conjugates slots.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn conjugation_key(&self, secret: &SecretKey, rng: &mut impl CryptoRng) -> Result<GaloisKey> {
        self.galois_key(secret, galois::conjugation_element(self.params.log_n()), rng)
    }

    /// Galois keys of rotations by each of `steps`.
    ///
    /// # Timing
    /// Depends on the parameters and the steps, which are public.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn galois_keys(
        &self,
        secret: &SecretKey,
        steps: &[i64],
        rng: &mut impl CryptoRng,
    ) -> Result<GaloisKeys> {
        let keys: Result<Vec<_>> = steps.iter().map(|&k| self.rotation_key(secret, k, rng)).collect();
        keys.map(GaloisKeys::new)
    }

    /// The key for `X -> X^element`. Range: odd element.
    ///
    /// # Timing
    /// Depends on the parameters and the element, which is public.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn galois_key(
        &self,
        secret: &SecretKey,
        element: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<GaloisKey> {
        let log_n = self.params.log_n();
        // The inverse of an odd element modulo the power of two 2N is its power N/2 - 1: the group's exponent
        // divides N/2.
        let two_n = 2usize << log_n;
        let inverse = (1..1usize << (log_n - 1)).fold(1, |acc, _| acc * element % two_n);
        let target = Zeroizing::new(Automorphism::new(inverse, log_n).apply(&secret.s));
        Ok(GaloisKey::new(self.switching_key(&secret.s, &target, rng)?, element))
    }

    /// A gadget encryption of `from` under `to`, both over all primes.
    fn switching_key(
        &self,
        from: &Poly<Ntt>,
        to: &Poly<Ntt>,
        rng: &mut impl CryptoRng,
    ) -> Result<SwitchingKey> {
        let special = self.params.special().ok_or(Error::NoSpecialPrime { op: "switching key" })?;
        let qp = self.params.qp();
        let seed = Seed::generate(rng);
        let mut b = Vec::with_capacity(self.params.digits());
        for j in 0..self.params.digits() {
            let mut row = sample::uniform(qp, &seed, j as u64);
            qp.mul_assign(&mut row, to);
            qp.neg_assign(&mut row);
            let mut e = sample::error_poly(qp, rng);
            qp.add_assign(&mut row, &e);
            e.zeroize();
            let range = j * special.len()..((j + 1) * special.len()).min(self.params.q().len());
            for i in range {
                let prime = qp.prime(i);
                let m = prime.modulus();
                let p = special.primes().iter().fold(1, |acc, p| m.mul(acc, m.reduce(p.value())));
                prime.mul_constant_add_assign(row.limb_mut(i), from.limb(i), prime.constant(p));
            }
            b.push(row);
        }
        SwitchingKey::from_seed(&self.params, b, seed)
    }
}
