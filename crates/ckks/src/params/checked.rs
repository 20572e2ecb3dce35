//! Parameters after every check, with their precomputation.

use std::sync::Arc;

use super::literal::{ModulusLiteral, ParametersLiteral};
use super::{Level, MAX_PRIMES, SwitchTables};
use crate::{Error, Result, Scale};
use blindscope_ring::lift::Lift;
use blindscope_ring::{Arithmetic, Basis, MAX_LOG_N, MIN_LOG_N, Shoup, ntt_primes};
use blindscope_wire::{Digest, Fingerprint, Hasher};

/// A checked parameter set; cheap to clone.
///
/// Invariants: primes are distinct, 1 modulo `2N`; `log2 QP` is within the security row, unless built by
/// [`Self::insecure_for_tests`]; the special primes are at least as wide as any digit; the scale fits level 0.
#[derive(Clone)]
pub struct Parameters(Arc<Inner>);

struct Inner {
    literal: ParametersLiteral,
    ceiling: Arithmetic,
    q: Basis,
    special: Option<Basis>,
    /// All ciphertext primes, then the special ones: where keys live.
    qp: Basis,
    lift: Lift,
    /// One a level; empty without special primes.
    switching: Vec<SwitchTables>,
    /// `[l][i]`: `q_l^-1 mod q_i`, `i < l`
    rescaling: Vec<Vec<Shoup>>,
    digest: Digest,
}

impl Parameters {
    /// Checks a literal.
    ///
    /// # Errors
    /// [`Error::Insecure`] above the security row, and one variant for each other reason.
    pub fn new(literal: ParametersLiteral) -> Result<Self> {
        Self::on(Arithmetic::fastest(), literal)
    }

    /// As [`Self::new`], on no faster path than `arithmetic`: to measure paths. All give the same bytes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(arithmetic: Arithmetic, literal: ParametersLiteral) -> Result<Self> {
        let limit = literal
            .security
            .max_log_qp(literal.log_n)
            .ok_or(Error::NoSecurityRow { log_n: literal.log_n })?;
        let params = Self::build(arithmetic, literal)?;
        let log_qp = params.qp().log2_product(params.qp().len());
        if log_qp > f64::from(limit) {
            return Err(Error::Insecure {
                log_n: params.log_n(),
                log_qp,
                limit,
                row: params.0.literal.security.name(),
            });
        }
        Ok(params)
    }

    /// As [`Self::new`] without the security check: toy sizes for tests. Never for data.
    ///
    /// # Errors
    /// As [`Self::new`], but for the security row.
    pub fn insecure_for_tests(literal: ParametersLiteral) -> Result<Self> {
        Self::build(Arithmetic::fastest(), literal)
    }

    /// As [`Self::insecure_for_tests`], on no faster path than `arithmetic`: to compare paths.
    ///
    /// # Errors
    /// As [`Self::insecure_for_tests`].
    pub fn insecure_for_tests_on(arithmetic: Arithmetic, literal: ParametersLiteral) -> Result<Self> {
        Self::build(arithmetic, literal)
    }

    fn build(arithmetic: Arithmetic, literal: ParametersLiteral) -> Result<Self> {
        let basis = |values: &[u64], log_n| Basis::on(arithmetic, values, log_n);
        let (q, special) = primes(&literal)?;
        if !(1..=MAX_PRIMES).contains(&q.len()) {
            return Err(Error::PrimeCount { what: "ciphertext", found: q.len(), min: 1, max: MAX_PRIMES });
        }
        if special.len() > q.len() {
            return Err(Error::PrimeCount { what: "special", found: special.len(), min: 0, max: q.len() });
        }
        let q = basis(&q, literal.log_n)?;
        let special = if special.is_empty() { None } else { Some(basis(&special, literal.log_n)?) };
        let q0_bits = q.prime(0).modulus().bits();
        if literal.log2_scale + 2 > q0_bits {
            return Err(Error::ScaleTooLarge { log2_scale: literal.log2_scale, q0_bits });
        }
        check_digits(&q, special.as_ref())?;
        let mut all: Vec<u64> = q.primes().iter().map(|p| p.value()).collect();
        all.extend(special.iter().flat_map(Basis::primes).map(|p| p.value()));
        if let Some(i) = (1..all.len()).find(|&i| all[..i].contains(&all[i])) {
            return Err(blindscope_ring::Error::RepeatedPrime { value: all[i] }.into());
        }
        Ok(Self(Arc::new(Inner::new(literal, arithmetic, q, special))))
    }

    /// The literal these were made from.
    pub fn literal(&self) -> &ParametersLiteral {
        &self.0.literal
    }

    /// The fastest path that its primes may run on.
    pub fn ceiling(&self) -> Arithmetic {
        self.0.ceiling
    }

    /// `log2 N`
    pub fn log_n(&self) -> u32 {
        self.0.literal.log_n
    }

    /// The ring degree `N`.
    pub fn n(&self) -> usize {
        1 << self.log_n()
    }

    /// Complex slots of a ciphertext: `N/2`.
    pub fn slots(&self) -> usize {
        self.n() / 2
    }

    /// The highest level, where fresh ciphertexts start.
    pub fn top_level(&self) -> Level {
        Level(self.0.q.len() - 1)
    }

    /// The default scale.
    pub fn default_scale(&self) -> Scale {
        Scale::pow2(self.0.literal.log2_scale as i16)
    }

    /// The basis of the ciphertext primes.
    pub fn q(&self) -> &Basis {
        &self.0.q
    }

    /// The basis of all primes, special ones last.
    pub fn qp(&self) -> &Basis {
        &self.0.qp
    }

    /// The basis of the special primes, if there are any.
    pub fn special(&self) -> Option<&Basis> {
        self.0.special.as_ref()
    }

    /// Key-switching digits of a key: ciphertext primes in runs as long as there are special primes.
    pub fn digits(&self) -> usize {
        self.0.special.as_ref().map_or(0, |s| self.0.q.len().div_ceil(s.len()))
    }

    /// `log2` of the modulus at a level.
    pub fn log_q(&self, level: Level) -> f64 {
        self.0.q.log2_product(level.limbs())
    }

    /// The scale as a number; exact to a few units in the last place.
    pub fn scale_value(&self, scale: &Scale) -> f64 {
        // The parts of a deep circuit's scale (2^3840 over powers of primes) do not fit a double, only their quotient
        // does. So powers of two are summed, and each prime is left with a factor near 1.
        let (mut mantissa, mut exponent) = (1.0, i32::from(scale.log2_part()));
        for (prime, &e) in self.0.q.primes().iter().zip(scale.exponents()) {
            let q = prime.value() as f64;
            let power = q.log2().round() as i32;
            mantissa *= (q / 2f64.powi(power)).powi(i32::from(e));
            exponent += power * i32::from(e);
        }
        mantissa * 2f64.powi(exponent)
    }

    /// `log2` of a scale.
    pub fn scale_log2(&self, scale: &Scale) -> f64 {
        let primes = self.0.q.primes().iter().zip(scale.exponents());
        primes
            .fold(f64::from(scale.log2_part()), |acc, (p, &e)| acc + f64::from(e) * (p.value() as f64).log2())
    }

    /// The digest of everything two parties must agree on: degree, primes, default scale.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The digest's first half, carried by every object on the wire.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.digest.fingerprint()
    }

    pub(crate) fn lift(&self) -> &Lift {
        &self.0.lift
    }

    pub(crate) fn switching(&self, level: Level, op: &'static str) -> Result<&SwitchTables> {
        self.0.switching.get(level.0).ok_or(Error::NoSpecialPrime { op })
    }

    /// `q_l^-1 mod q_i` for `i < l`, the top prime of `level` being `q_l`.
    pub(crate) fn rescaling(&self, level: Level) -> &[Shoup] {
        &self.0.rescaling[level.0]
    }

    pub(crate) fn check_level(&self, op: &'static str, level: Level) -> Result<()> {
        let top = self.top_level();
        if level > top { Err(Error::NoSuchLevel { op, found: level, top }) } else { Ok(()) }
    }

    pub(crate) fn check_same(&self, op: &'static str, other: &Self) -> Result<()> {
        if Arc::ptr_eq(&self.0, &other.0) || self.0.digest == other.0.digest {
            return Ok(());
        }
        let (left, right) = (self.fingerprint().to_string(), other.fingerprint().to_string());
        Err(Error::Parameters { op, left, right })
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Parameters {}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = |b: &Basis| b.primes().iter().map(|p| p.modulus().bits()).collect::<Vec<_>>();
        write!(f, "Parameters(N = 2^{}, q {:?}", self.log_n(), bits(&self.0.q))?;
        if let Some(p) = &self.0.special {
            write!(f, ", special {:?}", bits(p))?;
        }
        write!(f, ", scale 2^{})", self.0.literal.log2_scale)
    }
}

impl Inner {
    fn new(literal: ParametersLiteral, ceiling: Arithmetic, q: Basis, special: Option<Basis>) -> Self {
        let qp = special.as_ref().map_or_else(|| q.clone(), |s| q.concat(s));
        let switching = match &special {
            Some(s) => (1..=q.len()).map(|limbs| SwitchTables::new(&q, s, limbs)).collect(),
            None => Vec::new(),
        };
        let rescaling = (0..q.len())
            .map(|l| {
                q.primes()[..l]
                    .iter()
                    .map(|p| p.constant(p.modulus().inv(p.modulus().reduce(q.prime(l).value()))))
                    .collect()
            })
            .collect();
        let mut hasher = Hasher::new("blindscope/ckks/parameters/v1");
        hasher.absorb_u64(u64::from(literal.log_n)).absorb_u64(u64::from(literal.log2_scale));
        hasher.absorb_u64(q.len() as u64);
        for p in qp.primes() {
            hasher.absorb_u64(p.value());
        }
        let lift = Lift::new(&q);
        Self { digest: hasher.finish(), literal, ceiling, q, special, qp, lift, switching, rescaling }
    }
}

/// The primes that the literal stands for: ciphertext, special.
fn primes(literal: &ParametersLiteral) -> Result<(Vec<u64>, Vec<u64>)> {
    if !(MIN_LOG_N..=MAX_LOG_N).contains(&literal.log_n) {
        let (log_n, min, max) = (literal.log_n, MIN_LOG_N, MAX_LOG_N);
        return Err(blindscope_ring::Error::Degree { log_n, min, max }.into());
    }
    let mut taken: Vec<u64> = Vec::new();
    let mut take = |list: &ModulusLiteral| -> Result<Vec<u64>> {
        match list {
            ModulusLiteral::Primes(p) => {
                taken.extend(p);
                Ok(p.clone())
            }
            ModulusLiteral::Bits(widths) => widths
                .iter()
                .map(|&bits| {
                    let used = taken.iter().filter(|&&p| 64 - p.leading_zeros() == bits).count();
                    let candidates = ntt_primes(bits, literal.log_n, used + 1)?;
                    let free = candidates.into_iter().find(|p| !taken.contains(p));
                    // One more candidate than taken primes of that width leaves at least one free.
                    let prime = free.ok_or(blindscope_ring::Error::EmptyBasis)?;
                    taken.push(prime);
                    Ok(prime)
                })
                .collect(),
        }
    };
    Ok((take(&literal.ciphertext)?, take(&literal.special)?))
}

/// The special primes have to outweigh every digit, or switching noise outgrows the rounding it hides under.
fn check_digits(q: &Basis, special: Option<&Basis>) -> Result<()> {
    let Some(special) = special else { return Ok(()) };
    let width = |primes: &[Arc<blindscope_ring::Prime>]| -> f64 {
        primes.iter().map(|p| (p.value() as f64).log2()).sum()
    };
    let special_bits = width(special.primes());
    let digit = q.primes().chunks(special.len()).map(width).fold(0.0, f64::max);
    if special_bits + 0.5 < digit {
        return Err(Error::SpecialTooNarrow { special: special_bits, digit });
    }
    Ok(())
}
