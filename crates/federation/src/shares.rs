//! Whose shares an answer is made of: what an asker holds to sites when it does not open.

use crate::{Error, JobId, Phase, Result, SignedHeader, SiteId, Study};

/// The sites that have signed the shares of a question's answer, in order.
///
/// # Errors
/// [`Error::Message`] for other shares than one of each of a committee's sites for this question, each signed by its site: nobody is held
/// to a share that it did not give.
pub fn check_shares(study: &Study, question: JobId, shares: &[SignedHeader]) -> Result<Vec<SiteId>> {
    let refuse = |reason: &str| Error::Message { what: "shares of an answer", reason: reason.to_owned() };
    let Some(step) = shares.first().map(|share| share.header.step) else {
        return Err(refuse("there are none"));
    };
    let mut sites = Vec::with_capacity(shares.len());
    for share in shares {
        let (header, site) = (&share.header, share.header.site);
        let entry =
            study.site(site).ok_or_else(|| refuse("one is of a site that the study does not have"))?;
        if !share.is_by(&entry.identity) {
            return Err(refuse("one is not signed by its site"));
        }
        let same = header.study == study.digest() && header.step == step && share.payload().is_some();
        if !same || step.job != question || step.phase != Phase::Share {
            return Err(refuse("one is no share of this question's answer"));
        }
        sites.push(site);
    }
    sites.sort_unstable();
    sites.dedup();
    if sites.len() != study.roster().threshold() || sites.len() != shares.len() {
        return Err(refuse("they are not those of one committee"));
    }
    Ok(sites)
}
