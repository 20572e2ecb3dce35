//! What the three streams of a sum have in common: a head, then chunk after chunk, all of lengths that the plan gives.
//!
//! | bytes | upload, sum | shares |
//! | ---: | --- | --- |
//! | 32 | [`Header`] with the parameters' fingerprint | the same |
//! | 32 | digest of the plan | the same |
//! | 4 or 34 | u32: ciphertexts in it | digest of the round; u16: the site |
//!
//! and for each chunk the uniform half, limb after limb at its prime's width (of a share: the SHA-256 of the chunk that it
//! answers), then each message half's coefficients in use, packed at one width.

use std::io::{Read, Write};

use crate::fields::Unpacker;
use crate::plan::Chunk;
use crate::{Error, Result, SumPlan, words};
use blindscope_threshold::PartyId;
use blindscope_wire::{Digest, Hasher, Header, Kind, Reader, Writer};

/// One site's encrypted update, or encryptions of zero.
pub const UPLOAD: Kind = Kind(0x0401);
/// A sum of uploads.
pub const SUM: Kind = Kind(0x0402);
/// One site's shares of an opening.
pub const SHARES: Kind = Kind(0x0403);

pub(crate) fn io(op: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |e| Error::Io { op, kind: e.kind() }
}

fn head(
    plan: &SumPlan,
    kind: Kind,
    len: u64,
    tail: impl FnOnce(&mut Writer<'_>),
    tail_len: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out, Header::LEN + 32 + tail_len);
    let params = plan.params().fingerprint();
    Header { kind, params, payload_len: len - Header::LEN as u64 }.write(&mut w);
    w.bytes(&plan.digest().0);
    tail(&mut w);
    w.finish();
    out
}

/// The head of an upload or a sum.
pub(crate) fn ciphertext_head(plan: &SumPlan, kind: Kind, terms: u64) -> Vec<u8> {
    let len = if kind == SUM { plan.sum_len() } else { plan.upload_len() };
    head(plan, kind, len, |w| w.u32(terms as u32), 4)
}

/// The head of a site's shares.
pub(crate) fn share_head(plan: &SumPlan, round: Digest, party: PartyId) -> Vec<u8> {
    let tail = |w: &mut Writer<'_>| {
        w.bytes(&round.0);
        w.u16(party.0);
    };
    head(plan, SHARES, plan.share_len(), tail, 34)
}

/// A stream being read: the operation it is read for.
pub(crate) struct Source<'r, R> {
    pub(crate) op: &'static str,
    pub(crate) reader: &'r mut R,
}

impl<R: Read> Source<'_, R> {
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes).map_err(io(self.op))
    }

    /// The header's kind, after everything else in it and the plan's digest have been checked.
    fn open(&mut self, plan: &SumPlan, kinds: &[(Kind, u64)]) -> Result<Kind> {
        let mut bytes = [0; Header::LEN + 32];
        self.fill(&mut bytes)?;
        let mut r = Reader::new(&bytes);
        let header = Header::read(&mut r)?;
        let (kind, len) =
            kinds.iter().copied().find(|k| k.0 == header.kind).or(kinds.first().copied()).unwrap_or((SUM, 0));
        header.require(kind, plan.params().fingerprint())?;
        let expected = len - Header::LEN as u64;
        if header.payload_len != expected {
            return Err(blindscope_wire::Error::PayloadLen { expected, found: header.payload_len }.into());
        }
        self.same("plan", plan.digest(), Digest(r.array("plan")?))?;
        Ok(kind)
    }

    fn same(&self, what: &'static str, expected: Digest, found: Digest) -> Result<()> {
        if expected == found {
            return Ok(());
        }
        let (expected, found) = (expected.fingerprint().to_string(), found.fingerprint().to_string());
        Err(Error::Foreign { op: self.op, what, expected, found })
    }

    /// Opens an upload (where `uploads`) or a sum: its kind and how many ciphertexts are in it.
    pub(crate) fn open_ciphertext(&mut self, plan: &SumPlan, uploads: bool) -> Result<(Kind, u64)> {
        let both = [(SUM, plan.sum_len()), (UPLOAD, plan.upload_len())];
        let kind = self.open(plan, if uploads { &both } else { &both[..1] })?;
        let mut terms = [0; 4];
        self.fill(&mut terms)?;
        let terms = u64::from(u32::from_le_bytes(terms));
        let most = if kind == UPLOAD { 1 } else { plan.terms() };
        if !(1..=most).contains(&terms) {
            let (expected, found) = (most, terms);
            return Err(Error::Mismatch { what: "ciphertexts in a stream", expected, found });
        }
        Ok((kind, terms))
    }

    /// Opens a site's shares: whose they are.
    pub(crate) fn open_shares(&mut self, plan: &SumPlan, round: Digest) -> Result<PartyId> {
        self.open(plan, &[(SHARES, plan.share_len())])?;
        let mut tail = [0; 34];
        self.fill(&mut tail)?;
        let mut r = Reader::new(&tail);
        self.same("round", round, Digest(r.array("round")?))?;
        Ok(PartyId(r.u16("site")?))
    }

    /// Nothing may follow.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut one = [0];
        match self.reader.read(&mut one).map_err(io(self.op))? {
            0 => Ok(()),
            found => Err(blindscope_wire::Error::Trailing { found }.into()),
        }
    }

    /// Calls `each` with every coefficient of a chunk's halves, none above `top`: half, place, words.
    pub(crate) fn coefficients(
        &self,
        bytes: &[u8],
        shape: &Chunk,
        (bits, top): (u32, &[u64]),
        chunk: u64,
        mut each: impl FnMut(usize, usize, &[u64]),
    ) -> Result<()> {
        let (mut rest, mut value) = (bytes, vec![0; top.len()]);
        for (j, &count) in shape.coefficients.iter().enumerate() {
            let (half, after) = rest.split_at(crate::fields::packed_len(count, bits).min(rest.len()));
            rest = after;
            let mut unpacker = Unpacker::new(half, bits);
            for c in 0..count {
                unpacker.next_into(&mut value);
                if words::compare(&value, top).is_gt() {
                    return Err(Error::Coefficient { op: self.op, chunk, index: c });
                }
                each(j, c, &value);
            }
            if !unpacker.padding_is_zero() {
                return Err(Error::Coefficient { op: self.op, chunk, index: count });
            }
        }
        Ok(())
    }
}

pub(crate) fn put(op: &'static str, out: &mut impl Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(io(op))
}

/// What a share of a chunk answers.
pub(crate) fn chunk_digest(round: Digest, index: u64, bytes: &[u8]) -> Digest {
    let mut h = Hasher::new("blindscope/aggregate/chunk/v1");
    h.absorb(&round.0).absorb_u64(index).absorb(bytes);
    h.finish()
}
