//! Which rounds a site has answered in last.
//!
//! A coordinator asks of so many jobs at a time and no more, so older rounds are over. Questions, of which many pass while a job is at
//! work, push no job out.

use std::collections::VecDeque;

use crate::{Coordinator, Header, JobId, Phase, Step};

/// Most rounds of each kind.
const MOST: usize = Coordinator::MAX_JOBS as usize;

/// The newest rounds, the last one at the end.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// Of jobs that name their own key.
    jobs: VecDeque<(JobId, u64)>,
    /// Of those that work under the inference key.
    under_key: VecDeque<(JobId, u64)>,
}

impl Newest {
    /// An answer is staged.
    pub(super) fn answered(&mut self, header: &Header) {
        let (job, round) = (header.step.job, header.step.round);
        let rounds = if header.key == job { &mut self.jobs } else { &mut self.under_key };
        rounds.retain(|(other, _)| *other != job);
        if rounds.len() >= MOST {
            rounds.pop_front();
        }
        rounds.push_back((job, round));
    }

    /// Whether a step is of one of them.
    pub(super) fn has(&self, step: &Step) -> bool {
        let at = (step.job, step.round);
        self.jobs.contains(&at) || self.under_key.contains(&at)
    }

    /// Their uploads.
    pub(super) fn uploads(&self) -> impl Iterator<Item = Step> + '_ {
        let upload = |&(job, round)| Step { job, round, attempt: 0, phase: Phase::Upload };
        self.jobs.iter().chain(&self.under_key).map(upload)
    }
}
