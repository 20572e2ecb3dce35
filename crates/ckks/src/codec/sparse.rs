//! The wire form of a fresh secret-key ciphertext of which not all coefficients are needed.
//!
//! Of `c_0` only the coefficients at `places` travel, as digits of balanced mixed radix, `v = d_0 + q_0·(d_1 + q_1·(d_2 + …))`,
//! each raised by `(q_i - 1)/2` and packed at the width of its prime; of `d_0` the low bits are left out, and the reader puts the
//! middle of what is missing in their place: of the two numbers that are nearest to it one or the other, by the Rudin-Shapiro sequence
//! (Rudin, 1959). Its sums with roots of unity are no larger than `√(2n)`, so that what is off by one half everywhere adds up in no
//! slot. The other coefficients become zero at the reader: there the ciphertext decrypts to
//! noise of the size of the modulus.

use super::SPARSE_CIPHERTEXT;
use super::fields::{SEED_LEN, Source, object, scale_len, write_scale};
use crate::{Error, Level, Parameters, Result, SeededCiphertext};
use blindscope_ring::{Coeff, Modulus, Poly};
use blindscope_wire::{Header, packed_len};

/// Which coefficients travel, and without which of their bits. Both sides know it: it is not in the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    places: Vec<usize>,
    dropped: u32,
}

impl Sparse {
    /// The coefficients at `places`, each without its `dropped` lowest bits.
    ///
    /// # Errors
    /// [`Error::NoSuchCoefficient`] for a place that the ring does not have; [`Error::DropBits`] for as many bits as the first
    /// prime has, or more.
    pub fn new(params: &Parameters, places: Vec<usize>, dropped: u32) -> Result<Self> {
        const OP: &str = "sparse ciphertext";
        let (degree, bits) = (params.n(), params.q().prime(0).modulus().bits());
        if let Some(&found) = places.iter().find(|&&p| p >= degree) {
            return Err(Error::NoSuchCoefficient { op: OP, found, degree });
        }
        if dropped >= bits {
            return Err(Error::DropBits { op: OP, drop: dropped, bits });
        }
        Ok(Self { places, dropped })
    }
}

/// Bytes of a fresh secret-key ciphertext at a level of which so many coefficients travel.
pub fn sparse_len(params: &Parameters, level: Level, places: usize, dropped: u32) -> usize {
    let digits: usize = widths(params, level, dropped).map(|bits| packed_len(places, bits)).sum();
    Header::LEN + 1 + scale_len(params) + SEED_LEN + digits
}

/// Bits of each digit.
fn widths(params: &Parameters, level: Level, dropped: u32) -> impl Iterator<Item = u32> {
    let bits = params.q().primes().iter().take(level.limbs()).map(|p| p.modulus().bits());
    bits.enumerate().map(move |(i, bits)| if i == 0 { bits - dropped.min(bits - 1) } else { bits })
}

/// The bytes of a fresh secret-key ciphertext without the coefficients that stand nowhere in `sparse`.
pub fn encode_sparse(c: &SeededCiphertext, sparse: &Sparse) -> Vec<u8> {
    let (params, level) = (&c.params, c.level());
    let digits = params.lift().digits(&params.q().to_coeff(c.c0.clone()));
    let len = sparse_len(params, level, sparse.places.len(), sparse.dropped);
    object(params, SPARSE_CIPHERTEXT, len, |w| {
        w.u8(level.limbs() as u8);
        write_scale(w, params, &c.scale);
        w.bytes(&c.seed.0);
        let primes = params.q().primes().iter().zip(widths(params, level, sparse.dropped));
        for (digit, (prime, bits)) in digits.iter().zip(primes) {
            let (half, dropped) = (middle(prime.modulus()), prime.modulus().bits() - bits);
            let packed: Vec<u64> =
                sparse.places.iter().map(|&p| ((digit[p] + half) as u64) >> dropped).collect();
            w.packed(&packed, bits);
        }
    })
}

/// A fresh secret-key ciphertext from its bytes, zero in the coefficients that stand nowhere in `sparse`.
///
/// # Errors
/// [`Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`Error::Field`] for a field with an impossible value; [`Error::Residue`] for a digit that is not below its
/// prime.
pub fn decode_sparse(params: &Parameters, sparse: &Sparse, bytes: &[u8]) -> Result<SeededCiphertext> {
    let mut r = Source::open(params, "sparse ciphertext", SPARSE_CIPHERTEXT, bytes)?;
    let limbs = r.bounded("primes", 1, params.q().len())?;
    let level = Level(limbs - 1);
    r.require_len(bytes, sparse_len(params, level, sparse.places.len(), sparse.dropped))?;
    let scale = r.scale(params, level)?;
    let seed = r.seed()?;
    let mut digits = Vec::with_capacity(limbs);
    for (prime, bits) in params.q().primes().iter().zip(widths(params, level, sparse.dropped)) {
        digits.push(digit(&mut r, prime.modulus(), bits, sparse.places.len())?);
    }
    r.finish()?;
    let q = params.q().prefix(limbs);
    let mut poly: Poly<Coeff> = q.zero();
    for (limb, prime) in poly.limbs_mut().zip(q.primes()) {
        let m = prime.modulus();
        let weights: Vec<u64> = q.primes().iter().map(|p| m.reduce(p.value())).collect();
        for (k, &place) in sparse.places.iter().enumerate() {
            let add = |sum: u64, (digit, w): (&Vec<i64>, &u64)| m.add(m.mul(sum, *w), m.from_i64(digit[k]));
            limb[place] = digits.iter().zip(&weights).rev().fold(0, add);
        }
    }
    Ok(SeededCiphertext { params: params.clone(), c0: q.to_ntt(poly), seed, scale })
}

/// The largest balanced digit of a prime.
fn middle(m: &Modulus) -> i64 {
    (m.value() / 2) as i64
}

/// One digit of each coefficient.
fn digit(r: &mut Source<'_>, m: &Modulus, bits: u32, count: usize) -> Result<Vec<i64>> {
    let (dropped, half) = (m.bits() - bits, middle(m));
    let mut packed = vec![0; count];
    r.packed(bits, &mut packed)?;
    if let Some(index) = packed.iter().position(|x| x << dropped >= m.value()) {
        let (found, modulus) = (packed[index] << dropped, m.value());
        return Err(Error::Residue { object: r.object(), index, found, modulus });
    }
    // Of the last run of digits the middle may not be below the prime.
    let middle = |k: usize| ((1u64 << dropped) >> 1) - if dropped > 0 { rudin_shapiro(k) } else { 0 };
    let restored = |(k, x): (usize, &u64)| ((x << dropped) + middle(k)).min(m.value() - 1);
    Ok(packed.iter().enumerate().map(|e| restored(e) as i64 - half).collect())
}

/// Whether an odd number of pairs of ones stand side by side in `k`.
fn rudin_shapiro(k: usize) -> u64 {
    u64::from((k & (k >> 1)).count_ones() & 1)
}
