//! A sum round's payloads: [`blindscope_aggregate`]'s streams.

use std::cell::Cell;
use std::io::{Read, Write};

use blindscope_aggregate::{SumPlan, open_sum, write_shares, write_sum, write_upload, write_zeros};
use blindscope_threshold::{Committee, KeyShare, PartyId, WideKey};
use rand_core::CryptoRng;

use super::{Side, blame, open};
use crate::{Blob, Blobs, Error, JobId, Opening, Permit, Result, SignedHeader, SiteId, Step, Study};

const SUM: &str = "add contributions";
const SHARE: &str = "write share";
const OPEN: &str = "open sum";

/// The collective key of its bytes.
fn read_key(study: &Study, blob: &Blob, blobs: &dyn Blobs) -> Result<WideKey> {
    let expected = WideKey::byte_len(study.params(), study.key_width()) as u64;
    if blob.len != expected {
        return Err(Error::Length { op: "read public key", expected, found: blob.len });
    }
    let mut bytes = Vec::with_capacity(expected as usize);
    open("read public key", blobs, blob)?.read_to_end(&mut bytes).map_err(Error::io("read public key"))?;
    Ok(WideKey::from_bytes(study.params(), study.key_width(), &bytes)?)
}

/// Writes a site's encrypted contribution.
///
/// # Errors
/// [`Error::Aggregate`] for values that are not what the job says; [`Error::Length`], [`Error::Io`].
pub fn write_contribution(
    study: &Study,
    plan: &SumPlan,
    public_key: &Blob,
    values: impl Iterator<Item = u64>,
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let key = read_key(study, public_key, blobs)?;
    Ok(write_upload(plan, &key, values, rng, &mut { out }, &mut |_| {})?)
}

/// Writes encryptions of zero, for another attempt at an opening.
///
/// # Errors
/// As [`write_contribution`].
pub fn write_refresh(
    study: &Study,
    plan: &SumPlan,
    public_key: &Blob,
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let key = read_key(study, public_key, blobs)?;
    Ok(write_zeros(plan, &key, rng, &mut { out })?)
}

/// Writes the sum of these streams. `base` is an earlier sum that the others refresh.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload does not add; [`Error::Io`].
pub fn combine_sum(
    plan: &SumPlan,
    base: Option<&Blob>,
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let last = Cell::new(None);
    let named = base.map(|b| (None, b)).into_iter().chain(payloads.iter().map(|(s, b)| (Some(*s), b)));
    let side = |(site, blob): (Option<SiteId>, &Blob)| {
        Ok(Side { last: &last, site, reader: open(SUM, blobs, blob)? })
    };
    let mut inputs = named.map(side).collect::<Result<Vec<_>>>()?;
    write_sum(plan, &mut inputs, &mut { out }).map_err(|e| blame(SUM, &last, e.into()))
}

pub(crate) fn committee(study: &Study, members: &[SiteId]) -> Result<Committee> {
    let parties: Vec<PartyId> = members.iter().map(|s| s.party()).collect();
    Ok(Committee::new(study.roster(), &parties)?)
}

/// What a site gives a share of.
pub(crate) struct Target<'a> {
    pub(crate) key: JobId,
    pub(crate) step: Step,
    pub(crate) opening: &'a Opening,
    pub(crate) committee: &'a [SiteId],
    pub(crate) zeros: &'a [SignedHeader],
    pub(crate) ciphertexts: &'a Blob,
    pub(crate) share: &'a KeyShare,
}

/// Writes a site's share of the sum or, in a later attempt, of the refreshed sum, which it computes itself from the sum and the
/// committee's zeros. The permit is used up.
///
/// # Errors
/// [`Error::NotRefreshed`] where what it computes is not what it is asked to open; [`Error::Aggregate`], [`Error::Io`].
pub(crate) fn write_share_of(
    study: &Study,
    plan: &SumPlan,
    target: &Target<'_>,
    mut permit: Permit,
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let Target { step, opening, .. } = *target;
    if permit.step() != step {
        return Err(Error::Permit { step: step.to_string() });
    }
    let computed = if step.attempt == 0 {
        opening.sum
    } else {
        let named = |z: &SignedHeader| Some((z.header.site, z.payload()?));
        let zeros: Vec<_> = target.zeros.iter().filter_map(named).collect();
        blobs.create(plan.sum_len(), &mut |out| combine_sum(plan, Some(&opening.sum), &zeros, blobs, out))?
    };
    if computed != *target.ciphertexts {
        let (expected, found) = (computed.to_string(), target.ciphertexts.to_string());
        return Err(Error::NotRefreshed { expected, found });
    }
    let (ceremony, round) = (study.ceremony(target.key)?, study.opening(step.job, step.round, step.attempt));
    let members = committee(study, target.committee)?;
    let session = plan.begin(&ceremony, &round, target.share, &members, &mut permit)?;
    Ok(write_shares(plan, session, &mut open(SHARE, blobs, &computed)?, rng, &mut { out })?)
}

/// The integers of a sum, in order, from its committee's shares.
///
/// # Errors
/// [`Error::Payload`] names the member whose share does not fit; [`Error::Io`].
pub fn open_round(
    study: &Study,
    plan: &SumPlan,
    step: Step,
    target: &Blob,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<u64>> {
    let last = Cell::new(None);
    let members: Vec<SiteId> = shares.iter().map(|(site, _)| *site).collect();
    let side = |(site, blob): &(SiteId, Blob)| {
        let reader = open(OPEN, blobs, blob)?;
        Ok((site.party(), Side { last: &last, site: Some(*site), reader }))
    };
    let mut readers = shares.iter().map(side).collect::<Result<Vec<_>>>()?;
    let mut sum = Side { last: &last, site: None, reader: open(OPEN, blobs, target)? };
    let round = study.opening(step.job, step.round, step.attempt);
    let mut values = Vec::with_capacity(plan.literal().values as usize);
    let mut sink = |run: &[u64]| {
        values.extend_from_slice(run);
        Ok(())
    };
    open_sum(plan, &round, &committee(study, &members)?, &mut sum, &mut readers, &mut sink)
        .map_err(|e| blame(OPEN, &last, e.into()))?;
    Ok(values)
}
