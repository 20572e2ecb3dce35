//! A holder's part: it derives the encryptions of its shares, vouches for them, and sends those that are its to send.

use std::io::Write;

use super::deal::{AskedOf, context};
use super::{QuestionOf, SENDER, dealt_len};
use crate::payload::encrypted::read_key;
use crate::payload::holders::{holding, package_len};
use crate::payload::inference::read_exactly;
use crate::payload::vouched::write_vouched;
use crate::{Blob, Blobs, Error, JobId, PublicSealingKey, Question, Result, SealingKey, SiteId, Step, Study};
use blindscope_threshold::{Dealt, Holding};

const ENCRYPT: &str = "encrypt shares of a question";

/// Writes a holder's upload: it derives the encryptions of all its shares, vouches for each, and sends those that are its to send.
///
/// # Errors
/// [`Error::Dealt`] for seeds that are not sealed to this site for this question; [`Error::Threshold`] for a key of other
/// parameters; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn write_encryptions(
    study: &Study,
    (of, key, step): (QuestionOf<'_>, JobId, Step),
    (me, sealing): (SiteId, &SealingKey),
    public_key: &Blob,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let QuestionOf { circuit, question } = of;
    let (params, holding) = (study.circuit_params(circuit)?, holding(study)?);
    let holder = question.holders.iter().position(|&h| h == me);
    let holder = holder.ok_or(Error::ForeignSite { op: ENCRYPT, site: me })?;
    let public_key = read_key(&params, ENCRYPT, public_key, blobs)?;
    let seeds = open_seeds(study, (key, question), (me, sealing), (&holding, holder), blobs)?;
    let mut seeds = seeds.into_iter();
    let mut made = |share| {
        let seeds = seeds.next().ok_or(Error::Dealt { site: me })?;
        Ok(seeds.encrypt(&public_key, &step.job.0, share, question.pieces as usize)?)
    };
    write_vouched((ENCRYPT, &holding, holder), &step.job.0, &mut made, out)
}

/// The seeds that are sealed to a holder, in its shares' order.
fn open_seeds(
    study: &Study,
    (key, question): (JobId, &Question),
    (me, sealing): (SiteId, &SealingKey),
    (holding, holder): (&Holding, usize),
    blobs: &dyn Blobs,
) -> Result<Vec<Dealt>> {
    let wrong = || Error::Dealt { site: me };
    let bytes = read_exactly(ENCRYPT, blobs, &question.dealt, dealt_len(holding) as u64)?;
    let (sender, packages) = bytes.split_first_chunk::<SENDER>().ok_or_else(wrong)?;
    let sealed = packages.chunks_exact(package_len(holding)).nth(holder).ok_or_else(wrong)?;
    let of = AskedOf { key, head: question.head, asker: &question.asker, remainder: &question.remainder };
    let plain = sealing.open(&PublicSealingKey(*sender), &context(study, &of, me), sealed);
    let plain = plain.map_err(|_| wrong())?;
    Ok(plain.as_chunks::<{ Dealt::LEN }>().0.iter().map(Dealt::from_bytes).collect())
}
