//! What a later round starts from, held against the sum that was opened before: nobody's word is taken for it.
//!
//! A round's name follows from its start, so whoever signs or opens a round stands for one start. A site that uploads, or signs
//! without an upload of its own, has computed that start itself from the opened sum of the round before. The start of *that* round
//! it need not trace back: a quorum has signed a set under a name that follows from it, and some of them are honest.

use super::SumJob;
use super::messages::{Shown, read, read_agreed};
use super::site::stop_if_copied;
use crate::job::Making;
use crate::payload::{self, MAX_INPUT, read_input};
use crate::sums::{SumOpening, SumRefusal, read_result};
use crate::{Advanced, Blob, Error, Grounds, Result, SiteId};

const OP: &str = "check what the round starts from";

/// The bytes that a round starts from: nothing in the first, else what the site makes of the sum before.
///
/// # Errors
/// [`SumRefusal::OtherStart`] where that is something else than the coordinator shows, or it shows nothing to make it of; as
/// [`read_result`] where the sum before does not open; [`Error::Learning`] where nothing follows from it.
pub(super) fn own_start(job: &SumJob, making: &mut Making<'_>) -> Result<Vec<u8>> {
    let task = making.task;
    let Some(shown) = task.starts_from() else { return Ok(Vec::new()) };
    let (Some(grounds), Some(before)) = (&task.grounds, task.step.round.checked_sub(1)) else {
        return Err(SumRefusal::OtherStart.into());
    };
    let made = follow(job, making, grounds, before)?;
    // The next round's start is held against what follows from this one: it is not fetched then.
    if made.len() as u64 != shown.len || shown.len > MAX_INPUT || making.tools.blobs.pass(&made)? != shown {
        return Err(SumRefusal::OtherStart.into());
    }
    Ok(made)
}

/// What follows from the opened sum of a round.
fn follow(job: &SumJob, making: &mut Making<'_>, grounds: &Grounds, number: u64) -> Result<Vec<u8>> {
    let (tools, task) = (making.tools, making.task);
    let blobs = tools.blobs;
    let round = job.round(tools.study, task.step.job, number, grounds.start.as_ref())?;
    let shown = Shown::read(&round, blobs, &grounds.proof.commitment)?;
    let set = shown.set();
    if set.sum() != grounds.sum {
        return Err(SumRefusal::OtherStart.into());
    }
    let known = shown.judge(tools.sums, tools.me, &round);
    stop_if_copied(&round, making, known)?;
    let agreed =
        read_agreed(&round, blobs, set, (&grounds.proof.agreements, grounds.proof.vouches.as_ref()))?;
    let one = |(_, blob): &(SiteId, Blob)| {
        let bytes = read(blobs, blob, SumOpening::len(&round) as u64)?;
        SumOpening::from_bytes(&round, &bytes)
    };
    let openings = grounds.openings.iter().map(one).collect::<Result<Vec<_>>>()?;
    let mut values = Vec::with_capacity(round.plan().literal().values as usize);
    let mut sum = || payload::open(OP, blobs, &grounds.sum);
    read_result(&round, set, &agreed, &openings, &mut sum, &mut |run| {
        values.extend_from_slice(run);
        Ok(())
    })?;
    let input = read_input(grounds.start.as_ref(), blobs)?;
    let made = tools.learning.follow(&task.spec, number, &input, &values, set.sites().len());
    match made.map_err(|source| Error::Learning { op: OP, source })? {
        Advanced::Next(bytes) => Ok(bytes),
        // The job was over with that round.
        Advanced::Final(_) => Err(SumRefusal::OtherStart.into()),
    }
}
