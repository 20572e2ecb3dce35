//! Earlier rounds of the same values: what has to be void before they go on, and which sites may be summed together.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Coordinator;
use super::earlier::{Earlier, Past};
use super::progress::{Progress, State};
use crate::job::KeyUse;
use crate::sums::summable;
use crate::{
    Answer, Cause, Event, Grounds, JobId, Missing, Phase, Record, SettledRound, SignedHeader, SiteId, Step,
    VoidRound,
};
use blindscope_wire::Digest;

/// Rounds that are void, with the declarations, and rounds of a known set.
type Told = (Vec<VoidRound>, Vec<SettledRound>);

impl Coordinator {
    /// Rounds of the input that a job's round at work starts from.
    fn earlier(&self, job: &Progress) -> Option<&Earlier> {
        self.earlier.get(&job.sum_input()?).map(AsRef::as_ref)
    }

    pub(super) fn earlier_mut(&mut self, input: Digest) -> &mut Earlier {
        Arc::make_mut(Arc::make_mut(&mut self.earlier).entry(input).or_default())
    }

    /// Failed rounds of the same input that are not void yet, oldest first.
    pub(super) fn to_void(&self, job: &Progress) -> Vec<(JobId, u64)> {
        let version = self.study.version();
        self.earlier(job).map_or_else(Vec::new, |earlier| earlier.to_void(version))
    }

    /// The sets that earlier rounds of the same input are opened over, if at all: a site of one is in no other.
    pub(super) fn earlier_sets(&self, job: JobId) -> Vec<Vec<SiteId>> {
        self.jobs.get(&job).and_then(|job| self.earlier(job)).map_or_else(Vec::new, Earlier::sets)
    }

    /// Sites that uploaded in the round at work and are left out of it, since their values are bound to an earlier set or the others' are.
    pub(super) fn bound_elsewhere(&self, job: &Progress) -> Vec<Missing> {
        let uploaded: Vec<_> = job.sum.iter().flat_map(|sum| &sum.uploads).map(|(site, _)| *site).collect();
        let kept = summable(&uploaded, &self.earlier_sets(job.id));
        let out = uploaded.into_iter().filter(|site| !kept.contains(site));
        out.map(|site| Missing { site, cause: Cause::OtherCohort }).collect()
    }

    /// What a site is told of earlier rounds of its input with an upload's task: those that are void, and those of a known set.
    pub(super) fn told(&self, job: &Progress, site: SiteId) -> Told {
        let (mut voids, mut settled) = (Vec::new(), Vec::new());
        for past in self.earlier(job).iter().flat_map(|earlier| earlier.untold(site)) {
            let ((id, round), version) = (past.at, past.version);
            let Some(spec) = self.jobs.get(&id).map(|job| job.spec.clone()) else { continue };
            match (past.void, &past.settled) {
                (Some(declared), _) => voids.push(VoidRound { spec, round, version, declared }),
                (None, Some((_, proof))) => {
                    settled.push(SettledRound { spec, round, version, proof: *proof });
                }
                (None, None) => {}
            }
        }
        (voids, settled)
    }

    /// A site has answered an upload's task: with its upload, or with the word that its values are spent, it has stored what the task
    /// told it.
    pub(super) fn tell(&mut self, answer: &SignedHeader) {
        let (step, site) = (answer.header.step, answer.header.site);
        let stored = matches!(answer.header.answer, Answer::Payload(_) | Answer::Declined(Cause::SpentInput));
        let input = self.jobs.get(&step.job).and_then(|job| job.sum_input());
        let Some(input) = input.filter(|_| stored && step.phase == Phase::Upload) else { return };
        let news = self.earlier.get(&input).is_some_and(|earlier| !earlier.untold(site).is_empty());
        if news {
            let sites: Vec<SiteId> = self.study.sites().collect();
            self.earlier_mut(input).tell(site, &sites);
        }
    }

    /// Keeps how the round at work ended, if sites were asked to upload in it: any of them may have, whatever has come here.
    pub(super) fn pass(&mut self, id: JobId, failed: bool) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.asked) else { return };
        let Some(input) = job.sum_input() else { return };
        let past = job.past(failed);
        let sites: Vec<SiteId> = self.study.sites().collect();
        self.earlier_mut(input).add(past, &sites);
    }
}

impl Progress {
    /// What stands for the values of the round at work; nothing of jobs that are no sums.
    pub(super) fn sum_input(&self) -> Option<Digest> {
        (self.kind().key() == KeyUse::Rounds).then(|| self.spec.input(self.input.as_ref()))
    }

    /// The opened sum of the round at work, for who holds the next one's start against it.
    pub(super) fn opened(&self) -> Option<Grounds> {
        let State::Closed(closed) = &self.state else { return None };
        let sum = self.sum.as_ref()?;
        let (named, _) = sum.named.as_ref()?;
        Some(Grounds { start: self.input, proof: sum.proof()?, sum: named.sum, openings: closed.blobs() })
    }

    /// The round at work as it is remembered.
    fn past(&self, failed: bool) -> Past {
        let settled = self.sum.as_ref().and_then(|sum| {
            let proof = sum.proof()?;
            Some((sum.committed().iter().map(|(site, _)| *site).collect(), proof))
        });
        let answered = |phase: Phase, payload: bool| {
            let of = move |((step, site), record): (&(Step, SiteId), &Record)| match &record.body.event {
                Event::Accepted { answer } => {
                    let fits = step.phase == phase && step.round == self.round;
                    (fits && answer.payload().is_some() == payload).then_some(*site)
                }
                _ => None,
            };
            self.receipts.iter().filter_map(of).collect::<BTreeSet<_>>()
        };
        // Whoever declined puts nothing in later; whoever opened has stored of which set.
        let mut told = answered(Phase::Upload, false);
        if settled.is_some() {
            told.extend(answered(Phase::Open, true));
        }
        let uploaded = answered(Phase::Upload, true);
        Past { at: (self.id, self.round), version: self.version, settled, failed, void: None, uploaded, told }
    }
}
