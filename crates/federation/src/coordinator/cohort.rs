//! Earlier rounds of the same values: what has to be void before they go on, and which sites may be summed together.

use super::progress::Progress;
use super::{Coordinator, Settled};
use crate::job::KeyUse;
use crate::sums::summable;
use crate::{Blob, Cause, JobId, Missing, SiteId};

impl Coordinator {
    /// Failed rounds of the same input that are not void yet, oldest job first.
    pub(super) fn to_void(&self, job: &Progress) -> Vec<(JobId, u64)> {
        self.failed_like(job).filter(|(_, void)| void.is_none()).map(|(at, _)| at).collect()
    }

    /// Failed rounds of jobs of the same values.
    pub(super) fn failed_like<'a>(
        &'a self,
        job: &'a Progress,
    ) -> impl Iterator<Item = ((JobId, u64), Option<Blob>)> + 'a {
        let of = self.failed.iter().filter(|((id, _), _)| self.like(job, *id));
        of.map(|(at, void)| (*at, *void))
    }

    /// Whether another sum is of the same values as this one, where both start from the same.
    fn like(&self, job: &Progress, other: JobId) -> bool {
        let spec = self.jobs.get(&other).map(|other| &other.spec);
        spec.is_some_and(|spec| spec.same_input(&job.spec)) && job.kind().key() == KeyUse::Rounds
    }

    /// The sets that earlier rounds of the same input are opened over, if at all: a site of one is in no other.
    pub(super) fn earlier_sets(&self, job: JobId) -> Vec<Vec<SiteId>> {
        let Some(job) = self.jobs.get(&job) else { return Vec::new() };
        let mut sets: Vec<_> = self.settled_like(job).map(|(_, settled)| settled.sites.clone()).collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }

    /// Rounds of the same values that started from the same, whose set is settled and that are not void.
    pub(super) fn settled_like<'a>(
        &'a self,
        job: &'a Progress,
    ) -> impl Iterator<Item = ((JobId, u64), &'a Settled)> + 'a {
        let void = |at: &(JobId, u64)| matches!(self.failed.get(at), Some(Some(_)));
        let of = self
            .settled
            .iter()
            .filter(move |(at, settled)| settled.input == job.input && self.like(job, at.0) && !void(at));
        of.map(|(at, settled)| (*at, settled))
    }

    /// Sites that uploaded in the round at work and are left out of it, since their values are bound to an earlier set or the others' are.
    pub(super) fn bound_elsewhere(&self, job: &Progress) -> Vec<Missing> {
        let uploaded: Vec<_> = job.sum.iter().flat_map(|sum| &sum.uploads).map(|(site, _)| *site).collect();
        let kept = summable(&uploaded, &self.earlier_sets(job.id));
        let out = uploaded.into_iter().filter(|site| !kept.contains(site));
        out.map(|site| Missing { site, cause: Cause::OtherCohort }).collect()
    }
}
