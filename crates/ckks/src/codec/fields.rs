//! Parts that several objects share: scales, polynomials, lengths.

use crate::{Error, Level, Parameters, Result, Scale, Seed};
use blindscope_ring::{Basis, Poly, Representation};
use blindscope_wire::{Header, Kind, Reader, Writer, packed_len};

/// Bytes of a seed.
pub(crate) const SEED_LEN: usize = 32;

/// Bytes of a scale: the power of two, and one exponent a ciphertext prime.
pub(crate) fn scale_len(params: &Parameters) -> usize {
    2 + params.q().len()
}

/// Bytes of a polynomial over the first `limbs` primes of a basis.
pub(crate) fn poly_len(basis: &Basis, limbs: usize) -> usize {
    basis.primes().iter().take(limbs).map(|p| packed_len(basis.n(), p.modulus().bits())).sum()
}

/// The bytes of one object: header, then what `payload` writes, `len` bytes in all.
pub(crate) fn object(
    params: &Parameters,
    kind: Kind,
    len: usize,
    payload: impl FnOnce(&mut Writer<'_>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let mut w = Writer::new(&mut out, len);
    let header = Header { kind, params: params.fingerprint(), payload_len: (len - Header::LEN) as u64 };
    header.write(&mut w);
    payload(&mut w);
    w.finish();
    out
}

pub(crate) fn write_scale(w: &mut Writer<'_>, params: &Parameters, scale: &Scale) {
    w.u16(scale.log2_part() as u16);
    for &e in &scale.exponents()[..params.q().len()] {
        w.u8(e as u8);
    }
}

pub(crate) fn write_poly<R: Representation>(w: &mut Writer<'_>, basis: &Basis, poly: &Poly<R>) {
    for (limb, prime) in poly.limbs().zip(basis.primes()) {
        w.packed(limb, prime.modulus().bits());
    }
}

/// A reader of one object that names it in every error.
pub(crate) struct Source<'a> {
    object: &'static str,
    reader: Reader<'a>,
}

impl<'a> Source<'a> {
    /// Opens `bytes`: kind, parameters and the header's length are right.
    pub(crate) fn open(
        params: &Parameters,
        object: &'static str,
        kind: Kind,
        bytes: &'a [u8],
    ) -> Result<Self> {
        let reader =
            Header::open(bytes, kind, params.fingerprint()).map_err(|source| wire(object, source))?;
        Ok(Self { object, reader })
    }

    pub(crate) fn object(&self) -> &'static str {
        self.object
    }

    /// The whole object has to be `expected` bytes, as parameters and shape say; `bytes` is what was opened.
    pub(crate) fn require_len(&self, bytes: &[u8], expected: usize) -> Result<()> {
        if bytes.len() == expected {
            return Ok(());
        }
        Err(self.field("length in bytes", bytes.len() as i64, format!("{expected} for this shape")))
    }

    pub(crate) fn field(&self, field: &'static str, found: i64, expected: String) -> Error {
        Error::Field { object: self.object, field, found, expected }
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8> {
        self.reader.u8(field).map_err(|e| wire(self.object, e))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32> {
        self.reader.u32(field).map_err(|e| wire(self.object, e))
    }

    /// A number within `min..=max`.
    pub(crate) fn bounded(&mut self, field: &'static str, min: u8, max: usize) -> Result<usize> {
        let found = self.u8(field)?;
        if found < min || usize::from(found) > max {
            return Err(self.field(field, i64::from(found), format!("{min} to {max}")));
        }
        Ok(usize::from(found))
    }

    pub(crate) fn seed(&mut self) -> Result<Seed> {
        self.reader.array("seed").map(Seed).map_err(|e| wire(self.object, e))
    }

    /// A scale that fits the modulus of `level`.
    pub(crate) fn scale(&mut self, params: &Parameters, level: Level) -> Result<Scale> {
        let log2 = self.reader.u16("scale").map_err(|e| wire(self.object, e))? as i16;
        let raw = self.reader.bytes("scale", params.q().len()).map_err(|e| wire(self.object, e))?;
        let exponents: Vec<i8> = raw.iter().map(|&b| b as i8).collect();
        let scale = Scale::from_parts(log2, &exponents);
        let (found, room) = (params.scale_log2(&scale), params.log_q(level));
        if found < 0.0 || found >= room {
            return Err(self.field("log2 of the scale", found as i64, format!("0 to {room:.0}")));
        }
        Ok(scale)
    }

    /// A polynomial over the first `limbs` primes of a basis, every residue below its prime.
    pub(crate) fn poly<R: Representation>(&mut self, basis: &Basis, limbs: usize) -> Result<Poly<R>> {
        let mut poly = Poly::unspecified(basis.n(), limbs);
        for (limb, prime) in poly.limbs_mut().zip(basis.primes()) {
            let m = prime.modulus();
            self.packed(m.bits(), limb)?;
            // The maximum first: it vectorises, and says whether there is anything to look for.
            let top = limb.iter().copied().max().unwrap_or(0);
            if top >= m.value() {
                let index = limb.iter().position(|&x| x == top).unwrap_or(0);
                return Err(Error::Residue { object: self.object, index, found: top, modulus: m.value() });
            }
        }
        Ok(poly)
    }

    pub(crate) fn packed(&mut self, width: u32, out: &mut [u64]) -> Result<()> {
        self.reader.packed("residues", width, out).map_err(|e| wire(self.object, e))
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.reader.finish().map_err(|e| wire(self.object, e))
    }
}

fn wire(object: &'static str, source: blindscope_wire::Error) -> Error {
    Error::Wire { object, source }
}
