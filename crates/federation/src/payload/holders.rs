//! Who holds the shares of what is dealt in a study, and how long what it gets and sends is.

use super::vouched::vouched_len;
use crate::{Result, SEAL_OVERHEAD, SiteId, Study};
use blindscope_threshold::{Dealt, Holding};

/// Who encrypts which shares of a study's questions, and of parts of its encrypted heads.
///
/// # Errors
/// [`crate::Error::Threshold`] for a study whose questions cannot be dealt.
pub fn holding(study: &Study) -> Result<Holding> {
    Ok(Holding::of_roster(study.roster().parties(), study.roster().threshold())?)
}

/// Bytes of a holder's encryptions of a head, or of a question, where one share's take `unit`; `None` for who is no holder.
pub fn encryptions_len(study: &Study, holders: &[SiteId], site: SiteId, unit: u64) -> Option<u64> {
    let holder = holders.iter().position(|&h| h == site)?;
    Some(vouched_len(&holding(study).ok()?, holder, unit))
}

/// Bytes of the seeds that are sealed to one holder.
pub(super) fn package_len(holding: &Holding) -> usize {
    holding.held(0).len() * Dealt::LEN + SEAL_OVERHEAD
}

/// Sites as people read them.
pub(super) fn names(sites: &[SiteId]) -> String {
    sites.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
