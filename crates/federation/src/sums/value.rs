//! Bodies' values at the challenge of a set.

use std::io::Read;

use super::{Commitment, CommittedSet, SignedUpload, SumRefusal, SumRound};
use crate::{BlobHasher, Result, SiteId};
use blindscope_aggregate::one_round::evaluate_body;

/// The value of a committed body at the challenge, if the bytes are that body.
///
/// # Errors
/// [`SumRefusal::OtherBytes`] for another body than its site signed; [`SumRefusal::Evaluation`] for a site that is not in the set;
/// [`crate::Error::Aggregate`] for a body that is none.
pub fn vouch_for(
    round: &SumRound,
    commitment: &Commitment,
    site: SiteId,
    body: &mut dyn Read,
) -> Result<[u8; 32]> {
    let upload = commitment.upload(site).ok_or(SumRefusal::Evaluation { site })?;
    evaluate_own(round, commitment, upload, body)
}

/// The value of the body of an upload that is in a set, if the bytes are that body.
///
/// # Errors
/// [`SumRefusal::OtherBytes`] for another body than its site signed; [`crate::Error::Aggregate`] for a body that is none.
pub fn evaluate_own(
    round: &SumRound,
    set: &dyn CommittedSet,
    upload: &SignedUpload,
    body: &mut dyn Read,
) -> Result<[u8; 32]> {
    let mut hasher = BlobHasher::default();
    let mut from = Tee { from: body.take(round.plan().body_len()), hasher: &mut hasher };
    let value = evaluate_body(round.plan(), &set.challenge(round), &mut from)?;
    if hasher.finish().digest != upload.header.body {
        let site = upload.header.site;
        return Err(SumRefusal::OtherBytes { site, what: "the body" }.into());
    }
    Ok(value.to_bytes())
}

struct Tee<'a, R> {
    from: R,
    hasher: &'a mut BlobHasher,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let found = self.from.read(out)?;
        self.hasher.update(out.get(..found).unwrap_or_default());
        Ok(found)
    }
}
