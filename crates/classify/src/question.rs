//! Questions on the wire: a header with the plan's identity, the number of tokens, and ciphertexts one after the other,
//! so that a server reads and forgets them a few at a time.

use std::io::{Read, Write};

use rayon::prelude::*;

use crate::form::Form;
use crate::{Error, KeyOwner, Plan, Result};
use blindscope_ckks::{Ciphertext, codec};
use blindscope_wire::{Header, Kind, Reader, Writer};

/// A question.
pub(crate) const KIND: Kind = Kind(0x0502);
/// Low bits that coefficients of a question do not bring along, where not all coefficients travel: what they add to an error of
/// 3.24 makes it 4.0.
pub(crate) const DROPPED: u32 = 3;

pub(crate) fn check_tokens(op: &'static str, plan: &Plan, found: usize) -> Result<()> {
    let most = plan.literal().batch;
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(Error::Count { op, what: "tokens", found, expected: format!("1 to {most}") })
}

/// Writes what stands before the ciphertexts.
pub(crate) fn write_head(plan: &Plan, tokens: usize, out: &mut impl Write) -> Result<()> {
    check_tokens("question", plan, tokens)?;
    let mut bytes = Vec::new();
    let mut w = Writer::new(&mut bytes, HEAD_LEN);
    let payload_len = (plan.upload_len(tokens) - Header::LEN) as u64;
    Header { kind: KIND, params: plan.fingerprint(), payload_len }.write(&mut w);
    w.u32(tokens as u32);
    w.finish();
    write_all(&bytes, out)
}

/// How many tokens the bytes of a question say that they hold.
///
/// # Errors
/// [`Error::OtherPlan`] for a question of another plan, [`Error::Wire`] for bytes that are none, [`Error::Count`] for more tokens
/// than the plan's batch or none.
pub fn announced(plan: &Plan, question: &[u8]) -> Result<usize> {
    Ok(Pieces::open(plan, question)?.tokens())
}

/// The bytes of a question of these ciphertexts: encryptions of what [`crate::Asker::encode`] gave, in order, at any scale; they
/// are taken to be at the plan's.
///
/// # Errors
/// [`Error::Count`] for more tokens than the plan's batch or another number of ciphertexts, [`Error::OtherPlan`]
/// for ciphertexts that are not fresh ones of the plan.
pub fn question_of(plan: &Plan, tokens: usize, ciphertexts: Vec<Ciphertext>) -> Result<Vec<u8>> {
    plan.require_key("question", KeyOwner::Collective)?;
    let mut out = Vec::with_capacity(plan.upload_len(tokens));
    write_head(plan, tokens, &mut out)?;
    if ciphertexts.len() != plan.pieces(tokens) {
        let (what, found, expected) = ("ciphertexts", ciphertexts.len(), plan.pieces(tokens).to_string());
        return Err(Error::Count { op: "question", what, found, expected });
    }
    for mut c in ciphertexts {
        c.set_scale(plan.fresh());
        check(plan, &c)?;
        out.extend_from_slice(&codec::encode_ciphertext(&c));
    }
    Ok(out)
}

const HEAD_LEN: usize = Header::LEN + crate::plan::COUNT_LEN;

pub(crate) fn write_all(bytes: &[u8], out: &mut impl Write) -> Result<()> {
    out.write_all(bytes).map_err(|source| Error::Stream { op: "write question", source })
}

/// The ciphertexts of a question, read a few at a time.
pub(crate) struct Pieces<'p, R> {
    plan: &'p Plan,
    source: R,
    tokens: usize,
    left: usize,
    buffer: Vec<u8>,
    sparse: Option<codec::Sparse>,
}

impl<'p, R: Read> Pieces<'p, R> {
    /// Reads and checks the header.
    pub(crate) fn open(plan: &'p Plan, mut source: R) -> Result<Self> {
        let mut head = [0; HEAD_LEN];
        read_exact(&mut source, &mut head)?;
        let wire = |source| Error::Wire { object: "question", source };
        let mut r = Reader::new(&head);
        let header = Header::read(&mut r).map_err(wire)?;
        header.require(KIND, plan.fingerprint()).map_err(|source| other_plan(plan, &header, source))?;
        let tokens = r.u32("tokens").map_err(wire)? as usize;
        check_tokens("question", plan, tokens)?;
        header.require_payload(plan.upload_len(tokens) - Header::LEN).map_err(wire)?;
        let buffer = vec![0; plan.piece_len()];
        let (left, sparse) = (plan.pieces(tokens), plan.sparse_question()?);
        Ok(Self { plan, source, tokens, left, buffer, sparse })
    }

    /// Tokens that are asked.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// The next `most` ciphertexts, or what is left, decoded by several threads.
    pub(crate) fn run(&mut self, most: usize) -> Result<Vec<Ciphertext>> {
        let (count, each) = (most.min(self.left), self.plan.piece_len());
        self.left -= count;
        self.buffer.resize(count * each, 0);
        read_exact(&mut self.source, &mut self.buffer)?;
        let (plan, sparse) = (self.plan, self.sparse.as_ref());
        let one = |bytes| decode(plan, sparse, bytes);
        // A lone one is not worth waking another thread.
        let all: Vec<_> = if count == 1 {
            self.buffer.chunks_exact(each).map(one).collect()
        } else {
            self.buffer.par_chunks_exact(each).map(one).collect()
        };
        // The first that is refused, whichever thread was first.
        all.into_iter().collect()
    }

    /// Refuses bytes after the last ciphertext.
    pub(crate) fn finish(mut self) -> Result<()> {
        let mut one = [0];
        match self.source.read(&mut one) {
            Ok(0) => Ok(()),
            Ok(found) => {
                let source = blindscope_wire::Error::Trailing { found };
                Err(Error::Wire { object: "question", source })
            }
            Err(source) => Err(Error::Stream { op: "read question", source }),
        }
    }
}

fn decode(plan: &Plan, sparse: Option<&codec::Sparse>, bytes: &[u8]) -> Result<Ciphertext> {
    let params = plan.params();
    let c = match plan.literal().key {
        KeyOwner::Asker => match sparse {
            Some(sparse) => codec::decode_sparse(params, sparse, bytes)?.into_ciphertext(),
            None => codec::decode_seeded(params, bytes)?.into_ciphertext(),
        },
        KeyOwner::Collective => codec::decode_ciphertext(params, bytes)?,
    };
    check(plan, &c)?;
    Ok(c)
}

/// A fresh ciphertext of this plan.
pub(crate) fn check(plan: &Plan, c: &Ciphertext) -> Result<()> {
    Form { level: plan.params().top_level(), scale: plan.fresh() }.require("question", plan, c)
}

fn other_plan(plan: &Plan, header: &Header, source: blindscope_wire::Error) -> Error {
    if header.kind != KIND {
        return Error::Wire { object: "question", source };
    }
    let (found, expected) = (header.params.to_string(), plan.fingerprint().to_string());
    Error::OtherPlan { op: "question", found, expected }
}

fn read_exact(source: &mut impl Read, out: &mut [u8]) -> Result<()> {
    source.read_exact(out).map_err(|source| Error::Stream { op: "read question", source })
}
