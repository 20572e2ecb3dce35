//! The server's side: bodies are added up as integers, at once or in parts that are added up afterwards.

use std::io::{Read, Write};

use rayon::prelude::*;

use super::body::{SUM, Source, head, put};
use super::plan::{Plan, Shape};
use crate::fields::{Packer, Unpacker, packed_len};
use crate::{Error, Result, words};

const ADD: &str = "add bodies";

/// Writes the sum of bodies of one plan, [`Plan::sum_len`] bytes. One chunk of the sum and one of each of a few bodies are in memory,
/// however many there are; threads share a chunk's coefficients. Whatever the order of the bodies and the number of threads, the bytes are the same.
///
/// # Errors
/// [`Error::Mismatch`] for no body or more than the roster has sites; [`Error::Wire`] for cut, padded or foreign streams;
/// [`Error::Coefficient`] for altered ones; [`Error::Io`] where reading or writing fails.
pub fn write_sum<R: Read>(plan: &Plan, bodies: &mut [R], out: &mut impl Write) -> Result<()> {
    // Before anything is read of them.
    counted(plan, bodies.len() as u64)?;
    let sources = bodies.iter_mut().map(|body| Source::body(plan, ADD, body)).collect::<Result<Vec<_>>>()?;
    write(plan, sources, out)
}

/// Writes the sum of sums of one plan, each with the number of bodies that it has to be of: the bytes that [`write_sum`] writes of all these
/// bodies, so that several machines may add up some each. Which bodies they are of does not show in sums.
///
/// # Errors
/// As [`write_sum`]; [`Error::Mismatch`] where a sum is of another number of bodies.
pub fn write_sum_of_sums<R: Read>(plan: &Plan, sums: &mut [(u64, R)], out: &mut impl Write) -> Result<()> {
    counted(plan, sums.len() as u64)?;
    let mut sources = Vec::with_capacity(sums.len());
    for (expected, sum) in sums {
        let source = Source::sum(plan, ADD, sum)?;
        if source.terms != *expected {
            return Err(Error::Mismatch {
                what: "bodies in a sum",
                expected: *expected,
                found: source.terms,
            });
        }
        sources.push(source);
    }
    write(plan, sources, out)
}

fn counted(plan: &Plan, found: u64) -> Result<()> {
    let expected = u64::from(plan.literal().sites);
    if (1..=expected).contains(&found) {
        return Ok(());
    }
    Err(Error::Mismatch { what: "bodies in a sum", expected, found })
}

/// Adds up what is of one kind: all bodies, or all sums.
fn write<R: Read>(plan: &Plan, mut sources: Vec<Source<'_, R>>, out: &mut impl Write) -> Result<()> {
    let terms = sources.iter().map(|source| source.terms).sum();
    counted(plan, terms)?;
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
                read.push(Chunk { bytes: buffer, bits: source.bits, top: &source.top });
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

/// A chunk of a body or a sum.
#[derive(Clone, Copy)]
struct Chunk<'c> {
    bytes: &'c [u8],
    /// Bits of a coefficient.
    bits: u32,
    /// The largest coefficient that it may have.
    top: &'c [u64],
}

/// The sum of one chunk in the making.
struct Adding<'p> {
    plan: &'p Plan,
    shape: Shape,
    /// Words of one coefficient of the sum.
    width: usize,
    total: Vec<u64>,
}

impl<'p> Adding<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self { plan, shape: plan.shape(0), width: plan.layout().top.len() + 1, total: Vec::new() }
    }

    fn begin(&mut self, shape: Shape) {
        self.shape = shape;
        self.total.clear();
        self.total.resize(shape.coefficients * self.width, 0);
    }

    /// Adds these chunks, or refuses the first coefficient that is above its source's largest.
    fn add(&mut self, chunks: &[Chunk<'_>], index: u64) -> Result<()> {
        let (width, count) = (self.width, self.shape.coefficients);
        let run = |(at, total): (usize, &mut [u64])| add_run(total, width, chunks, at * RUN);
        // One run is not worth waking another thread.
        let altered = if count <= RUN {
            run((0, &mut self.total))
        } else {
            self.total.par_chunks_mut(RUN * width).enumerate().filter_map(run).min()
        };
        let padded = |chunk: &Chunk<'_>| {
            let used = count * chunk.bits as usize;
            !used.is_multiple_of(8) && chunk.bytes[used / 8] >> (used % 8) != 0
        };
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

/// Adds the coefficients from `first` of each chunk; source and place of the first one above its source's largest.
fn add_run(total: &mut [u64], width: usize, chunks: &[Chunk<'_>], first: usize) -> Option<(usize, usize)> {
    let mut value = vec![0; width];
    for (source, Chunk { bytes, bits, top }) in chunks.iter().enumerate() {
        let mut unpacker = Unpacker::new(&bytes[first * *bits as usize / 8..], *bits);
        for (c, total) in total.chunks_exact_mut(width).enumerate() {
            unpacker.next_into(&mut value);
            if words::compare(&value, top).is_gt() {
                return Some((source, first + c));
            }
            words::add(total, &value);
        }
    }
    None
}
