//! One call for each side: what a task asks of a site, what work says to the coordinator.

use rand_core::CryptoRng;

use super::{Combining, Job, Making};
use crate::sums::SumSite;
use crate::{
    Advance, Blob, Blobs, Contribution, Error, Input, Mark, Permit, Result, SealingKey, Signer, SiteId,
    Sizes, Step, Study, Task, Work,
};

/// What a site works with.
pub struct SiteTools<'a> {
    /// The study.
    pub study: &'a Study,
    /// The site.
    pub me: SiteId,
    /// Opens what is sealed to it.
    pub sealing: &'a SealingKey,
    /// The learning code.
    pub learning: &'a dyn Contribution,
    /// The site's blobs; the task's inputs are among them.
    pub blobs: &'a dyn Blobs,
    /// Whether the site has added up the head that a question is for before ([`crate::Site::has_checked`]).
    pub checked: bool,
    /// What the site remembers of sums ([`crate::Site::sums`]).
    pub sums: &'a SumSite,
    /// Fewest contributions of a sum that the site's policy allows.
    pub minimum_cohort: u32,
    /// In how many sites the set of a sum differs at least from that of an earlier one of its kind ([`crate::Site::minimum_difference`]).
    pub minimum_difference: u32,
    /// Signs what the site says in sums.
    pub signer: &'a dyn Signer,
}

/// Computes what a task asks, into a blob. `bundle` is the sealed parts of the key in use ([`crate::Site::key`]) and `permit`
/// the right to share ([`crate::Site::permit`]); both are needed in phase share only.
///
/// `marks` are to be stored with the answer, whatever that is, and before it leaves.
///
/// # Errors
/// [`Error`] where the task's inputs, the data or the disk do not allow an answer; [`Error::cause`] is what the site then answers.
pub fn site_payload(
    tools: &SiteTools<'_>,
    task: &Task,
    bundle: Option<Blob>,
    permit: Option<Permit>,
    marks: &mut Vec<Mark>,
    rng: &mut impl CryptoRng,
) -> Result<Blob> {
    // The coordinator's sizes are a convenience; the job's file decides.
    let job = Job::of(&task.spec)?;
    let sizes = Sizes::of(tools.study, &task.spec)?;
    sizes.require(&task.sizes)?;
    job.kind().payload(Making { tools, task, sizes, bundle, permit, marks }, rng)
}

/// Does the coordinator's work: the input that reports its end.
///
/// # Errors
/// [`Error::Io`] and what else is nobody's payload's fault: the work stays to be done.
pub fn combine(study: &Study, work: &Work, learning: &dyn Advance, blobs: &dyn Blobs) -> Result<Input> {
    let combining = Combining { study, work, learning, blobs, portions: &[] };
    judged(work.step(), Job::of(work.spec())?.kind().combine(&combining))
}

/// Errors that are a payload's or the learning's fault end the work.
pub(super) fn judged(step: Step, combined: Result<Input>) -> Result<Input> {
    match combined {
        Err(Error::Payload { site, .. }) => Ok(Input::Unusable { step, sites: vec![site] }),
        Err(Error::Vouched { sites, .. } | Error::Trial { sites }) => Ok(Input::Unusable { step, sites }),
        Err(Error::Learning { .. }) => Ok(Input::Stuck { step }),
        other => other,
    }
}
