//! Collective keys for several messages beside one uniform half.
//!
//! Every site holds `width` independent secrets; all public keys share the uniform `a`. An encryption draws one `u` and is
//! `(a·u + e, b_1·u + e_1 + m_1, …, b_w·u + e_w + m_w)`: the half that carries no message travels once for `width` messages.
//! Each `b_j` is an independent RLWE sample under its own secret, and the ciphertext is `width + 1` samples under `u`.
//!
//! Message halves are coefficients, as integers in `[0, Q)`: whoever sends them may round their low bits away, keep only the
//! coefficients in use, and place messages by addition.
//!
//! Reference: Peikert, Vaikuntanathan, Waters, "A framework for efficient and composable oblivious transfer", 2008, §7.2
//! (several messages under one randomness).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Error, Result};
use blindscope_ckks::{Parameters, PublicKey, Seed};
use blindscope_ring::integers::{Integers, product_words};
use blindscope_ring::lift::Lift;
use blindscope_ring::{Ntt, Poly, sample};
use blindscope_wire::{Header, Kind, Reader, Writer, packed_len};

/// Most messages beside one uniform half.
pub const MAX_WIDTH: usize = 16;

/// A wide public key.
pub(crate) const KIND: Kind = Kind(0x0311);

/// The collective public key of a ceremony, `(a, b_1, …, b_w)`.
#[derive(Clone)]
pub struct WideKey {
    params: Parameters,
    seed: Seed,
    a: Poly<Ntt>,
    b: Vec<Poly<Ntt>>,
    lift: std::sync::Arc<Lift>,
}

impl WideKey {
    pub(crate) fn new(params: &Parameters, seed: Seed, b: Vec<Poly<Ntt>>) -> Self {
        let a = sample::uniform(params.q(), &seed, 0);
        let lift = std::sync::Arc::new(Lift::new(params.q()));
        Self { params: params.clone(), seed, a, b, lift }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// Messages beside one uniform half.
    pub fn width(&self) -> usize {
        self.b.len()
    }

    /// Its first member, as an ordinary public key.
    pub fn first(&self) -> Option<PublicKey> {
        self.b.first().map(|b| PublicKey::from_seed(&self.params, b.clone(), self.seed))
    }

    /// Encryptions of zero under the first `halves` members: the uniform half `a·u + e` and each `b_j·u + e_j`.
    ///
    /// Range: `halves <= width`.
    pub fn encrypt_zero(&self, halves: usize, rng: &mut impl CryptoRng) -> (SharedHalf, Vec<Integers>) {
        let q = self.params.q();
        let u = Zeroizing::new(sample::ternary_poly(q, rng));
        let mut shared = sample::error_poly(q, rng);
        q.mul_add_assign(&mut shared, &self.a, &u);
        let mut error = Zeroizing::new(vec![0; q.n()]);
        let halves = self.b.iter().take(halves).map(|b| {
            let mut c = b.clone();
            q.mul_assign(&mut c, &u);
            let mut integers = self.lift.to_integers(q.to_coeff(c));
            sample::error(rng, &mut error);
            integers.add_signed(&error);
            integers
        });
        let halves = halves.collect();
        (SharedHalf(shared), halves)
    }

    /// Bytes of a key of this width.
    pub fn byte_len(params: &Parameters, width: usize) -> usize {
        Header::LEN + 1 + 32 + width * SharedHalf::byte_len(params)
    }

    /// The key as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = Self::byte_len(&self.params, self.width());
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        let header =
            Header { kind: KIND, params: self.params.fingerprint(), payload_len: (len - Header::LEN) as u64 };
        header.write(&mut w);
        w.u8(self.width() as u8);
        w.bytes(&self.seed.0);
        self.b.iter().for_each(|b| write_poly(&self.params, b, &mut w));
        w.finish();
        out
    }

    /// A key of this width from its bytes.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind; [`Error::Width`] for a width that is not
    /// supported or not the expected one; [`Error::Residue`] for a residue that is not below its prime.
    pub fn from_bytes(params: &Parameters, width: usize, bytes: &[u8]) -> Result<Self> {
        check_width("read key", width)?;
        let mut r = Header::open(bytes, KIND, params.fingerprint())?;
        let expected = (Self::byte_len(params, width) - Header::LEN) as u64;
        if r.remaining() as u64 != expected {
            return Err(blindscope_wire::Error::PayloadLen { expected, found: r.remaining() as u64 }.into());
        }
        let found = usize::from(r.u8("width")?);
        if found != width {
            return Err(Error::Width { op: "read key", found, max: width });
        }
        let seed = Seed(r.array("seed")?);
        let b = (0..width).map(|_| read_poly(params, &mut r)).collect::<Result<_>>()?;
        r.finish()?;
        Ok(Self::new(params, seed, b))
    }
}

impl std::fmt::Debug for WideKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WideKey({}, {} messages)", self.params.fingerprint(), self.width())
    }
}

/// The product of a parameter set's ciphertext primes, least significant word first; twice as much fits the words.
pub fn modulus_words(params: &Parameters) -> Vec<u64> {
    product_words(params.q())
}

/// The uniform half of a wide ciphertext, or of a sum of them. Public.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedHalf(pub(crate) Poly<Ntt>);

impl SharedHalf {
    /// Bytes of one.
    pub fn byte_len(params: &Parameters) -> usize {
        let q = params.q();
        q.primes().iter().map(|p| packed_len(q.n(), p.modulus().bits())).sum()
    }

    /// Appends it.
    pub fn write(&self, params: &Parameters, out: &mut Vec<u8>) {
        let mut w = Writer::new(out, Self::byte_len(params));
        write_poly(params, &self.0, &mut w);
        w.finish();
    }

    /// The half in exactly these bytes.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind; [`Error::Residue`] for a residue that is
    /// not below its prime.
    pub fn read(params: &Parameters, bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let poly = read_poly(params, &mut r)?;
        r.finish()?;
        Ok(Self(poly))
    }

    /// Adds another one. Range: both of these parameters.
    pub fn add_assign(&mut self, params: &Parameters, other: &Self) {
        params.q().add_assign(&mut self.0, &other.0);
    }
}

impl std::fmt::Debug for SharedHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedHalf({:?})", self.0)
    }
}

/// `s·c + pads + mask` as integers modulo `Q`, `pad` adding the pads.
pub(crate) fn masked_product(
    params: &Parameters,
    s: &Poly<Ntt>,
    c: &SharedHalf,
    mask: &[i64],
    pad: impl FnOnce(&mut Poly<Ntt>),
) -> Integers {
    let q = params.q();
    let mut product = c.0.clone();
    q.mul_assign(&mut product, s);
    pad(&mut product);
    let mut h = Lift::new(q).to_integers(q.to_coeff(product));
    h.add_signed(mask);
    h
}

pub(crate) fn check_width(op: &'static str, found: usize) -> Result<()> {
    if (1..=MAX_WIDTH).contains(&found) {
        return Ok(());
    }
    Err(Error::Width { op, found, max: MAX_WIDTH })
}

fn write_poly(params: &Parameters, poly: &Poly<Ntt>, w: &mut Writer<'_>) {
    for (limb, prime) in poly.limbs().zip(params.q().primes()) {
        w.packed(limb, prime.modulus().bits());
    }
}

fn read_poly(params: &Parameters, r: &mut Reader<'_>) -> Result<Poly<Ntt>> {
    crate::message::read_poly(r, params.q())
}
