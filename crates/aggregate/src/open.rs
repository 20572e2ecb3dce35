//! Opening a sum: each site of the committee writes its shares, whoever combines them reads the integers.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::fields::Packer;
use crate::plan::Chunk;
use crate::stream::{Source, chunk_digest, put, share_head};
use crate::{Error, Result, SumPlan, words};
use blindscope_threshold::{Committee, DecryptionSession, PartyId, SharedHalf, Transcript};
use blindscope_wire::Digest;

const SHARE: &str = "write shares";
const OPEN: &str = "open sum";

/// Writes one site's shares of a sum, [`SumPlan::share_len`] bytes. The session comes from [`SumPlan::begin`] and is used up.
///
/// # Errors
/// [`Error::Mismatch`] for a session of another plan; for altered, cut, padded or foreign streams
/// [`Error::Wire`], [`Error::Foreign`], [`Error::Coefficient`],
/// [`Error::Threshold`], [`Error::Io`].
pub fn write_shares(
    plan: &SumPlan,
    session: DecryptionSession,
    sum: &mut impl Read,
    rng: &mut impl CryptoRng,
    out: &mut impl Write,
) -> Result<()> {
    let round = session.transcript().digest();
    if session.flooding() != plan.flooding() || session.remaining() != plan.chunks() {
        let (expected, found) = (plan.chunks(), session.remaining());
        return Err(Error::Mismatch { what: "ciphertexts of the session", expected, found });
    }
    let mut source = Sum::open(plan, SHARE, sum)?;
    put(SHARE, out, &share_head(plan, round, session.party()))?;
    let (mut session, mut bytes) = (session, Vec::new());
    for index in 0..plan.chunks() {
        let shape = plan.chunk(index);
        let shared = source.next(plan, round, &shape, index, |_, _, _| {})?;
        let (halves, rest) = session.share_halves(&shared.half, shape.coefficients.len(), rng)?;
        session = rest;
        bytes.clear();
        bytes.extend_from_slice(&shared.digest.0);
        for (mut half, &count) in halves.into_iter().zip(&shape.coefficients) {
            let mut packer = Packer::new(&mut bytes, plan.layout().half_bits());
            for c in 0..count {
                let coefficient = half.at_mut(c);
                plan.layout().round(coefficient);
                packer.push(coefficient);
            }
            packer.finish();
            half.zeroize();
        }
        put(SHARE, out, &bytes)?;
    }
    source.source.finish()
}

/// Combines the shares of a committee: the integers of the sum, in order, in runs as long as a chunk.
///
/// # Errors
/// [`Error::Threshold`] for shares of strangers, twice of one site or too few; [`Error::ForeignShare`] for a
/// share of another sum; otherwise as [`write_shares`], and whatever `sink` answers.
pub fn open_sum<R: Read>(
    plan: &SumPlan,
    round: &Transcript,
    committee: &Committee,
    sum: &mut impl Read,
    shares: &mut [(PartyId, R)],
    sink: &mut dyn FnMut(&[u64]) -> Result<()>,
) -> Result<()> {
    let digest = round.digest();
    require_committee(committee, shares)?;
    let mut source = Sum::open(plan, OPEN, sum)?;
    let mut answers = Vec::with_capacity(shares.len());
    for (party, reader) in shares {
        let mut share = Source { op: OPEN, reader };
        let found = share.open_shares(plan, digest)?;
        if found != *party {
            let (expected, found) = (u64::from(party.0), u64::from(found.0));
            return Err(Error::Mismatch { what: "site of the shares", expected, found });
        }
        answers.push((*party, share));
    }
    let (layout, width) = (plan.layout(), plan.layout().words() + 1);
    let (mut values, mut bytes) = (Vec::new(), Vec::new());
    for index in 0..plan.chunks() {
        let shape = plan.chunk(index);
        let mut sums: Vec<Vec<u64>> = shape.coefficients.iter().map(|&c| vec![0; c * width]).collect();
        let add = |sums: &mut Vec<Vec<u64>>, j: usize, c: usize, value: &[u64]| {
            words::add(&mut sums[j][c * width..(c + 1) * width], value);
        };
        let chunk = source.next(plan, digest, &shape, index, |j, c, v| add(&mut sums, j, c, v))?;
        for (party, share) in &mut answers {
            bytes.resize(shape.len(32, layout.half_bits()), 0);
            share.fill(&mut bytes)?;
            let (answered, halves) = bytes.split_at(32);
            if answered != chunk.digest.0 {
                return Err(Error::ForeignShare { party: *party, chunk: index });
            }
            let bound = (layout.half_bits(), layout.top());
            share.coefficients(halves, &shape, bound, index, |j, c, v| add(&mut sums, j, c, v))?;
        }
        values.resize(shape.values, 0);
        for (sums, values) in sums.iter_mut().zip(values.chunks_mut(plan.half_values())) {
            for (sum, digits) in sums.chunks_exact_mut(width).zip(values.chunks_mut(layout.digits())) {
                layout.digits_of(sum, digits);
            }
        }
        sink(&values)?;
    }
    source.source.finish()?;
    answers.iter_mut().try_for_each(|(_, share)| share.finish())
}

fn require_committee<R>(committee: &Committee, shares: &[(PartyId, R)]) -> Result<()> {
    use blindscope_threshold::Error::{Duplicate, Missing, NotInCommittee};
    let op = OPEN;
    for (i, &(party, _)) in shares.iter().enumerate() {
        if !committee.contains(party) {
            return Err(NotInCommittee { op, party }.into());
        }
        if shares.iter().take(i).any(|s| s.0 == party) {
            return Err(Duplicate { op, party }.into());
        }
    }
    let missing: Vec<PartyId> = committee.iter().filter(|p| shares.iter().all(|s| s.0 != *p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Missing { op, expected: committee.iter().count(), found: shares.len(), missing }.into())
}

/// A sum being read.
struct Sum<'r, R> {
    source: Source<'r, R>,
    bits: u32,
    top: Vec<u64>,
    buffer: Vec<u8>,
}

/// The part of a chunk that shares are made of, and what names it.
struct Shared {
    half: SharedHalf,
    digest: Digest,
}

impl<'r, R: Read> Sum<'r, R> {
    fn open(plan: &SumPlan, op: &'static str, reader: &'r mut R) -> Result<Self> {
        let mut source = Source { op, reader };
        let (_, terms) = source.open_ciphertext(plan, false)?;
        let (top, _) = plan.layout().sum_top(terms);
        Ok(Self { source, bits: plan.sum_bits(), top, buffer: Vec::new() })
    }

    fn next(
        &mut self,
        plan: &SumPlan,
        round: Digest,
        shape: &Chunk,
        index: u64,
        each: impl FnMut(usize, usize, &[u64]),
    ) -> Result<Shared> {
        let head = SharedHalf::byte_len(plan.params());
        self.buffer.resize(shape.len(head, self.bits), 0);
        self.source.fill(&mut self.buffer)?;
        let (shared, halves) = self.buffer.split_at(head);
        let half = SharedHalf::read(plan.params(), shared)?;
        self.source.coefficients(halves, shape, (self.bits, &self.top), index, each)?;
        Ok(Shared { half, digest: chunk_digest(round, index, &self.buffer) })
    }
}
