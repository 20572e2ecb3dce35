//! From a ring to a smaller one: a ciphertext whose message lies in `Z[X^r]` becomes one of degree `N/r`, `r` times
//! shorter.
//!
//! Let `Y = X^r` and let `s'` be a secret of degree `N/r`. A key switch from `s` to `s'(Y)` gives
//! `c_0 + c_1·s'(Y) ≈ m`; since `s'(Y)` and `m` have powers of `Y` alone, so much of `c_0` and `c_1` as has powers of
//! `Y` alone decrypts by itself to `m`, in the ring of `Y`. The key encrypts `s` under a secret of the *smaller*
//! degree, so its modulus must meet that degree's row of the security table: one prime of 40 bits is within the quantum
//! row of degree 2048 and above. Without a special prime, `c_1` is cut into digits of a few bits.
//!
//! Reference: Gentry, Halevi, Peikert, Smart, "Ring switching in BGV-style homomorphic encryption", 2012.

use rand_core::CryptoRng;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::codec::{RING_SWITCH_KEY, fields};
use crate::{Ciphertext, Error, Level, Parameters, Result, SecretKey, Seed};
use blindscope_ring::sample::SecretSeed;
use blindscope_ring::{Basis, Coeff, Ntt, Poly, ntt_primes, sample};
use blindscope_wire::Header;

/// Bits of the modulus of ring switching.
pub const MODULUS_BITS: u32 = 40;
/// Smallest degree to switch to: 40 bits are the quantum row of this degree.
pub const MIN_DEGREE: usize = 2048;
/// Bits of the digits that a key is made for: narrower ones make less noise and longer keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigitBits(u32);

impl DigitBits {
    /// Short keys.
    pub const WIDE: Self = Self(8);

    /// Digits of so many bits.
    ///
    /// # Errors
    /// [`Error::DigitBits`] beyond two to eight.
    pub fn new(bits: u32) -> Result<Self> {
        if (2..=8).contains(&bits) { Ok(Self(bits)) } else { Err(Error::DigitBits { found: bits }) }
    }

    /// Digits of a residue.
    fn count(self) -> usize {
        MODULUS_BITS.div_ceil(self.0) as usize
    }

    /// Standard deviation of a coefficient's error in a ring of degree `n`, without the rounding to the modulus.
    pub fn noise(self, n: usize) -> f64 {
        // Digits are uniform in [-2^(bits-1), 2^(bits-1)).
        let digit = f64::from(self.0).exp2() / 12f64.sqrt();
        (self.count() as f64 * n as f64).sqrt() * digit * sample::ERROR_STD
    }
}

/// A ternary secret of a smaller degree. Wiped on drop.
pub struct SmallSecret {
    coefficients: Zeroizing<Vec<i64>>,
}

impl SmallSecret {
    /// A fresh secret of this degree.
    ///
    /// # Timing
    /// Depends on the degree alone.
    ///
    /// # Errors
    /// [`Error::NoSecurityRow`] below the smallest degree or if it is no power of two.
    pub fn generate(degree: usize, rng: &mut impl CryptoRng) -> Result<Self> {
        if degree < MIN_DEGREE || !degree.is_power_of_two() {
            return Err(Error::NoSecurityRow { log_n: degree.max(1).ilog2() });
        }
        let mut coefficients = Zeroizing::new(vec![0; degree]);
        sample::ternary(rng, &mut coefficients);
        Ok(Self { coefficients })
    }

    /// The secret of a full-size key, for ciphertexts that are not switched.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    pub fn full(secret: &SecretKey) -> Self {
        let first = secret.params.q().prefix(1);
        let mut s = first.to_coeff(secret.s.prefix(1));
        let m = first.prime(0).modulus();
        let coefficients = Zeroizing::new(s.limb(0).iter().map(|&x| m.centre(x)).collect());
        s.zeroize();
        Self { coefficients }
    }

    /// The degree.
    pub fn degree(&self) -> usize {
        self.coefficients.len()
    }

    pub(crate) fn coefficients(&self) -> &[i64] {
        &self.coefficients
    }

    /// Coefficients `places` of `c·s` modulo `2^64`, in time that depends on the sizes alone.
    ///
    /// # Timing
    /// Depends on the sizes and the places, which are public.
    ///
    /// # Errors
    /// [`Error::KeyShape`] if `c` is of another degree.
    pub fn product_coefficients(&self, c: &[u64], places: &[usize]) -> Result<Vec<u64>> {
        let n = self.degree();
        if c.len() != n {
            return Err(Error::KeyShape { op: "small secret", expected: n, found: c.len() });
        }
        let s: Zeroizing<Vec<u64>> = Zeroizing::new(self.coefficients.iter().map(|&x| x as u64).collect());
        // With c reversed, coefficient p is a sum over two runs: j <= p positive, j > p wrapped and negative.
        let reversed: Vec<u64> = c.iter().rev().copied().collect();
        let dot = |a: &[u64], b: &[u64]| {
            a.iter().zip(b).fold(0u64, |acc, (x, y)| acc.wrapping_add(x.wrapping_mul(*y)))
        };
        let one = |&p: &usize| {
            let p = p % n;
            let low = dot(&s[..=p], &reversed[n - 1 - p..]);
            low.wrapping_sub(dot(&s[p + 1..], &reversed[..n - 1 - p]))
        };
        Ok(places.iter().map(one).collect())
    }
}

impl std::fmt::Debug for SmallSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SmallSecret(redacted)")
    }
}

/// A ciphertext of a smaller degree in coefficients, modulo [`RingSwitchKey::modulus`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallCiphertext {
    /// Coefficients of the half without the secret.
    pub c0: Vec<u64>,
    /// Coefficients of the half with it.
    pub c1: Vec<u64>,
}

/// Switches from a secret of degree `N` to one of a smaller degree.
#[derive(Clone, PartialEq, Eq)]
pub struct RingSwitchKey {
    params: Parameters,
    degree: usize,
    digits: DigitBits,
    basis: SmallBasis,
    b: Vec<Poly<Ntt>>,
    a: Vec<Poly<Ntt>>,
    seed: Seed,
}

/// The one prime, compared by value.
#[derive(Clone)]
struct SmallBasis(Basis);

impl PartialEq for SmallBasis {
    fn eq(&self, other: &Self) -> bool {
        self.0.n() == other.0.n() && self.0.prime(0).value() == other.0.prime(0).value()
    }
}

impl Eq for SmallBasis {}

impl SmallBasis {
    fn new(params: &Parameters) -> Result<Self> {
        let primes = ntt_primes(MODULUS_BITS, params.log_n(), 1)?;
        Ok(Self(Basis::on(params.ceiling(), &primes, params.log_n())?))
    }
}

/// `s'(X^r)` over the switching modulus, in evaluations.
fn spread(basis: &Basis, small: &SmallSecret) -> Zeroizing<Poly<Ntt>> {
    let stride = basis.n() / small.degree();
    let mut coefficients = Zeroizing::new(vec![0; basis.n()]);
    for (i, &x) in small.coefficients.iter().enumerate() {
        coefficients[i * stride] = x;
    }
    Zeroizing::new(basis.signed_to_ntt(&coefficients))
}

impl RingSwitchKey {
    /// The key from `secret` to `small`.
    ///
    /// # Timing
    /// Depends on the parameters and the degrees alone.
    ///
    /// # Errors
    /// [`Error::KeyShape`] if the small degree is above the parameters'.
    pub fn generate(
        secret: &SecretKey,
        small: &SmallSecret,
        digits: DigitBits,
        rng: &mut impl CryptoRng,
    ) -> Result<Self> {
        let params = &secret.params;
        if small.degree() > params.n() {
            let (expected, found) = (params.n(), small.degree());
            return Err(Error::KeyShape { op: "ring switch", expected, found });
        }
        let basis = SmallBasis::new(params)?;
        let q = &basis.0;
        let target = spread(q, small);
        let from = Zeroizing::new(q.signed_to_ntt(&SmallSecret::full(secret).coefficients));
        let seed = Seed::generate(rng);
        let errors: Vec<SecretSeed> = (0..digits.count()).map(|_| SecretSeed::generate(rng)).collect();
        let row = |(j, error): (usize, &SecretSeed)| {
            let a = sample::uniform(q, &seed, j as u64);
            let mut row = a.clone();
            q.mul_assign(&mut row, &target);
            q.neg_assign(&mut row);
            let e = Zeroizing::new(sample::error_poly_of(q, error));
            q.add_assign(&mut row, &e);
            let gadget = q.prime(0).constant(1 << (digits.0 as usize * j));
            q.prime(0).mul_constant_add_assign(row.limb_mut(0), from.limb(0), gadget);
            (row, a)
        };
        let (b, a) = errors.par_iter().enumerate().map(row).unzip();
        let (params, degree) = (params.clone(), small.degree());
        Ok(Self { params, degree, digits, basis, b, a, seed })
    }

    fn from_parts(
        params: &Parameters,
        (degree, digits): (usize, DigitBits),
        basis: SmallBasis,
        b: Vec<Poly<Ntt>>,
        seed: Seed,
    ) -> Self {
        let a = (0..digits.count() as u64).map(|j| sample::uniform(&basis.0, &seed, j)).collect();
        Self { params: params.clone(), degree, digits, basis, b, a, seed }
    }

    /// The smaller degree.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The modulus of switched ciphertexts.
    pub fn modulus(&self) -> u64 {
        self.basis.0.prime(0).value()
    }

    /// `(c_0, c_1)`, coefficients modulo `q`, to the smaller ring. Range: residues below `q < 2^52`.
    ///
    /// # Errors
    /// [`Error::KeyShape`] for coefficients of another degree.
    pub fn switch(&self, c0: &[u64], c1: &[u64], q: u64) -> Result<SmallCiphertext> {
        let basis = &self.basis.0;
        let n = basis.n();
        if c0.len() != n || c1.len() != n {
            return Err(Error::KeyShape { op: "ring switch", expected: n, found: c0.len().min(c1.len()) });
        }
        let prime = basis.prime(0);
        // Below 2^40 and off by at most 2^-12: what a double rounds away is nothing beside the rounding itself.
        let (p, ratio) = (prime.value(), prime.value() as f64 / q as f64);
        let down = |x: &u64| {
            let scaled = (*x as f64 * ratio + 0.5) as u64;
            // A residue just below q rounds to p, which is zero.
            if scaled >= p { 0 } else { scaled }
        };
        let digits = self.digits(&c1.iter().map(down).collect::<Vec<_>>());
        let half = |key: &[Poly<Ntt>]| {
            let mut sum: Poly<Ntt> = basis.zero();
            let terms: Vec<_> = digits.iter().zip(key).map(|(d, k)| (d.limb(0), k.limb(0))).collect();
            prime.mul_sum(sum.limb_mut(0), &terms);
            basis.to_coeff(sum)
        };
        let stride = n / self.degree;
        let keep = |p: &Poly<Coeff>| p.limb(0).iter().step_by(stride).copied().collect::<Vec<_>>();
        let (mut first, second) = (keep(&half(&self.b)), keep(&half(&self.a)));
        for (x, c) in first.iter_mut().zip(c0.iter().step_by(stride)) {
            *x = prime.modulus().add(*x, down(c));
        }
        Ok(SmallCiphertext { c0: first, c1: second })
    }

    /// Balanced digits of residues, lowest first, in evaluations.
    fn digits(&self, x: &[u64]) -> Vec<Poly<Ntt>> {
        let basis = &self.basis.0;
        let m = basis.prime(0).modulus();
        let (count, bits) = (self.digits.count(), self.digits.0);
        let half = 1i64 << (bits - 1);
        let mut rest: Vec<i64> = x.iter().map(|&x| m.centre(x)).collect();
        (0..count)
            .map(|j| {
                let last = j + 1 == count;
                let cut = |r: &mut i64| {
                    // The last digit takes what is left, carry included.
                    let digit = if last { *r } else { ((*r + half) & (2 * half - 1)) - half };
                    *r = (*r - digit) >> bits;
                    digit
                };
                basis.signed_to_ntt(&rest.iter_mut().map(cut).collect::<Vec<_>>())
            })
            .collect()
    }
}

impl std::fmt::Debug for RingSwitchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RingSwitchKey({} -> {})", self.params.n(), self.degree)
    }
}

/// Coefficients of a ciphertext at level 0: `(c_0, c_1, q_0)`.
///
/// # Errors
/// [`Error::LevelMismatch`] above level 0, [`Error::Components`] unless there are two components.
pub fn coefficients(c: &Ciphertext) -> Result<(Poly<Coeff>, Poly<Coeff>, u64)> {
    const OP: &str = "coefficients";
    if c.level() != Level(0) {
        return Err(Error::LevelMismatch { op: OP, left: c.level(), right: Level(0) });
    }
    let [c0, c1] = &c.components[..] else {
        let found = c.components.len();
        return Err(Error::Components { op: OP, found, expected: 2, hint: "relinearise it first" });
    };
    let q = c.params.q();
    Ok((q.to_coeff(c0.clone()), q.to_coeff(c1.clone()), q.prime(0).value()))
}

/// Bytes of a ring-switching key.
pub fn key_len(params: &Parameters, digits: DigitBits) -> usize {
    Header::LEN
        + 5
        + fields::SEED_LEN
        + digits.count() * blindscope_wire::packed_len(params.n(), MODULUS_BITS)
}

/// The bytes of a ring-switching key.
pub fn encode_key(key: &RingSwitchKey) -> Vec<u8> {
    fields::object(&key.params, RING_SWITCH_KEY, key_len(&key.params, key.digits), |w| {
        w.u32(key.degree as u32);
        w.u8(key.digits.0 as u8);
        w.bytes(&key.seed.0);
        key.b.iter().for_each(|b| fields::write_poly(w, &key.basis.0, b));
    })
}

/// A ring-switching key to this degree, with digits of these bits, from its bytes.
///
/// # Errors
/// [`Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters; [`Error::Field`] for a
/// field with an impossible value; [`Error::Residue`] for a residue that is not below its prime.
pub fn decode_key(
    params: &Parameters,
    degree: usize,
    digits: DigitBits,
    bytes: &[u8],
) -> Result<RingSwitchKey> {
    let mut r = fields::Source::open(params, "ring-switching key", RING_SWITCH_KEY, bytes)?;
    r.require_len(bytes, key_len(params, digits))?;
    let found = r.u32("degree")?;
    if found as usize != degree {
        return Err(r.field("degree", i64::from(found), degree.to_string()));
    }
    let found = r.u8("digit bits")?;
    if u32::from(found) != digits.0 {
        return Err(r.field("digit bits", i64::from(found), digits.0.to_string()));
    }
    let seed = r.seed()?;
    let basis = SmallBasis::new(params)?;
    let b = (0..digits.count()).map(|_| r.poly(&basis.0, 1)).collect::<Result<_>>()?;
    r.finish()?;
    Ok(RingSwitchKey::from_parts(params, (degree, digits), basis, b, seed))
}
