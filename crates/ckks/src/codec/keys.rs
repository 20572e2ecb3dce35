//! The bytes of public keys, of Galois keys and of relinearisation keys.

use super::fields::{SEED_LEN, Source, object, poly_len, write_poly};
use super::{GALOIS_KEY, PUBLIC_KEY, RELIN_KEY};
use crate::{Error, GaloisKey, Level, Parameters, PublicKey, RelinKey, Result, SwitchingKey, UniformHalf};
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
/// [`crate::Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`crate::Error::Field`] for a field with an impossible value; [`crate::Error::Residue`] for a residue that is
/// not below its prime.
pub fn decode_public_key(params: &Parameters, bytes: &[u8]) -> Result<PublicKey> {
    let mut r = Source::open(params, "public key", PUBLIC_KEY, bytes)?;
    r.require_len(bytes, public_key_len(params))?;
    let seed = r.seed()?;
    let b = r.poly(params.q(), params.q().len())?;
    r.finish()?;
    Ok(PublicKey::from_seed(params, b, seed))
}

/// Bytes of a switching key for levels up to `level`, without its header.
fn switching_len(params: &Parameters, level: Level, half: UniformHalf) -> usize {
    let special = params.special().map_or(0, |s| poly_len(s, s.len()));
    let rows = SwitchingKey::digits_at(params, level) * (poly_len(params.q(), level.limbs()) + special);
    match half {
        UniformHalf::Seeded(_) => 2 + SEED_LEN + rows,
        UniformHalf::Explicit => 2 + 2 * rows,
    }
}

fn write_switching(w: &mut Writer<'_>, key: &SwitchingKey) {
    let basis = SwitchingKey::basis_at(&key.params, key.level());
    w.u8(key.level().limbs() as u8);
    match key.half {
        UniformHalf::Seeded(seed) => {
            w.u8(0);
            w.bytes(&seed.0);
        }
        UniformHalf::Explicit => {
            w.u8(1);
            key.a.iter().for_each(|a| write_poly(w, &basis, a));
        }
    }
    key.b.iter().for_each(|b| write_poly(w, &basis, b));
}

/// `before`: bytes of the object in front of the switching key.
fn read_switching(
    r: &mut Source<'_>,
    params: &Parameters,
    bytes: &[u8],
    before: usize,
) -> Result<SwitchingKey> {
    if params.special().is_none() {
        return Err(Error::NoSpecialPrime { op: "decode switching key" });
    }
    let level = Level(r.bounded("primes", 1, params.q().len())? - 1);
    let explicit = r.bounded("uniform half (0 seeded, 1 explicit)", 0, 1)? == 1;
    let basis = SwitchingKey::basis_at(params, level);
    let rows = |r: &mut Source<'_>| -> Result<Vec<Poly<Ntt>>> {
        (0..SwitchingKey::digits_at(params, level)).map(|_| r.poly(&basis, basis.len())).collect()
    };
    if explicit {
        r.require_len(bytes, before + switching_len(params, level, UniformHalf::Explicit))?;
        let a = rows(r)?;
        return Ok(SwitchingKey { params: params.clone(), b: rows(r)?, a, half: UniformHalf::Explicit });
    }
    let seed = r.seed()?;
    r.require_len(bytes, before + switching_len(params, level, UniformHalf::Seeded(seed)))?;
    Ok(SwitchingKey::from_seed_at(params, level, rows(r)?, seed))
}

/// Bytes of a relinearisation key for levels up to `level`.
pub fn relin_key_len(params: &Parameters, level: Level, half: UniformHalf) -> usize {
    Header::LEN + switching_len(params, level, half)
}

/// The bytes of a relinearisation key.
pub fn encode_relin_key(key: &RelinKey) -> Vec<u8> {
    let params = &key.0.params;
    object(params, RELIN_KEY, relin_key_len(params, key.0.level(), key.0.half), |w| {
        write_switching(w, &key.0);
    })
}

/// A relinearisation key from its bytes.
///
/// # Errors
/// [`crate::Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`crate::Error::Field`] for a field with an impossible value; [`crate::Error::Residue`] for a residue that is
/// not below its prime; [`crate::Error::NoSpecialPrime`] where the parameters have no special prime to switch keys
/// with.
pub fn decode_relin_key(params: &Parameters, bytes: &[u8]) -> Result<RelinKey> {
    let mut r = Source::open(params, "relinearisation key", RELIN_KEY, bytes)?;
    let key = read_switching(&mut r, params, bytes, Header::LEN)?;
    r.finish()?;
    Ok(RelinKey(key))
}

/// Bytes of a Galois key for levels up to `level`.
pub fn galois_key_len(params: &Parameters, level: Level, half: UniformHalf) -> usize {
    Header::LEN + 4 + switching_len(params, level, half)
}

/// The bytes of a Galois key.
pub fn encode_galois_key(key: &GaloisKey) -> Vec<u8> {
    let params = &key.key.params;
    object(params, GALOIS_KEY, galois_key_len(params, key.key.level(), key.key.half), |w| {
        w.u32(key.element() as u32);
        write_switching(w, &key.key);
    })
}

/// A Galois key from its bytes.
///
/// # Errors
/// [`crate::Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`crate::Error::Field`] for a field with an impossible value; [`crate::Error::Residue`] for a residue that is
/// not below its prime; [`crate::Error::NoSpecialPrime`] where the parameters have no special prime to switch keys
/// with.
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
