//! Bodies and their sums as streams.
//!
//! | bytes | body | sum |
//! | ---: | --- | --- |
//! | 32 | [`Header`] with the plan's fingerprint | the same |
//! | 4 | | u32: bodies in it |
//!
//! and chunk after chunk the coefficients, packed at one width. A sum is an *integer* sum, not reduced.

use std::io::{Read, Write};

use super::plan::{Plan, Shape};
use crate::error::io;
use crate::fields::{Unpacker, packed_len};
use crate::{Error, Result, words};
use blindscope_wire::{Header, Kind, Reader};

/// One site's encrypted values under its one-round key.
pub const BODY: Kind = Kind(0x0411);
/// A sum of bodies.
pub const SUM: Kind = Kind(0x0412);
/// One holder's sum of parts.
pub(crate) const OPENING: Kind = Kind(0x0413);

pub(crate) fn put(op: &'static str, out: &mut impl Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(io(op))
}

/// The header of a stream of this plan.
pub(crate) fn head(plan: &Plan, kind: Kind, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = blindscope_wire::Writer::new(&mut out, Header::LEN);
    let payload_len = len - Header::LEN as u64;
    Header { kind, params: plan.digest().fingerprint(), payload_len }.write(&mut w);
    w.finish();
    out
}

pub(crate) fn body_head(plan: &Plan) -> Vec<u8> {
    head(plan, BODY, plan.body_len())
}

/// A body or a sum being read.
pub(crate) struct Source<'r, R> {
    op: &'static str,
    reader: &'r mut R,
    /// Bodies in it.
    pub(crate) terms: u64,
    /// Bits of a coefficient.
    pub(super) bits: u32,
    /// The largest coefficient, in one word more.
    pub(super) top: Vec<u64>,
    pub(super) buffer: Vec<u8>,
}

impl<'r, R: Read> Source<'r, R> {
    pub(crate) fn body(plan: &Plan, op: &'static str, reader: &'r mut R) -> Result<Self> {
        let (top, bits) = plan.layout().sum_top(1);
        let mut source = Self { op, reader, terms: 1, bits, top, buffer: Vec::new() };
        source.open(plan, BODY, plan.body_len())?;
        Ok(source)
    }

    pub(crate) fn sum(plan: &Plan, op: &'static str, reader: &'r mut R) -> Result<Self> {
        let bits = plan.sum_bits();
        let mut source = Self { op, reader, terms: 0, bits, top: Vec::new(), buffer: Vec::new() };
        source.open(plan, SUM, plan.sum_len())?;
        let mut terms = [0; 4];
        source.reader.read_exact(&mut terms).map_err(io(op))?;
        source.terms = u64::from(u32::from_le_bytes(terms));
        let most = u64::from(plan.literal().sites);
        if !(1..=most).contains(&source.terms) {
            let (expected, found) = (most, source.terms);
            return Err(Error::Mismatch { what: "bodies in a sum", expected, found });
        }
        source.top = plan.layout().sum_top(source.terms).0;
        Ok(source)
    }

    fn open(&mut self, plan: &Plan, kind: Kind, len: u64) -> Result<()> {
        let mut bytes = [0; Header::LEN];
        self.reader.read_exact(&mut bytes).map_err(io(self.op))?;
        let header = Header::read(&mut Reader::new(&bytes))?;
        header.require(kind, plan.digest().fingerprint())?;
        let expected = len - Header::LEN as u64;
        if header.payload_len != expected {
            return Err(blindscope_wire::Error::PayloadLen { expected, found: header.payload_len }.into());
        }
        Ok(())
    }

    /// Calls `each` with every coefficient of the next chunk, none above what its bodies can give: place, words.
    pub(crate) fn chunk(
        &mut self,
        shape: Shape,
        index: u64,
        mut each: impl FnMut(usize, &[u64]),
    ) -> Result<()> {
        self.read(shape)?;
        let (op, mut value) = (self.op, vec![0; self.top.len()]);
        let mut unpacker = Unpacker::new(&self.buffer, self.bits);
        for c in 0..shape.coefficients {
            unpacker.next_into(&mut value);
            if words::compare(&value, &self.top).is_gt() {
                return Err(Error::Coefficient { op, chunk: index, index: c });
            }
            each(c, &value);
        }
        if !unpacker.padding_is_zero() {
            return Err(Error::Coefficient { op, chunk: index, index: shape.coefficients });
        }
        Ok(())
    }

    /// The bytes of the next chunk, not looked at.
    pub(super) fn read(&mut self, shape: Shape) -> Result<()> {
        self.buffer.resize(packed_len(shape.coefficients, self.bits), 0);
        self.reader.read_exact(&mut self.buffer).map_err(io(self.op))
    }

    /// Nothing may follow.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut one = [0];
        match self.reader.read(&mut one).map_err(io(self.op))? {
            0 => Ok(()),
            found => Err(blindscope_wire::Error::Trailing { found }.into()),
        }
    }
}

/// Reads a body to its end and refuses one that no site could have written: another plan's, cut, padded, or with a number
/// that is not below `q/2^d`.
///
/// # Errors
/// [`Error::Wire`] for a stream of another kind, plan or length; [`Error::Coefficient`] for one that is not below
/// its bound; [`Error::Io`] where the reader fails.
pub fn check_body(plan: &Plan, body: &mut impl Read) -> Result<()> {
    let mut source = Source::body(plan, "check body", body)?;
    for index in 0..plan.chunks() {
        source.chunk(plan.shape(index), index, |_, _| {})?;
    }
    source.finish()
}
