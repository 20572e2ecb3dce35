//! What a share of a question's answer is made of.

use crate::{Blob, JobId, Opening, Result, SignedHeader, SiteId, Step, Study};
use blindscope_threshold::{Committee, KeyShare, PartyId};

pub(crate) fn committee(study: &Study, members: &[SiteId]) -> Result<Committee> {
    let parties: Vec<PartyId> =
        members.iter().map(|s| study.party("open round", *s)).collect::<Result<_>>()?;
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
