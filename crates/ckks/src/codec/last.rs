//! The wire form of a final ciphertext: level 0, coefficients, low bits dropped.
//!
//! Of a residue `c` only `floor(c / 2^d)` travels; the reader puts `2^(d-1)` back, so that the error lies within
//! `±2^(d-1)` and is close to uniform. In `c_1` it is multiplied by the secret, in `c_0` it is not: `c_0` can lose about
//! `log2(sqrt(2N/3))` bits more for the same noise.

use super::FINAL_CIPHERTEXT;
use super::fields::{Source, object, scale_len, write_scale};
use crate::{Ciphertext, Error, Level, Parameters, Result};
use blindscope_ring::{Coeff, Poly};
use blindscope_wire::{Header, packed_len};

/// How many low bits of each component a final ciphertext drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropBits {
    /// Of `c_0`.
    pub c0: u32,
    /// Of `c_1`.
    pub c1: u32,
}

impl DropBits {
    /// Nothing dropped.
    pub const NONE: Self = Self { c0: 0, c1: 0 };

    /// The most bits whose loss adds noise of at most `std` (root mean square of a slot, in encoded integers), half of
    /// the variance to each component.
    pub fn within(params: &Parameters, std: f64) -> Self {
        let n = params.n() as f64;
        let most = params.q().prime(0).modulus().bits() - 1;
        // One component's variance N·2^(2d)/12, times 2N/3 for c_1.
        let bits = |share: f64| {
            let d = 0.5 * (share * 12.0 / n).log2();
            if d >= 1.0 { (d as u32).min(most) } else { 0 }
        };
        let half = std * std / 2.0;
        Self { c0: bits(half), c1: bits(half / (2.0 * n / 3.0)) }
    }

    fn check(self, op: &'static str, params: &Parameters) -> Result<()> {
        let bits = params.q().prime(0).modulus().bits();
        let drop = self.c0.max(self.c1);
        if drop < bits { Ok(()) } else { Err(Error::DropBits { op, drop, bits }) }
    }
}

fn halves_len(params: &Parameters, drop: DropBits) -> usize {
    let bits = params.q().prime(0).modulus().bits();
    [drop.c0, drop.c1].iter().map(|d| packed_len(params.n(), bits.saturating_sub(*d).max(1))).sum()
}

/// Bytes of a final ciphertext.
pub fn final_len(params: &Parameters, drop: DropBits) -> usize {
    Header::LEN + 2 + scale_len(params) + halves_len(params, drop)
}

/// The bytes of a two-component ciphertext at level 0, without its low bits.
///
/// # Errors
/// [`Error::LevelMismatch`] above level 0, [`Error::Components`] unless there are two components, [`Error::DropBits`] for more bits
/// than the modulus has.
pub fn encode_final(c: &Ciphertext, drop: DropBits) -> Result<Vec<u8>> {
    const OP: &str = "encode_final";
    drop.check(OP, &c.params)?;
    if c.level() != Level(0) {
        return Err(Error::LevelMismatch { op: OP, left: c.level(), right: Level(0) });
    }
    let [c0, c1] = &c.components[..] else {
        let found = c.components.len();
        return Err(Error::Components { op: OP, found, expected: 2, hint: "relinearise it first" });
    };
    let bits = c.params.q().prime(0).modulus().bits();
    Ok(object(&c.params, FINAL_CIPHERTEXT, final_len(&c.params, drop), |w| {
        w.u8(drop.c0 as u8);
        w.u8(drop.c1 as u8);
        write_scale(w, &c.params, &c.scale);
        for (component, d) in [(c0, drop.c0), (c1, drop.c1)] {
            let mut coefficients = c.params.q().to_coeff(component.clone());
            coefficients.limb_mut(0).iter_mut().for_each(|x| *x >>= d);
            w.packed(coefficients.limb(0), bits - d);
        }
    }))
}

/// A final ciphertext from its bytes, at level 0.
///
/// # Errors
/// [`Error::Wire`] for bytes that are cut, longer, of another kind or of other parameters; [`Error::Field`] for a
/// field with an impossible value; [`Error::Residue`] for a residue that is not below its prime.
pub fn decode_final(params: &Parameters, bytes: &[u8]) -> Result<Ciphertext> {
    let mut r = Source::open(params, "final ciphertext", FINAL_CIPHERTEXT, bytes)?;
    let prime = params.q().prime(0);
    let (bits, q) = (prime.modulus().bits(), prime.value());
    let most = bits as usize - 1;
    let drop = DropBits {
        c0: r.bounded("dropped bits", 0, most)? as u32,
        c1: r.bounded("dropped bits", 0, most)? as u32,
    };
    r.require_len(bytes, final_len(params, drop))?;
    let scale = r.scale(params, Level(0))?;
    let mut half = |d: u32| -> Result<_> {
        let mut poly: Poly<Coeff> = Poly::zero(params.n(), 1);
        r.packed(bits - d, poly.limb_mut(0))?;
        for (index, x) in poly.limb_mut(0).iter_mut().enumerate() {
            let found = *x << d;
            if found >= q {
                return Err(Error::Residue { object: r.object(), index, found, modulus: q });
            }
            // The middle of what was dropped; it may pass q by less than 2^(d-1).
            *x = (found + ((1 << d) >> 1)) % q;
        }
        Ok(params.q().to_ntt(poly))
    };
    let components = vec![half(drop.c0)?, half(drop.c1)?];
    r.finish()?;
    Ok(Ciphertext { params: params.clone(), components, scale })
}
