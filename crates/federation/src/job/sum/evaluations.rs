//! Signatures on a set, laid together, and in a large round the values of its uploads at the challenge, each of which the coordinator can
//! compute itself: whoever gives another is named and left out, and somebody else evaluates in its place.

use std::cell::Cell;

use super::messages::{read, read_agreed, read_commitment};
use crate::job::Combining;
use crate::payload::{self, blame, keep};
use crate::sums::{Agreed, Agreement, Commitment, SumRefusal, SumRound, Vouch, vouch_for};
use crate::{Blob, Blobs, Error, Input, Output, Result, SiteId, Step};
use blindscope_aggregate::Error::{Coefficient, Wire};
use blindscope_aggregate::one_round::{Evaluation, evaluate_sum};

const EVALUATE: &str = "evaluate upload";

/// Lays the signatures on the set together, once they are enough. In a large round the evaluations that came with them have to add up to
/// the sum's; where they do not, each is held against its upload.
pub(super) fn agreements(
    round: &SumRound,
    combining: &Combining<'_>,
    (commitment, uploads): (&Blob, &[(SiteId, Blob)]),
    words: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read agreement";
    let (blobs, step) = (combining.blobs, combining.work.step());
    let commitment = read_commitment(round, blobs, commitment)?;
    let named = commitment.digest(round);
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    for (site, blob) in words {
        let last = Cell::new(Some(*site));
        let word = read(blobs, blob, Agreement::LEN as u64)?;
        let one = Agreement::from_bytes(round, &word).and_then(|a| {
            let other = SumRefusal::OtherSet { what: "agree" };
            if a.site == *site && a.commitment == named { Ok(a) } else { Err(other.into()) }
        });
        all.push(one.map_err(|e| blame(OP, &last, e))?);
        bytes.extend_from_slice(&word);
    }
    match Agreed::new(round, &commitment, &all, &[]) {
        // Where a site is gone before it has evaluated its body, another one is asked for it.
        Ok(_) | Err(Error::Sum(SumRefusal::Evaluation { .. })) => {}
        Err(error) => return Err(error),
    }
    if !round.is_small() && !adds_up(round, blobs, &commitment, (uploads, &all))? {
        let sites = liars(round, blobs, &commitment, (uploads, &all))?;
        // Where all evaluations are right, it is the sum that is not the uploads': this machine added them up wrongly.
        return Ok(if sites.is_empty() { Input::Spoiled { step } } else { Input::Unusable { step, sites } });
    }
    Ok(Input::Combined { step, output: Output::shared(keep(OP, blobs, &bytes)?) })
}

/// Where a body turns out to be another than its header's, somebody else read it as it came in, and let it pass. No set has this sum then: the
/// round is spoiled.
pub(super) fn of_bodies(step: Step, evaluated: Result<Input>) -> Result<Input> {
    match evaluated {
        Err(Error::Sum(SumRefusal::OtherBytes { .. }) | Error::Aggregate(Coefficient { .. } | Wire(_))) => {
            Ok(Input::Spoiled { step })
        }
        other => other,
    }
}

/// A committed upload's value, computed here.
fn value(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &Commitment,
    (site, blob): &(SiteId, Blob),
) -> Result<[u8; 32]> {
    vouch_for(round, commitment, *site, &mut payload::open(EVALUATE, blobs, blob)?)
}

/// What a site says of its own upload.
fn said(all: &[Agreement], site: SiteId) -> Option<[u8; 32]> {
    all.iter().find(|a| a.site == site).map(|a| a.evaluation)
}

/// Whether the evaluations that sites gave add up to the sum's, together with those of sites that gave none.
fn adds_up(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &Commitment,
    (uploads, all): (&[(SiteId, Blob)], &[Agreement]),
) -> Result<bool> {
    let mut total = Evaluation::ZERO;
    for upload in uploads {
        let y = said(all, upload.0).map_or_else(|| value(round, blobs, commitment, upload), Ok)?;
        // Not even a number of the field.
        let Ok(y) = Evaluation::from_bytes(y) else { return Ok(false) };
        total = total.add(&y);
    }
    let at = commitment.challenge(round);
    Ok(evaluate_sum(round.plan(), &at, &mut payload::open(EVALUATE, blobs, &commitment.sum)?)? == total)
}

/// Sites that give another value than their uploads have.
fn liars(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &Commitment,
    (uploads, all): (&[(SiteId, Blob)], &[Agreement]),
) -> Result<Vec<SiteId>> {
    let mut liars = Vec::new();
    for upload in uploads {
        if let Some(y) = said(all, upload.0)
            && value(round, blobs, commitment, upload)? != y
        {
            liars.push(upload.0);
        }
    }
    Ok(liars)
}

/// Completes the agreement with a site's evaluations of the uploads whose sites are gone. All that came are held against the uploads:
/// whoever evaluated wrongly is named.
pub(super) fn vouches(
    round: &SumRound,
    combining: &Combining<'_>,
    (commitment, agreements, gone): (&Blob, &Blob, &[(SiteId, Blob)]),
    vouches: &[(SiteId, Blob)],
) -> Result<Input> {
    let (blobs, step) = (combining.blobs, combining.work.step());
    let commitment = read_commitment(round, blobs, commitment)?;
    let named = commitment.digest(round);
    let mut right = Vec::with_capacity(gone.len());
    for upload in gone {
        right.push((upload.0, value(round, blobs, &commitment, upload)?));
    }
    let mut sites = Vec::new();
    for (site, blob) in vouches {
        let bytes = read(blobs, blob, (right.len() * Vouch::LEN) as u64)?;
        let words: Result<Vec<_>> = bytes.chunks(Vouch::LEN).map(|v| Vouch::from_bytes(round, v)).collect();
        let fine = words.is_ok_and(|words| {
            let own = words.iter().all(|v| v.by == *site && v.commitment == named);
            own && words.iter().map(|v| (v.site, v.evaluation)).eq(right.iter().copied())
        });
        if !fine {
            sites.push(*site);
        }
    }
    match vouches.first() {
        Some((_, first)) if sites.is_empty() => {
            read_agreed(round, blobs, &commitment, (agreements, Some(first)))?;
            Ok(Input::Combined { step, output: Output::shared(*first) })
        }
        Some(_) => Ok(Input::Unusable { step, sites }),
        None => Ok(Input::Spoiled { step }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JobId, Phase};
    use blindscope_wire::Digest;

    /// A worker that let a body pass which is not its header's ends the round with it, where before the work would have been begun again for ever.
    #[test]
    fn a_body_that_was_let_pass_spoils_its_round_and_a_disk_does_not() {
        let step = Step { job: JobId(Digest([1; 32])), round: 0, attempt: 0, phase: Phase::Agree };
        let other = SumRefusal::OtherBytes { site: SiteId(2), what: "the body" };
        let coefficient = Coefficient { op: "evaluate body", chunk: 0, index: 3 };
        for found in [Error::from(other), Error::Aggregate(coefficient)] {
            assert_eq!(of_bodies(step, Err(found)).unwrap(), Input::Spoiled { step });
        }
        let disk = Error::io(EVALUATE)(std::io::ErrorKind::TimedOut.into());
        assert!(matches!(of_bodies(step, Err(disk)), Err(Error::Io { .. })), "it is tried again");
        let fine = Input::Combined { step, output: Output::shared(Blob::of(b"signatures")) };
        assert_eq!(of_bodies(step, Ok(fine.clone())).unwrap(), fine);
    }
}
