use super::fields::{SEED_LEN, Source, object, poly_len, write_poly};
use super::{GALOIS_KEY, PUBLIC_KEY, RELIN_KEY};
use crate::{GaloisKey, Parameters, PublicKey, RelinKey, Result, SwitchingKey, UniformHalf};
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Header, Writer};

/// Bytes of a public key.
pub fn public_key_len(params: &Parameters) -> usize {
    Header::LEN + SEED_LEN + poly_len(params.q(), params.q().len())
}

/// The bytes of a public key.
pub fn encode_public_key(key: &PublicKey) -> Vec<u8> {
    object(&key.params, PUBLIC_KEY, public_key_len(&key.params), |w| {
        w.bytes(&key.seed.0);
        write_poly(w, key.params.q(), &key.b);
    })
}

/// A public key from its bytes.
///
/// # Errors
/// [`crate::CkksError::Wire`], [`crate::CkksError::Field`], [`crate::CkksError::Residue`].
pub fn decode_public_key(params: &Parameters, bytes: &[u8]) -> Result<PublicKey> {
    let mut r = Source::open(params, "public key", PUBLIC_KEY, bytes)?;
    r.require_len(bytes, public_key_len(params))?;
    let seed = r.seed()?;
    let b = r.poly(params.q(), params.q().len())?;
    r.finish()?;
    Ok(PublicKey::from_seed(params, b, seed))
}

/// Bytes of a switching key without its header.
fn switching_len(params: &Parameters, half: UniformHalf) -> usize {
    let row = poly_len(params.qp(), params.qp().len());
    match half {
        UniformHalf::Seeded(_) => 1 + SEED_LEN + params.digits() * row,
        UniformHalf::Explicit => 1 + 2 * params.digits() * row,
    }
}

fn write_switching(w: &mut Writer<'_>, key: &SwitchingKey) {
    let basis = key.params.qp();
    match key.half {
        UniformHalf::Seeded(seed) => {
            w.u8(0);
            w.bytes(&seed.0);
        }
        UniformHalf::Explicit => {
            w.u8(1);
            key.a.iter().for_each(|a| write_poly(w, basis, a));
        }
    }
    key.b.iter().for_each(|b| write_poly(w, basis, b));
}

/// `before`: bytes of the object in front of the switching key.
fn read_switching(
    r: &mut Source<'_>,
    params: &Parameters,
    bytes: &[u8],
    before: usize,
) -> Result<SwitchingKey> {
    let explicit = r.bounded("uniform half (0 seeded, 1 explicit)", 0, 1)? == 1;
    let rows = |r: &mut Source<'_>| -> Result<Vec<Poly<Ntt>>> {
        (0..params.digits()).map(|_| r.poly(params.qp(), params.qp().len())).collect()
    };
    if explicit {
        r.require_len(bytes, before + switching_len(params, UniformHalf::Explicit))?;
        let a = rows(r)?;
        return SwitchingKey::from_pairs(params, rows(r)?, a);
    }
    let seed = r.seed()?;
    r.require_len(bytes, before + switching_len(params, UniformHalf::Seeded(seed)))?;
    SwitchingKey::from_seed(params, rows(r)?, seed)
}

/// Bytes of a relinearisation key.
pub fn relin_key_len(params: &Parameters, half: UniformHalf) -> usize {
    Header::LEN + switching_len(params, half)
}

/// The bytes of a relinearisation key.
pub fn encode_relin_key(key: &RelinKey) -> Vec<u8> {
    let params = &key.0.params;
    object(params, RELIN_KEY, relin_key_len(params, key.0.half), |w| write_switching(w, &key.0))
}

/// A relinearisation key from its bytes.
///
/// # Errors
/// [`crate::CkksError::Wire`], [`crate::CkksError::Field`], [`crate::CkksError::Residue`],
/// [`crate::CkksError::NoSpecialPrime`].
pub fn decode_relin_key(params: &Parameters, bytes: &[u8]) -> Result<RelinKey> {
    let mut r = Source::open(params, "relinearisation key", RELIN_KEY, bytes)?;
    let key = read_switching(&mut r, params, bytes, Header::LEN)?;
    r.finish()?;
    Ok(RelinKey(key))
}

/// Bytes of a Galois key.
pub fn galois_key_len(params: &Parameters, half: UniformHalf) -> usize {
    Header::LEN + 4 + switching_len(params, half)
}

/// The bytes of a Galois key.
pub fn encode_galois_key(key: &GaloisKey) -> Vec<u8> {
    let params = &key.key.params;
    object(params, GALOIS_KEY, galois_key_len(params, key.key.half), |w| {
        w.u32(key.element() as u32);
        write_switching(w, &key.key);
    })
}

/// A Galois key from its bytes.
///
/// # Errors
/// [`crate::CkksError::Wire`], [`crate::CkksError::Field`], [`crate::CkksError::Residue`],
/// [`crate::CkksError::NoSpecialPrime`].
pub fn decode_galois_key(params: &Parameters, bytes: &[u8]) -> Result<GaloisKey> {
    let mut r = Source::open(params, "Galois key", GALOIS_KEY, bytes)?;
    let element = r.u32("Galois element")?;
    let two_n = 2 * params.n();
    if element % 2 == 0 || element as usize >= two_n {
        return Err(r.field("Galois element", i64::from(element), format!("odd and below {two_n}")));
    }
    let key = read_switching(&mut r, params, bytes, Header::LEN + 4)?;
    r.finish()?;
    Ok(GaloisKey::new(key, element as usize))
}
