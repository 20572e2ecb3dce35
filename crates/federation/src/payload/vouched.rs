//! Encryptions that several holders derive alike: each vouches for those of all its shares, and sends some. An encryption counts only
//! if all holders of its share vouch for it.

use std::io::{Read as _, Write};

use super::encrypted::next;
use super::open;
use crate::{Blob, Blobs, Error, Result, SiteId};
use blindscope_ckks::{Ciphertext, Evaluator, Level, Parameters, Scale, codec};
use blindscope_threshold::Holding;
use blindscope_wire::{Digest, Hasher};

/// Bytes of the digest by which a holder vouches.
const DIGEST: usize = 32;

/// What is added up: of whose uploads, in how many ciphertexts.
#[derive(Clone, Copy)]
pub(crate) struct Summed<'a> {
    /// What messages and refusals call it.
    pub(crate) op: &'static str,
    pub(crate) holding: &'a Holding,
    /// The sites that hold its shares, in order.
    pub(crate) holders: &'a [SiteId],
    /// Levels of a share's ciphertexts.
    pub(crate) levels: &'a [Level],
    /// What the encryptions are made for: holders vouch for them there and nowhere else.
    pub(crate) round: Digest,
}

/// Bytes of a holder's upload, where a share's encryptions take `unit`.
pub(crate) fn vouched_len(holding: &Holding, holder: usize, unit: u64) -> u64 {
    let (held, sent) = (holding.held(holder).len() as u64, holding.sent(holder).len() as u64);
    held * DIGEST as u64 + sent * unit
}

/// Writes a holder's upload: a digest for each share that it holds, then the encryptions that are its to send. `made` gives those of a
/// share, and is called once for each that is held, in order.
///
/// # Errors
/// [`Error::Io`] where the writer fails, and what `made` fails with.
pub(crate) fn write_vouched(
    (op, holding, holder): (&'static str, &Holding, usize),
    round: &Digest,
    made: &mut dyn FnMut(usize) -> Result<Vec<Ciphertext>>,
    out: &mut dyn Write,
) -> Result<()> {
    let sent = holding.sent(holder);
    let mut ciphertexts = Vec::with_capacity(sent.len());
    for share in holding.held(holder) {
        let bytes: Vec<u8> = made(share)?.iter().flat_map(codec::encode_ciphertext).collect();
        out.write_all(&vouched(round, share, &bytes).0).map_err(Error::io(op))?;
        if sent.contains(&share) {
            ciphertexts.push(bytes);
        }
    }
    ciphertexts.iter().try_for_each(|bytes| out.write_all(bytes).map_err(Error::io(op)))
}

/// The sum of all shares' encryptions, from all holders' uploads: each share's is one that all its holders vouch for.
///
/// # Errors
/// [`Error::Vouched`] names the holders that disagree, or agree on what is no encryption; [`Error::Field`] for uploads of others than the holders; [`Error::Io`] where
/// a blob cannot be read.
pub(crate) fn sum_vouched(
    params: &Parameters,
    summed: Summed<'_>,
    uploads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<Ciphertext>> {
    let Summed { op, holding, holders, levels, round } = summed;
    let all = holders.len() == holding.holders();
    if !all || !uploads.iter().map(|(site, _)| site).eq(holders) {
        let (found, expected) = (format!("{} uploads", uploads.len()), "an upload of every holder");
        return Err(Error::Field { file: op, field: "holders", found, expected });
    }
    let unit = levels.iter().map(|l| codec::ciphertext_len(params, 2, *l)).sum();
    let (mut said, mut readers) = (Vec::new(), Vec::new());
    for (holder, (_, blob)) in uploads.iter().enumerate() {
        let expected = vouched_len(holding, holder, unit as u64);
        if blob.len != expected {
            return Err(Error::Length { op, expected, found: blob.len });
        }
        let mut reader = open(op, blobs, blob)?;
        let mut digests = vec![[0; DIGEST]; holding.held(holder).len()];
        digests.iter_mut().try_for_each(|d| reader.read_exact(d)).map_err(Error::io(op))?;
        said.push(holding.held(holder).into_iter().zip(digests).collect::<Vec<_>>());
        readers.push(reader);
    }
    let evaluator = Evaluator::new(params);
    let (mut bytes, mut sum) = (vec![0; unit], Vec::new());
    for share in 0..holding.shares() {
        readers[holding.sender(share)].read_exact(&mut bytes).map_err(Error::io(op))?;
        let digest = vouched(&round, share, &bytes);
        let of = holding.holders_of(share);
        let deviating = || Error::Vouched { op, share, sites: of.iter().map(|&h| holders[h]).collect() };
        if of.iter().any(|&h| !said[h].contains(&(share, digest.0))) {
            return Err(deviating());
        }
        // Bytes that are no such ciphertexts come from all its holders together.
        let made = share_ciphertexts(params, (op, levels), &bytes).map_err(|_| deviating())?;
        if sum.is_empty() {
            sum = made;
        } else {
            sum.iter_mut().zip(&made).try_for_each(|(s, c)| evaluator.add_assign(s, c))?;
        }
    }
    Ok(sum)
}

fn share_ciphertexts(
    params: &Parameters,
    (op, levels): (&'static str, &[Level]),
    mut bytes: &[u8],
) -> Result<Vec<Ciphertext>> {
    let made = levels.iter().map(|l| next(params, op, *l, &mut bytes)).collect::<Result<Vec<_>>>()?;
    if made.iter().any(|c| c.scale() != Scale::ONE) {
        let (found, expected) = ("another".to_owned(), "one, as encryptions of shares have");
        return Err(Error::Field { file: op, field: "scale", found, expected });
    }
    Ok(made)
}

/// What a holder vouches for: the bytes of a share's encryptions, and what they are made for.
fn vouched(round: &Digest, share: usize, bytes: &[u8]) -> Digest {
    let mut h = Hasher::new("blindscope/federation/dealt/ciphertexts/v2");
    h.absorb(&round.0).absorb_u64(share as u64).absorb(bytes).finish()
}
