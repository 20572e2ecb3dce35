//! The keys of one party, each drawn from a generator that the caller hands in.
//!
//! Threads share the work of a key, and keys among them. What they need of the generator is drawn before they start, in the order in
//! which one thread would, so a key's bytes are the same for any number of them.

use rand_core::CryptoRng;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::{GaloisKey, GaloisKeys, PublicKey, RelinKey, SecretKey, SwitchingKey, UniformHalf};
use crate::{Error, Level, Parameters, Result, Seed};
use blindscope_ring::galois::{self, Automorphism};
use blindscope_ring::sample::SecretSeed;
use blindscope_ring::{Ntt, Poly, sample};

/// Makes the keys of one party.
pub struct KeyGenerator {
    params: Parameters,
}

/// What a switching key takes from a generator: the seed of its uniform half, and one for the errors of each digit.
struct Draws {
    uniform: Seed,
    errors: Vec<SecretSeed>,
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
        self.switching_key(&square, &secret.s, &self.draw(rng)?).map(RelinKey)
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
        let (log_n, top) = (self.params.log_n(), self.params.top_level());
        let elements: Vec<_> = steps.iter().map(|&k| (galois::rotation_element(k, log_n), top)).collect();
        self.galois_keys_at(secret, &elements, rng)
    }

    /// The keys of these Galois elements, each cut to the level at which it is used. Range: odd elements.
    ///
    /// # Timing
    /// Depends on the parameters, the elements and the levels, which are public.
    ///
    /// # Errors
    /// [`Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn galois_keys_at(
        &self,
        secret: &SecretKey,
        elements: &[(usize, Level)],
        rng: &mut impl CryptoRng,
    ) -> Result<GaloisKeys> {
        let draws: Vec<Draws> = elements.iter().map(|_| self.draw(rng)).collect::<Result<_>>()?;
        let keys: Result<Vec<_>> = elements
            .par_iter()
            .zip(&draws)
            .map(|((element, level), draws)| {
                let key = self.galois_key_of(secret, *element, draws)?;
                Ok(if *level < key.key().level() { key.at_level(*level) } else { key })
            })
            .collect();
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
        self.galois_key_of(secret, element, &self.draw(rng)?)
    }

    fn galois_key_of(&self, secret: &SecretKey, element: usize, draws: &Draws) -> Result<GaloisKey> {
        let log_n = self.params.log_n();
        // The inverse of an odd element modulo the power of two 2N is its power N/2 - 1: the group's exponent
        // divides N/2.
        let two_n = 2usize << log_n;
        let inverse = (1..1usize << (log_n - 1)).fold(1, |acc, _| acc * element % two_n);
        let target = Zeroizing::new(Automorphism::new(inverse, log_n).apply(&secret.s));
        Ok(GaloisKey::new(self.switching_key(&secret.s, &target, draws)?, element))
    }

    fn draw(&self, rng: &mut impl CryptoRng) -> Result<Draws> {
        self.params.special().ok_or(Error::NoSpecialPrime { op: "switching key" })?;
        let uniform = Seed::generate(rng);
        Ok(Draws { uniform, errors: (0..self.params.digits()).map(|_| SecretSeed::generate(rng)).collect() })
    }

    /// A gadget encryption of `from` under `to`, both over all primes.
    fn switching_key(&self, from: &Poly<Ntt>, to: &Poly<Ntt>, draws: &Draws) -> Result<SwitchingKey> {
        let special = self.params.special().ok_or(Error::NoSpecialPrime { op: "switching key" })?;
        let qp = self.params.qp();
        let digit = |(j, seed): (usize, &SecretSeed)| {
            let a = sample::uniform(qp, &draws.uniform, j as u64);
            let mut row = a.clone();
            qp.mul_assign(&mut row, to);
            qp.neg_assign(&mut row);
            let mut e = sample::error_poly_of(qp, seed);
            qp.add_assign(&mut row, &e);
            // On the thread that made it: its memory is that thread's to hand on.
            e.zeroize();
            let range = j * special.len()..((j + 1) * special.len()).min(self.params.q().len());
            for i in range {
                let prime = qp.prime(i);
                let m = prime.modulus();
                let p = special.primes().iter().fold(1, |acc, p| m.mul(acc, m.reduce(p.value())));
                prime.mul_constant_add_assign(row.limb_mut(i), from.limb(i), prime.constant(p));
            }
            (row, a)
        };
        let (b, a) = draws.errors.par_iter().enumerate().map(digit).unzip();
        Ok(SwitchingKey { params: self.params.clone(), b, a, half: UniformHalf::Seeded(draws.uniform) })
    }
}
