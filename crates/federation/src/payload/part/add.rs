//! A head, added up of its parts' remainders and its holders' encryptions: the same at the coordinator and at every site.

use std::io::{Read as _, Write};

use super::{HeadOf, named, part_len};
use crate::payload::holders::holding;
use crate::payload::inference::read_exactly;
use crate::payload::vouched::{Summed, sum_vouched};
use crate::payload::{open, payloads};
use crate::{Blob, Blobs, Circuit, Error, Evaluation, JobId, Opening, Result, SignedHeader, SiteId, Study};
use blindscope_ckks::{Level, Parameters, codec};
use blindscope_threshold::{Holding, Remainder};

const ADD: &str = "add up head";

/// Writes the sum of these parts' remainders.
///
/// # Errors
/// [`Error::Payload`] names the site whose part is none; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn write_remainder(
    study: &Study,
    of: HeadOf<'_>,
    parts: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let params = study.circuit_params(of.circuit)?;
    let bytes = sum_remainders(study, (of, &params), parts, blobs)?.to_bytes(&params);
    crate::payload::keep(ADD, blobs, &bytes)
}

/// What a head is added up of.
#[derive(Clone, Copy)]
pub(crate) struct Made<'a> {
    /// Its job.
    pub(crate) head: JobId,
    /// The signed parts of its set.
    pub(crate) parts: &'a [SignedHeader],
    /// Its holders' encryptions, in order.
    pub(crate) encryptions: &'a [(SiteId, Blob)],
}

/// Writes a head: its holders' encryptions, each of which all holders of its share vouch for, and the sum of its parts' remainders.
///
/// # Errors
/// As [`sum_vouched`]; [`Error::Length`] or [`Error::Threshold`] for a sum of remainders that is none.
pub(crate) fn write_encrypted(
    study: &Study,
    of: HeadOf<'_>,
    (remainder, made): (&Blob, Made<'_>),
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(of.circuit)?;
    let len = Remainder::byte_len_at(&params, of.levels) as u64;
    let bytes = read_exactly(ADD, blobs, remainder, len)?;
    let remainder = Remainder::from_bytes_at(&params, of.levels, &bytes)?;
    write_sum(study, (of, &params), (&remainder, made), blobs, out)
}

/// Refuses a head that is not what its sites' signed parts and its holders' signed encryptions add up to.
///
/// # Errors
/// As [`write_remainder`] and [`write_encrypted`]; [`Error::OtherKey`] where another head is shown.
pub(crate) fn check_head(
    study: &Study,
    circuit: &Circuit,
    evaluation: &Evaluation,
    blobs: &dyn Blobs,
) -> Result<()> {
    let Opening { committed, encrypted, sum } = &evaluation.opening;
    let levels: Vec<Level> = evaluation.head.levels.iter().map(|l| Level(*l as usize)).collect();
    let of = HeadOf { circuit, levels: &levels, holders: &evaluation.head.holders };
    let params = study.circuit_params(circuit)?;
    let remainder = sum_remainders(study, (of, &params), &payloads(committed), blobs)?;
    let head = evaluation.head.id(study);
    let inputs = (&remainder, Made { head, parts: committed, encryptions: &payloads(encrypted) });
    let computed = blobs.create(sum.len, &mut |out| write_sum(study, (of, &params), inputs, blobs, out))?;
    if computed == *sum {
        return Ok(());
    }
    let (expected, found) = (computed.to_string(), sum.to_string());
    Err(Error::OtherKey { op: "check encrypted head", expected, found })
}

fn write_sum(
    study: &Study,
    (of, params): (HeadOf<'_>, &Parameters),
    (remainder, made): (&Remainder, Made<'_>),
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let holding = holding(study)?;
    let round = named(made.head, made.parts);
    let summed = Summed { op: ADD, holding: &holding, holders: of.holders, levels: of.levels, round };
    let mut sum = sum_vouched(params, summed, made.encryptions, blobs)?;
    remainder.add_to(params, &mut sum)?;
    sum.iter().try_for_each(|c| out.write_all(&codec::encode_ciphertext(c)).map_err(Error::io(ADD)))
}

/// The sum of these parts' remainders.
fn sum_remainders(
    study: &Study,
    (of, params): (HeadOf<'_>, &Parameters),
    parts: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Remainder> {
    let holding = holding(study)?;
    let mut sum: Option<Remainder> = None;
    for (site, blob) in parts {
        let part = remainder_of(params, (of.levels, &holding), blob, blobs);
        let part = part.map_err(|e| match e {
            Error::Io { .. } => e,
            e => Error::Payload { op: ADD, site: *site, source: Box::new(e) },
        })?;
        match &mut sum {
            Some(sum) => sum.add_assign(params, &part)?,
            None => sum = Some(part),
        }
    }
    sum.ok_or(Error::Length { op: ADD, expected: 1, found: 0 })
}

/// The remainder that a part begins with.
fn remainder_of(
    params: &Parameters,
    (levels, holding): (&[Level], &Holding),
    blob: &Blob,
    blobs: &dyn Blobs,
) -> Result<Remainder> {
    let expected = part_len(params, holding, levels) as u64;
    if blob.len != expected {
        return Err(Error::Length { op: ADD, expected, found: blob.len });
    }
    let mut bytes = vec![0; Remainder::byte_len_at(params, levels)];
    open(ADD, blobs, blob)?.read_exact(&mut bytes).map_err(Error::io(ADD))?;
    Ok(Remainder::from_bytes_at(params, levels, &bytes)?)
}
