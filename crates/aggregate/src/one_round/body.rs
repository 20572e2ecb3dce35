//! Bodies and their sums as streams.
//!
//! | bytes | body | sum |
//! | ---: | --- | --- |
//! | 32 | [`Header`] with the plan's fingerprint | the same |
//! | 4 | | u32: bodies in it |
//!
//! and chunk after chunk the coefficients, packed at one width. A sum is an *integer* sum, not reduced.

use std::io::{Read, Write};

use rayon::prelude::*;

use super::plan::{Plan, Shape};
use crate::error::io;
use crate::fields::{Packer, Unpacker, packed_len};
use crate::{Error, Result, words};
use blindscope_wire::{Header, Kind, Reader};

/// One site's encrypted values under its one-round key.
pub const BODY: Kind = Kind(0x0411);
/// A sum of bodies.
pub const SUM: Kind = Kind(0x0412);
/// One holder's sum of parts.
pub(crate) const OPENING: Kind = Kind(0x0413);

const ADD: &str = "add bodies";

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
    bits: u32,
    top: Vec<u64>,
    buffer: Vec<u8>,
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
    fn read(&mut self, shape: Shape) -> Result<()> {
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

/// Writes the sum of bodies of one plan, [`Plan::sum_len`] bytes. One chunk of the sum and one of each of a few bodies are in memory,
/// however many there are; threads share a chunk's coefficients. Whatever the order of the bodies and the number of threads, the bytes are the same.
///
/// # Errors
/// [`Error::Mismatch`] for no body or more than the roster has sites; [`Error::Wire`] for cut, padded or foreign streams;
/// [`Error::Coefficient`] for altered ones; [`Error::Io`] where reading or writing fails.
pub fn write_sum<R: Read>(plan: &Plan, bodies: &mut [R], out: &mut impl Write) -> Result<()> {
    let terms = bodies.len() as u64;
    let most = u64::from(plan.literal().sites);
    if !(1..=most).contains(&terms) {
        return Err(Error::Mismatch { what: "bodies in a sum", expected: most, found: terms });
    }
    let mut sources = Vec::with_capacity(bodies.len());
    for reader in bodies {
        sources.push(Source::body(plan, ADD, reader)?);
    }
    put(ADD, out, &head(plan, SUM, plan.sum_len()))?;
    put(ADD, out, &(terms as u32).to_le_bytes())?;
    let mut adding = Adding::new(plan);
    let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); TOGETHER.min(sources.len())];
    for index in 0..plan.chunks() {
        let shape = plan.shape(index);
        adding.begin(shape);
        for together in sources.chunks_mut(TOGETHER) {
            let (mut read, mut failed) = (Vec::with_capacity(together.len()), Ok(()));
            for (source, buffer) in together.iter_mut().zip(&mut buffers) {
                // Bodies lend one another their buffers: with a thousand, one each would be all that is in memory.
                std::mem::swap(&mut source.buffer, buffer);
                failed = source.read(shape);
                std::mem::swap(&mut source.buffer, buffer);
                if failed.is_err() {
                    break;
                }
                read.push(&buffer[..]);
            }
            adding.add(&read, index)?;
            failed?;
        }
        for bytes in adding.packed() {
            put(ADD, out, &bytes)?;
        }
    }
    sources.iter_mut().try_for_each(Source::finish)
}

/// Bodies whose chunks are added at a time.
const TOGETHER: usize = 8;
/// Coefficients that one thread adds at a time: whole bytes at every width.
const RUN: usize = 1024;

/// The sum of one chunk in the making.
struct Adding<'p> {
    plan: &'p Plan,
    shape: Shape,
    /// The largest coefficient of a body, and its bits.
    top: (Vec<u64>, u32),
    /// Words of one coefficient of the sum.
    width: usize,
    total: Vec<u64>,
}

impl<'p> Adding<'p> {
    fn new(plan: &'p Plan) -> Self {
        let (top, width) = (plan.layout().sum_top(1), plan.layout().top.len() + 1);
        Self { plan, shape: plan.shape(0), top, width, total: Vec::new() }
    }

    fn begin(&mut self, shape: Shape) {
        self.shape = shape;
        self.total.clear();
        self.total.resize(shape.coefficients * self.width, 0);
    }

    /// Adds these chunks, or refuses the first coefficient that no body has.
    fn add(&mut self, chunks: &[&[u8]], index: u64) -> Result<()> {
        let (top, width, count) = (&self.top, self.width, self.shape.coefficients);
        let run = |(at, total): (usize, &mut [u64])| add_run(total, width, chunks, at * RUN, top);
        // One run is not worth waking another thread.
        let altered = if count <= RUN {
            run((0, &mut self.total))
        } else {
            self.total.par_chunks_mut(RUN * width).enumerate().filter_map(run).min()
        };
        let used = count * top.1 as usize;
        let padded = |bytes: &&[u8]| !used.is_multiple_of(8) && bytes[used / 8] >> (used % 8) != 0;
        let padded = chunks.iter().position(padded).map(|body| (body, count));
        match altered.into_iter().chain(padded).min() {
            Some((_, c)) => Err(Error::Coefficient { op: ADD, chunk: index, index: c }),
            None => Ok(()),
        }
    }

    /// The chunk's bytes, a run at a time.
    fn packed(&self) -> Vec<Vec<u8>> {
        let (width, bits) = (self.width, self.plan.sum_bits());
        let pack = |run: &[u64]| {
            let mut bytes = Vec::with_capacity(packed_len(run.len() / width, bits));
            let mut packer = Packer::new(&mut bytes, bits);
            run.chunks_exact(width).for_each(|c| packer.push(c));
            packer.finish();
            bytes
        };
        if self.shape.coefficients <= RUN {
            return vec![pack(&self.total)];
        }
        self.total.par_chunks(RUN * width).map(pack).collect()
    }
}

/// Adds the coefficients from `first` of each chunk; body and place of the first one above what a body can give.
fn add_run(
    total: &mut [u64],
    width: usize,
    chunks: &[&[u8]],
    first: usize,
    (top, bits): &(Vec<u64>, u32),
) -> Option<(usize, usize)> {
    let mut value = vec![0; top.len()];
    for (body, bytes) in chunks.iter().enumerate() {
        let mut unpacker = Unpacker::new(&bytes[first * *bits as usize / 8..], *bits);
        for (c, total) in total.chunks_exact_mut(width).enumerate() {
            unpacker.next_into(&mut value);
            if words::compare(&value, top).is_gt() {
                return Some((body, first + c));
            }
            words::add(total, &value);
        }
    }
    None
}
