//! What the coordinator makes of the payloads of each step of a sum.

use std::cell::Cell;
use std::io::{Read as _, Write};

use super::super::portion::check_whole;
use super::messages::{read, read_agreed, read_commitment, read_headers};
use crate::job::Combining;
use crate::payload::{self, Side, blame, keep, read_input};
use crate::sums::{
    Commitment, Findings, Inclusion, SignedUpload, SumOpening, SumRefusal, SumRound, Void, read_result,
    sort_findings, summable,
};
use crate::{
    Advanced, Blob, Blobs, Error, Inclusions, Input, NamedSet, Outcome, Output, Portion, Result, SiteId,
    SumWork,
};
use blindscope_aggregate::one_round::{write_sum, write_sum_of_sums};

const SUM: &str = "add contributions";

/// Lays the declarations together: a blob a round, empty where they are too few.
pub(super) fn voids(
    rounds: &[SumRound],
    combining: &Combining<'_>,
    words: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read declarations";
    let (blobs, step) = (combining.blobs, combining.work.step());
    let mut of_round = vec![Vec::new(); rounds.len()];
    for (site, blob) in words {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, (rounds.len() * Void::LEN) as u64)?;
        for ((round, all), word) in rounds.iter().zip(&mut of_round).zip(bytes.chunks(Void::LEN)) {
            if word.iter().all(|b| *b == 0) {
                continue;
            }
            let void = Void::from_bytes(round, word).and_then(|v| {
                let stranger = SumRefusal::Stranger { what: "void", site: v.holder, role: "sender" };
                if v.holder == *site { Ok(v) } else { Err(stranger.into()) }
            });
            all.push(void.map_err(|e| blame(OP, &last, e))?);
        }
    }
    let one = |(round, all): (&SumRound, &Vec<Void>)| {
        let enough = Void::quorum(round, all).is_ok();
        let bytes: Vec<u8> = all.iter().filter(|_| enough).flat_map(|v| v.to_bytes(round)).collect();
        keep(OP, blobs, &bytes)
    };
    let each = rounds.iter().zip(&of_round).map(one).collect::<Result<Vec<_>>>()?;
    let shared = each.first().copied().unwrap_or_else(|| Blob::of(&[]));
    Ok(Input::Combined { step, output: Output { each, ..Output::shared(shared) } })
}

/// The holders' findings, each of which is its sender's.
fn read_findings(
    round: &SumRound,
    blobs: &dyn Blobs,
    all: &[SignedUpload],
    findings: &[(SiteId, Blob)],
) -> Result<Vec<Findings>> {
    let mut found = Vec::with_capacity(findings.len());
    for (site, blob) in findings {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, Findings::len(all.len()) as u64)?;
        let one = Findings::from_bytes(round, all, &bytes).and_then(|f| {
            let stranger = SumRefusal::Stranger { what: "findings", site: f.holder, role: "sender" };
            if f.holder == *site { Ok(f) } else { Err(stranger.into()) }
        });
        found.push(one.map_err(|e| blame(SUM, &last, e))?);
    }
    Ok(found)
}

/// The set that goes on after the findings.
pub(super) struct Named {
    /// All uploads' headers.
    all: Vec<SignedUpload>,
    /// The uploads that are in it.
    pub(super) kept: Vec<(SiteId, Blob)>,
    /// Who can open it.
    openers: Vec<SiteId>,
}

/// The set that goes on after the findings; nothing where it is too small, or too few can open it.
pub(super) fn named(
    round: &SumRound,
    combining: &Combining<'_>,
    (uploads, earlier): (&[(SiteId, Blob)], &[Vec<SiteId>]),
    (headers, findings): (&Blob, &[(SiteId, Blob)]),
) -> Result<Option<Named>> {
    let all = read_headers(round, combining.blobs, headers)?;
    let found = read_findings(round, combining.blobs, &all, findings)?;
    let sorted = sort_findings(round, &found);
    let left = |site: &SiteId| sorted.convicted.contains(site) || sorted.left_out.contains(site);
    let fine: Vec<_> = uploads.iter().map(|(site, _)| *site).filter(|site| !left(site)).collect();
    let sites = summable(&fine, earlier);
    let kept: Vec<_> = uploads.iter().filter(|(site, _)| sites.contains(site)).copied().collect();
    let enough = (kept.len() as u32) >= round.least_cohort()
        && (sorted.holders.len() as u32) >= round.plan().literal().threshold;
    Ok(enough.then_some(Named { all, kept, openers: sorted.holders }))
}

/// Names the set that goes on after the findings, and its sum.
pub(super) fn name(
    round: &SumRound,
    combining: &Combining<'_>,
    uploads: (&[(SiteId, Blob)], &[Vec<SiteId>]),
    found: (&Blob, &[(SiteId, Blob)]),
) -> Result<Input> {
    let (blobs, step) = (combining.blobs, combining.work.step());
    let Some(Named { all, kept, openers }) = named(round, combining, uploads, found)? else {
        return Ok(Input::Spoiled { step });
    };
    let sum = match combining.portions {
        [] => sum(round, &kept, blobs)?,
        portions => sum_of_portions(round, (portions, &kept), blobs)?,
    };
    let sites: Vec<_> = kept.iter().map(|(site, _)| *site).collect();
    let uploads = all.into_iter().filter(|u| sites.contains(&u.header.site)).collect();
    let commitment = Commitment { uploads, sum };
    let inclusions = inclusions(round, blobs, &commitment)?;
    let named = Some(NamedSet { sum, sites, openers, inclusions });
    let shared = keep(SUM, blobs, &commitment.to_bytes())?;
    Ok(Input::Combined { step, output: Output { named, ..Output::shared(shared) } })
}

/// The sum of the bodies of these uploads.
pub(super) fn sum(round: &SumRound, uploads: &[(SiteId, Blob)], blobs: &dyn Blobs) -> Result<Blob> {
    blobs.create(round.plan().sum_len(), &mut |out| add(round, uploads, blobs, out))
}

/// The same from sums of some of them each, which are this machine's or a worker's: what is amiss with one is no site's fault.
fn sum_of_portions(
    round: &SumRound,
    (portions, uploads): (&[Portion], &[(SiteId, Blob)]),
    blobs: &dyn Blobs,
) -> Result<Blob> {
    check_whole(portions, uploads)?;
    blobs.create(round.plan().sum_len(), &mut |out| {
        let open = |p: &Portion| Ok((p.sites.len() as u64, payload::open(SUM, blobs, &p.made)?));
        let mut sums = portions.iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(write_sum_of_sums(round.plan(), &mut sums, &mut { out })?)
    })
}

/// What is shown of a set that is signed by its root; nothing where everybody who signs sees all of it.
fn inclusions(round: &SumRound, blobs: &dyn Blobs, commitment: &Commitment) -> Result<Option<Inclusions>> {
    const OP: &str = "show the set's root";
    if !round.has_roots() {
        return Ok(None);
    }
    let mut others = commitment.sites();
    others.retain(|site| round.epoch().holder(*site).is_none());
    let one = |shown: &Inclusion| Ok((shown.upload.header.site, keep(OP, blobs, &shown.to_bytes(round))?));
    let each = Inclusion::of(round, commitment, &others).iter().map(one).collect::<Result<_>>()?;
    Ok(Some(Inclusions { root: keep(OP, blobs, &commitment.root().to_bytes(round))?, each }))
}

/// The sum of the bodies of these uploads: one chunk of each is in memory.
fn add(round: &SumRound, uploads: &[(SiteId, Blob)], blobs: &dyn Blobs, out: &mut dyn Write) -> Result<()> {
    let last = Cell::new(None);
    let side = |(site, blob): &(SiteId, Blob)| {
        let reader = Box::new(payload::open(SUM, blobs, blob)?.take(round.plan().body_len()));
        Ok(Side { last: &last, site: Some(*site), reader })
    };
    let mut inputs = uploads.iter().map(side).collect::<Result<Vec<_>>>()?;
    write_sum(round.plan(), &mut inputs, &mut { out }).map_err(|e| blame(SUM, &last, e.into()))
}

/// Opens the agreed sum and takes the next step from it.
pub(super) fn result(round: &SumRound, combining: &Combining<'_>, work: &SumWork) -> Result<Input> {
    const OP: &str = "open sum";
    let (blobs, step) = (combining.blobs, work.step);
    let commitment = read_commitment(round, blobs, &work.commitment)?;
    let agreed = read_agreed(round, blobs, &commitment, (&work.agreements, work.vouches.as_ref()))?;
    let mut openings = Vec::with_capacity(work.openings.len());
    for (site, blob) in &work.openings {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, SumOpening::len(round) as u64)?;
        let one = SumOpening::from_bytes(round, &bytes).and_then(|o| {
            let other = SumRefusal::OtherSet { what: "open" };
            let fits = o.holder == *site && o.commitment == agreed.commitment() && o.list == agreed.list();
            if fits { Ok(o) } else { Err(other.into()) }
        });
        openings.push(one.map_err(|e| blame(OP, &last, e))?);
    }
    let mut values = Vec::with_capacity(round.plan().literal().values as usize);
    let mut sum = || payload::open(OP, blobs, &commitment.sum);
    let read = read_result(round, &commitment, &agreed, &openings, &mut sum, &mut |run| {
        values.extend_from_slice(run);
        Ok(())
    });
    match read {
        Ok(_) => {}
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(_) => return Ok(Input::Spoiled { step }),
    }
    let input = read_input(work.input.as_ref(), blobs)?;
    let advanced =
        combining.learning.advance(&work.spec, step.round, &input, &values, commitment.uploads.len());
    let advanced = advanced.map_err(|source| Error::Learning { op: "advance", source })?;
    let outcome = match advanced {
        Advanced::Next(bytes) => Outcome::Next(keep("advance", blobs, &bytes)?),
        Advanced::Final(bytes) => Outcome::Final(keep("advance", blobs, &bytes)?),
    };
    Ok(Input::Opened { step, outcome })
}
