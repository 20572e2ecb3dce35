//! The bytes of a fresh secret-key ciphertext: 32 for its uniform half, packed residues for the other.

use super::fields::{SEED_LEN, Source, object, poly_len, scale_len, write_poly, write_scale};
use super::{CIPHERTEXT, SEEDED_CIPHERTEXT};
use crate::{Ciphertext, Level, Parameters, Result, SeededCiphertext};
use blindscope_wire::Header;

/// Bytes of a fresh secret-key ciphertext at a level: at most `N·log2 Q/8 + 128`.
pub fn seeded_len(params: &Parameters, level: Level) -> usize {
    Header::LEN + 1 + scale_len(params) + SEED_LEN + poly_len(params.q(), level.limbs())
}

/// The bytes of a fresh secret-key ciphertext.
pub fn encode_seeded(c: &SeededCiphertext) -> Vec<u8> {
    object(&c.params, SEEDED_CIPHERTEXT, seeded_len(&c.params, c.level()), |w| {
        w.u8(c.c0.limb_count() as u8);
        write_scale(w, &c.params, &c.scale);
        w.bytes(&c.seed.0);
        write_poly(w, c.params.q(), &c.c0);
    })
}

/// A fresh secret-key ciphertext from its bytes.
///
/// # Errors
/// [`crate::Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`crate::Error::Field`] for a field with an impossible value; [`crate::Error::Residue`] for a residue that is
/// not below its prime.
pub fn decode_seeded(params: &Parameters, bytes: &[u8]) -> Result<SeededCiphertext> {
    let mut r = Source::open(params, "seeded ciphertext", SEEDED_CIPHERTEXT, bytes)?;
    let limbs = r.bounded("primes", 1, params.q().len())?;
    let level = Level(limbs - 1);
    r.require_len(bytes, seeded_len(params, level))?;
    let scale = r.scale(params, level)?;
    let seed = r.seed()?;
    let c0 = r.poly(params.q(), limbs)?;
    r.finish()?;
    Ok(SeededCiphertext { params: params.clone(), c0, seed, scale })
}

/// Bytes of a ciphertext of `components` polynomials at a level.
pub fn ciphertext_len(params: &Parameters, components: usize, level: Level) -> usize {
    Header::LEN + 2 + scale_len(params) + components * poly_len(params.q(), level.limbs())
}

/// The bytes of a ciphertext.
pub fn encode_ciphertext(c: &Ciphertext) -> Vec<u8> {
    let len = ciphertext_len(&c.params, c.components.len(), c.level());
    object(&c.params, CIPHERTEXT, len, |w| {
        w.u8(c.level().limbs() as u8);
        w.u8(c.components.len() as u8);
        write_scale(w, &c.params, &c.scale);
        for component in &c.components {
            write_poly(w, c.params.q(), component);
        }
    })
}

/// A ciphertext of two or three components from its bytes.
///
/// # Errors
/// [`crate::Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters;
/// [`crate::Error::Field`] for a field with an impossible value; [`crate::Error::Residue`] for a residue that is
/// not below its prime.
pub fn decode_ciphertext(params: &Parameters, bytes: &[u8]) -> Result<Ciphertext> {
    let mut r = Source::open(params, "ciphertext", CIPHERTEXT, bytes)?;
    let limbs = r.bounded("primes", 1, params.q().len())?;
    let components = r.bounded("components", 2, 3)?;
    let level = Level(limbs - 1);
    r.require_len(bytes, ciphertext_len(params, components, level))?;
    let scale = r.scale(params, level)?;
    let components = (0..components).map(|_| r.poly(params.q(), limbs)).collect::<Result<_>>()?;
    r.finish()?;
    Ok(Ciphertext { params: params.clone(), components, scale })
}
