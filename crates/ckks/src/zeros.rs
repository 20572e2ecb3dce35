//! Encryptions of zero in the ring and under the secret of an answer, with flooding: what makes an answer's halves say nothing of
//! how it was computed.
//!
//! Whoever evaluates without keys of its own returns halves `(c_0, c_1)` that are a function of its weights and of what it was sent.
//! The owner of the secret knows the latter, so it could solve `c_1` for the weights; that it should see `c_0 + c_1·s` alone is not
//! promised by encryption, which is there against others. With the public key `(b, a)`, `b = e − a·s`, of this module the server
//! adds `(b·u + F, a·u + e_1)` for a fresh ternary `u`: `c_1` is then hidden by a sample of ring learning with errors in the
//! secret `u`, and what decryption shows more than the message is the evaluation's noise, `e·u + e_1·s`, and the flooding `F` over
//! both.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::codec::{ZERO_KEY, fields};
use crate::ring_switch::{MODULUS_BITS, SmallSecret};
use crate::{Error, Parameters, Result, Seed};
use blindscope_ring::{Basis, Coeff, Ntt, Poly, ntt_primes, sample};
use blindscope_wire::{Header, packed_len};

/// A public key in the ring of answers: modulo the ring-switching prime where that ring is a smaller one, else modulo the last prime
/// of the parameters.
#[derive(Clone)]
pub struct ZeroKey {
    params: Parameters,
    basis: Basis,
    b: Poly<Ntt>,
    a: Poly<Ntt>,
    seed: Seed,
}

/// Low bits of a coefficient of `b` that a key leaves out where answers have a smaller ring of their own: keys are what askers send most
/// of. What they add grows with the root of the degree, times a product with `u`, and again as logits are made of coefficients: in the
/// parameters' own ring it would be four bits of every logit, so there nothing is left out.
const DROPPED: u32 = 8;

/// Low bits that a key of this degree leaves out, in the ring of degree `n` of the parameters.
fn dropped(degree: usize, n: usize) -> u32 {
    if degree == n { 0 } else { DROPPED }
}

/// The ring of answers of this degree.
fn basis(params: &Parameters, degree: usize) -> Result<Basis> {
    if degree == params.n() {
        return Ok(params.q().prefix(1));
    }
    if !degree.is_power_of_two() || degree > params.n() {
        return Err(Error::KeyShape { op: "zero key", expected: params.n(), found: degree });
    }
    // 1 modulo 2N, so modulo twice any smaller degree.
    let primes = ntt_primes(MODULUS_BITS, params.log_n(), 1)?;
    Ok(Basis::on(params.ceiling(), &primes, degree.ilog2())?)
}

pub use blindscope_ring::sample::{flood_std, flood_width};

/// Standard deviation of what an encryption of zero of this degree adds beside its flooding, a coefficient: `e·u + e_1·s`. `n` is the
/// degree of the parameters' ring.
pub fn noise(degree: usize, n: usize) -> f64 {
    // In e what `b` leaves out counts as well: uniform.
    let cut = match dropped(degree, n) {
        0 => 0.0,
        bits => f64::from(bits).exp2() / 12f64.sqrt(),
    };
    let both = cut.hypot(sample::ERROR_STD).hypot(sample::ERROR_STD);
    both * (2.0 * degree as f64 / 3.0).sqrt()
}

impl ZeroKey {
    /// The key of `secret`, the one that answers come back under.
    ///
    /// # Timing
    /// Depends on the parameters and the degree alone.
    ///
    /// # Errors
    /// [`Error::KeyShape`] if the secret's degree is above the parameters'.
    pub fn generate(params: &Parameters, secret: &SmallSecret, rng: &mut impl CryptoRng) -> Result<Self> {
        let basis = basis(params, secret.degree())?;
        let seed = Seed::generate(rng);
        let a = sample::uniform(&basis, &seed, 0);
        let s = Zeroizing::new(basis.signed_to_ntt(secret.coefficients()));
        let mut b = Zeroizing::new(sample::error_poly(&basis, rng));
        let mut product = a.clone();
        basis.mul_assign(&mut product, &s);
        basis.sub_assign(&mut b, &product);
        // Public now, and what a stranger reads of the key's bytes is what its owner has.
        let dropped = dropped(basis.n(), params.n());
        let kept = kept(&basis.to_coeff((*b).clone()), dropped);
        let b = restored(&basis, &kept, dropped);
        Ok(Self { params: params.clone(), basis, b, a, seed })
    }

    /// Degree of the ring.
    pub fn degree(&self) -> usize {
        self.basis.n()
    }

    /// Adds an encryption of zero, flooded by integers of this [`sample::flood`] width, to the halves of an answer: coefficients
    /// modulo this key's prime.
    ///
    /// # Timing
    /// Depends on the key's parameters alone.
    ///
    /// # Errors
    /// [`Error::KeyShape`] for halves of another degree.
    pub fn add_to(
        &self,
        (c0, c1): (&mut [u64], &mut [u64]),
        width: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<()> {
        let (basis, n) = (&self.basis, self.degree());
        if c0.len() != n || c1.len() != n {
            return Err(Error::KeyShape { op: "zero key", expected: n, found: c0.len().min(c1.len()) });
        }
        let u = Zeroizing::new(sample::ternary_poly(basis, rng));
        let mut small = Zeroizing::new(vec![0; n]);
        let add = |half: &Poly<Ntt>, to: &mut [u64], small: &[i64]| {
            let mut product = half.clone();
            basis.mul_assign(&mut product, &u);
            let mut product: Poly<Coeff> = basis.to_coeff(product);
            let mut masked = basis.from_signed(small);
            basis.add_assign(&mut product, &masked);
            masked.zeroize();
            let m = basis.prime(0).modulus();
            to.iter_mut().zip(product.limb(0)).for_each(|(x, y)| *x = m.add(*x, *y));
            product.zeroize();
        };
        sample::flood(rng, width, &mut small);
        add(&self.b, c0, &small);
        sample::error(rng, &mut small);
        add(&self.a, c1, &small);
        Ok(())
    }
}

/// The bits of `b` that travel.
fn kept(b: &Poly<Coeff>, dropped: u32) -> Vec<u64> {
    b.limb(0).iter().map(|x| x >> dropped).collect()
}

/// `b` with what was left out in its middle. Range: residues shifted.
fn restored(basis: &Basis, kept: &[u64], dropped: u32) -> Poly<Ntt> {
    let most = basis.prime(0).value() - 1;
    let mut b: Poly<Coeff> = basis.zero();
    let middle = |x: &u64| ((x << dropped) + ((1 << dropped) >> 1)).min(most);
    b.limb_mut(0).iter_mut().zip(kept).for_each(|(b, x)| *b = middle(x));
    basis.to_ntt(b)
}

/// Bytes of a key whose ring has this degree.
pub fn key_len(params: &Parameters, degree: usize) -> usize {
    let bits = if degree == params.n() { params.q().prime(0).modulus().bits() } else { MODULUS_BITS };
    Header::LEN + 4 + fields::SEED_LEN + packed_len(degree, bits - dropped(degree, params.n()))
}

/// The bytes of a key.
pub fn encode_key(key: &ZeroKey) -> Vec<u8> {
    let len = key_len(&key.params, key.degree());
    let dropped = dropped(key.degree(), key.params.n());
    fields::object(&key.params, ZERO_KEY, len, |w| {
        w.u32(key.degree() as u32);
        w.bytes(&key.seed.0);
        let b = key.basis.to_coeff(key.b.clone());
        w.packed(&kept(&b, dropped), key.basis.prime(0).modulus().bits() - dropped);
    })
}

/// The key of this degree in these bytes.
///
/// # Errors
/// [`Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters; [`Error::Field`] for another degree;
/// [`Error::Residue`] for a residue that is not below its prime.
pub fn decode_key(params: &Parameters, degree: usize, bytes: &[u8]) -> Result<ZeroKey> {
    let basis = basis(params, degree)?;
    let mut r = fields::Source::open(params, "zero key", ZERO_KEY, bytes)?;
    r.require_len(bytes, key_len(params, degree))?;
    let found = r.u32("degree")?;
    if found as usize != degree {
        return Err(r.field("degree", i64::from(found), degree.to_string()));
    }
    let seed = r.seed()?;
    let modulus = basis.prime(0).modulus();
    let dropped = dropped(degree, params.n());
    let mut kept = vec![0; degree];
    r.packed(modulus.bits() - dropped, &mut kept)?;
    r.finish()?;
    let top = kept.iter().copied().max().unwrap_or(0);
    if top << dropped >= modulus.value() {
        let index = kept.iter().position(|&x| x == top).unwrap_or(0);
        let (object, found) = ("zero key", top << dropped);
        return Err(Error::Residue { object, index, found, modulus: modulus.value() });
    }
    let b = restored(&basis, &kept, dropped);
    let a = sample::uniform(&basis, &seed, 0);
    Ok(ZeroKey { params: params.clone(), basis, b, a, seed })
}

impl PartialEq for ZeroKey {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params
            && self.degree() == other.degree()
            && self.seed == other.seed
            && self.b == other.b
    }
}

impl Eq for ZeroKey {}

impl std::fmt::Debug for ZeroKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ZeroKey({})", self.degree())
    }
}
