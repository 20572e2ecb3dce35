//! A row of primes: the residue number system of one modulus `Q = q_0·…·q_(L-1)`.

use std::sync::Arc;

use crate::{Arithmetic, Coeff, Error, Ntt, Poly, Prime, Representation};

/// Distinct primes of one ring degree. Cheap to clone; a prefix shares its primes.
///
/// A polynomial with fewer limbs than the basis has primes lives modulo the product of the first ones, which is
/// how ciphertexts lose levels.
#[derive(Debug, Clone)]
pub struct Basis {
    log_n: u32,
    primes: Arc<[Arc<Prime>]>,
}

impl Basis {
    /// The basis of these primes, in this order.
    ///
    /// # Errors
    /// [`Error::EmptyBasis`] for no prime, [`Error::RepeatedPrime`] for one that stands twice, or as [`Prime::new`].
    pub fn new(values: &[u64], log_n: u32) -> Result<Self, Error> {
        Self::on(Arithmetic::fastest(), values, log_n)
    }

    /// As [`Self::new`], on no faster path than `ceiling`: to measure and compare paths.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(ceiling: Arithmetic, values: &[u64], log_n: u32) -> Result<Self, Error> {
        if values.is_empty() {
            return Err(Error::EmptyBasis);
        }
        for (i, v) in values.iter().enumerate() {
            if values[..i].contains(v) {
                return Err(Error::RepeatedPrime { value: *v });
            }
        }
        let primes =
            values.iter().map(|&v| Prime::on(ceiling, v, log_n).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self { log_n, primes })
    }

    /// A basis of the primes of `self` followed by those of `other`. Range: same degree, distinct primes.
    #[must_use]
    pub fn concat(&self, other: &Self) -> Self {
        debug_assert_eq!(self.log_n, other.log_n);
        Self { log_n: self.log_n, primes: self.primes.iter().chain(other.primes.iter()).cloned().collect() }
    }

    /// The basis of the first `len` primes. Range: `1 <= len <= self.len()`.
    #[must_use]
    pub fn prefix(&self, len: usize) -> Self {
        debug_assert!((1..=self.len()).contains(&len));
        Self { log_n: self.log_n, primes: self.primes.iter().take(len).cloned().collect() }
    }

    /// `log2 N`.
    pub fn log_n(&self) -> u32 {
        self.log_n
    }

    /// The ring degree `N`.
    pub fn n(&self) -> usize {
        1 << self.log_n
    }

    /// How many primes.
    pub fn len(&self) -> usize {
        self.primes.len()
    }

    /// Never: a basis has at least one prime.
    pub fn is_empty(&self) -> bool {
        self.primes.is_empty()
    }

    /// The primes in order.
    pub fn primes(&self) -> &[Arc<Prime>] {
        &self.primes
    }

    /// The prime at `index`. Range: `index < self.len()`.
    pub fn prime(&self, index: usize) -> &Prime {
        &self.primes[index]
    }

    /// `log2` of the product of the first `limbs` primes.
    pub fn log2_product(&self, limbs: usize) -> f64 {
        self.primes.iter().take(limbs).map(|p| (p.value() as f64).log2()).sum()
    }

    /// The zero polynomial with a limb for each prime.
    pub fn zero<R: Representation>(&self) -> Poly<R> {
        Poly::zero(self.n(), self.len())
    }

    /// Coefficients to evaluations.
    pub fn to_ntt(&self, mut a: Poly<Coeff>) -> Poly<Ntt> {
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            prime.forward(limb);
        }
        a.relabel()
    }

    /// Evaluations to coefficients.
    pub fn to_coeff(&self, mut a: Poly<Ntt>) -> Poly<Coeff> {
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            prime.inverse(limb);
        }
        a.relabel()
    }

    /// `a += b`. Range: as many limbs in each, at most one a prime; so for the methods below.
    pub fn add_assign<R: Representation>(&self, a: &mut Poly<R>, b: &Poly<R>) {
        self.zip(a, b, Prime::add_assign);
    }

    /// `a -= b`
    pub fn sub_assign<R: Representation>(&self, a: &mut Poly<R>, b: &Poly<R>) {
        self.zip(a, b, Prime::sub_assign);
    }

    /// `a = -a`
    pub fn neg_assign<R: Representation>(&self, a: &mut Poly<R>) {
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            prime.neg_assign(limb);
        }
    }

    /// `a *= b`, the ring product.
    pub fn mul_assign(&self, a: &mut Poly<Ntt>, b: &Poly<Ntt>) {
        self.zip(a, b, Prime::mul_assign);
    }

    /// `acc += a·b`
    pub fn mul_add_assign(&self, acc: &mut Poly<Ntt>, a: &Poly<Ntt>, b: &Poly<Ntt>) {
        debug_assert!(acc.limb_count() <= a.limb_count() && acc.limb_count() <= b.limb_count());
        for (i, (limb, prime)) in acc.limbs_mut().zip(self.primes.iter()).enumerate() {
            prime.mul_add_assign(limb, a.limb(i), b.limb(i));
        }
    }

    /// `a *= c` for a signed integer, the same modulo every prime.
    pub fn mul_integer_assign<R: Representation>(&self, a: &mut Poly<R>, c: i64) {
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            prime.mul_constant_assign(limb, prime.constant(prime.modulus().from_i64(c)));
        }
    }

    /// `a *= c` for a different residue modulo each prime. Range: `c[i] < q_i`.
    pub fn mul_residues_assign<R: Representation>(&self, a: &mut Poly<R>, c: &[u64]) {
        for ((limb, prime), &c) in a.limbs_mut().zip(self.primes.iter()).zip(c) {
            prime.mul_constant_assign(limb, prime.constant(c));
        }
    }

    /// The polynomial with these signed coefficients, in constant time.
    pub fn from_signed(&self, coefficients: &[i64]) -> Poly<Coeff> {
        debug_assert_eq!(coefficients.len(), self.n());
        let mut a = Poly::unspecified(self.n(), self.len());
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            for (x, &v) in limb.iter_mut().zip(coefficients) {
                *x = prime.modulus().from_i64(v);
            }
        }
        a
    }

    /// The evaluations of the polynomial with these signed coefficients; see [`Prime::signed_to_ntt`].
    pub fn signed_to_ntt(&self, coefficients: &[i64]) -> Poly<Ntt> {
        let mut a = Poly::unspecified(self.n(), self.len());
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            prime.signed_to_ntt(limb, coefficients);
        }
        a
    }

    /// As [`Self::from_signed`], for coefficients below `2^62` times the smallest prime in size.
    pub fn from_signed_wide(&self, coefficients: &[i128]) -> Poly<Coeff> {
        debug_assert_eq!(coefficients.len(), self.n());
        let mut a = Poly::unspecified(self.n(), self.len());
        for (limb, prime) in a.limbs_mut().zip(self.primes.iter()) {
            for (x, &v) in limb.iter_mut().zip(coefficients) {
                *x = prime.modulus().from_i128(v);
            }
        }
        a
    }

    fn zip<R: Representation>(&self, a: &mut Poly<R>, b: &Poly<R>, f: fn(&Prime, &mut [u64], &[u64])) {
        // The right side may have limbs to spare: keys and plaintexts of a higher level.
        debug_assert!(a.limb_count() <= b.limb_count() && a.limb_count() <= self.len());
        for (i, (limb, prime)) in a.limbs_mut().zip(self.primes.iter()).enumerate() {
            f(prime, limb, b.limb(i));
        }
    }
}
