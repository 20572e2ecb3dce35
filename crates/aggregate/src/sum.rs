//! The server's part: adding streams that it cannot read.

use std::io::{Read, Write};

use crate::fields::Packer;
use crate::plan::Chunk;
use crate::stream::{SUM, Source, UPLOAD, ciphertext_head, put};
use crate::{Error, Result, SumPlan, words};
use blindscope_threshold::SharedHalf;

const OP: &str = "write sum";

/// Writes the sum of uploads, encryptions of zero and earlier sums of one plan, [`SumPlan::sum_len`] bytes.
///
/// Chunk by chunk: one chunk of the sum and one of an input are in memory. Whatever the order of the inputs, the bytes are the
/// same.
///
/// # Errors
/// [`Error::Mismatch`] for no input, or more ciphertexts than headroom was proved for; for altered, cut, padded or
/// foreign streams [`Error::Wire`], [`Error::Foreign`], [`Error::Coefficient`],
/// [`Error::Threshold`], [`Error::Io`].
pub fn write_sum<R: Read>(plan: &SumPlan, inputs: &mut [R], out: &mut impl Write) -> Result<()> {
    let mut sources: Vec<Input<'_, R>> =
        inputs.iter_mut().map(|reader| Input::open(plan, reader)).collect::<Result<_>>()?;
    let terms: u64 = sources.iter().map(|s| s.terms).sum();
    if !(1..=plan.terms()).contains(&terms) {
        let (expected, found) = (plan.terms(), terms);
        return Err(Error::Mismatch { what: "ciphertexts in a sum", expected, found });
    }
    put(OP, out, &ciphertext_head(plan, SUM, terms))?;
    let mut buffer = Vec::new();
    for index in 0..plan.chunks() {
        let shape = plan.chunk(index);
        let mut total = Total::new(plan, &shape);
        for source in &mut sources {
            source.add(plan, &shape, index, &mut buffer, &mut total)?;
        }
        total.write(plan, &mut buffer);
        put(OP, out, &buffer)?;
    }
    sources.iter_mut().try_for_each(|s| s.source.finish())
}

/// One chunk of a sum.
struct Total {
    shared: Option<SharedHalf>,
    width: usize,
    /// Words of every coefficient, half after half.
    halves: Vec<Vec<u64>>,
}

impl Total {
    fn new(plan: &SumPlan, shape: &Chunk) -> Self {
        let width = plan.layout().words() + 1;
        let halves = shape.coefficients.iter().map(|&c| vec![0; c * width]).collect();
        Self { shared: None, width, halves }
    }

    fn write(&self, plan: &SumPlan, out: &mut Vec<u8>) {
        out.clear();
        if let Some(shared) = &self.shared {
            shared.write(plan.params(), out);
        }
        let bits = plan.sum_bits();
        for half in &self.halves {
            let mut packer = Packer::new(out, bits);
            half.chunks_exact(self.width).for_each(|c| packer.push(c));
            packer.finish();
        }
    }
}

/// One stream to be added, its head read.
struct Input<'r, R> {
    source: Source<'r, R>,
    terms: u64,
    bits: u32,
    top: Vec<u64>,
}

impl<'r, R: Read> Input<'r, R> {
    fn open(plan: &SumPlan, reader: &'r mut R) -> Result<Self> {
        let mut source = Source { op: OP, reader };
        let (kind, terms) = source.open_ciphertext(plan, true)?;
        let (top, bits) = plan.layout().sum_top(terms);
        let bits = if kind == UPLOAD { bits } else { plan.sum_bits() };
        Ok(Self { source, terms, bits, top })
    }

    fn add(
        &mut self,
        plan: &SumPlan,
        shape: &Chunk,
        index: u64,
        buffer: &mut Vec<u8>,
        total: &mut Total,
    ) -> Result<()> {
        let head = SharedHalf::byte_len(plan.params());
        buffer.resize(shape.len(head, self.bits), 0);
        self.source.fill(buffer)?;
        let (shared, halves) = buffer.split_at(head);
        let shared = SharedHalf::read(plan.params(), shared)?;
        match &mut total.shared {
            Some(sum) => sum.add_assign(plan.params(), &shared),
            empty => *empty = Some(shared),
        }
        let (width, sums) = (total.width, &mut total.halves);
        self.source.coefficients(halves, shape, (self.bits, &self.top), index, |j, c, value| {
            words::add(&mut sums[j][c * width..(c + 1) * width], value);
        })
    }
}
