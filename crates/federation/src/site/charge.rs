//! Ciphertexts that count against a site's limit of openings.
//!
//! A contribution counts when it leaves: from then on others can open it without this site. What a site helps to open without a
//! contribution of its own counts when it does. A contribution that can be opened by nobody any more, its round void or settled without
//! it, counts no longer.

use std::collections::BTreeMap;

use crate::sums::SumMark;
use crate::{JobId, Phase, SiteId, Step};
use blindscope_wire::Digest;

/// What a site has been charged for.
#[derive(Debug, Default)]
pub(super) struct Charge {
    /// Of all jobs.
    total: u64,
    /// Contributions, by job and round.
    sent: BTreeMap<(JobId, u64), u64>,
    /// Rounds of sums that have one, by name.
    rounds: BTreeMap<Digest, (JobId, u64)>,
    /// Of tasks at work that will count, by job: nothing that is kept.
    reserved: BTreeMap<JobId, u64>,
}

impl Charge {
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What counts beside what is asked: a round's later steps do not count it anew.
    pub(super) fn beside(&self, step: Step) -> u64 {
        let reserved =
            self.reserved.iter().filter(|(job, _)| **job != step.job).map(|(_, openings)| *openings);
        reserved.fold(self.total.saturating_sub(self.counted(step)), u64::saturating_add)
    }

    /// A task that will count is at work.
    pub(super) fn reserve(&mut self, step: Step, openings: u64) {
        if matches!(step.phase, Phase::Upload | Phase::Open | Phase::Share) {
            self.reserved.insert(step.job, openings.saturating_sub(self.counted(step)));
        }
    }

    /// A task's answer is staged, and counted where it counts.
    pub(super) fn settle(&mut self, job: JobId) {
        self.reserved.remove(&job);
    }

    /// What was counted of a step before it: its round's contribution. Another share of the same counts anew.
    fn counted(&self, step: Step) -> u64 {
        let anew = step.phase == Phase::Share && step.attempt > 0;
        self.sent.get(&(step.job, step.round)).copied().filter(|_| !anew).unwrap_or(0)
    }

    /// A contribution, once a round.
    pub(super) fn send(&mut self, round: (JobId, u64), openings: u64) {
        let known = self.sent.entry(round).or_default();
        self.total = self.total.saturating_add(openings.saturating_sub(*known));
        *known = openings.max(*known);
    }

    /// A share.
    pub(super) fn spend(&mut self, step: Step, openings: u64) {
        self.total = self.total.saturating_add(openings.saturating_sub(self.counted(step)));
    }

    /// What a new mark of a sum means.
    pub(super) fn sum(&mut self, me: SiteId, mark: &SumMark, openings: u64) {
        match mark {
            SumMark::Uploaded { round, job, number, .. } => {
                self.rounds.insert(*round, (*job, *number));
                self.send((*job, *number), openings);
            }
            SumMark::Opened { round, .. } => {
                let sent = self.rounds.get(round).and_then(|at| self.sent.get(at)).copied().unwrap_or(0);
                self.total = self.total.saturating_add(openings.saturating_sub(sent));
            }
            SumMark::Voided { round } => self.free(round),
            SumMark::Settled { round, sites } if !sites.contains(&me) => self.free(round),
            _ => {}
        }
    }

    fn free(&mut self, round: &Digest) {
        let sent = self.rounds.get(round).and_then(|at| self.sent.remove(at)).unwrap_or(0);
        self.total = self.total.saturating_sub(sent);
    }
}
