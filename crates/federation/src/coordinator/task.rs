//! What each site is asked, and which blobs it may fetch for it.

use super::Coordinator;
use super::asked::Open;
use super::progress::{Progress, State};
use crate::job::{Basis, KeyUse};
use crate::{Ask, Blob, Evaluation, EvaluationShares, Event, JobId, JobSpec, Phase, SiteId, Step, Task};
use blindscope_wire::Digest;

impl Coordinator {
    /// What a site is asked now, if anything: the step that was opened first.
    pub fn task_for(&self, site: SiteId) -> Option<Task> {
        self.task_among(site, |_, _| true)
    }

    /// What a site is asked now of these jobs, if anything: of their steps the one that was opened first, so that no job waits for
    /// another that always has something to ask.
    pub fn task_among(&self, site: SiteId, wanted: impl Fn(JobId, &JobSpec) -> bool) -> Option<Task> {
        let mut asked: Vec<_> = self.asked_of(site).filter(|(job, _)| wanted(job.id, &job.spec)).collect();
        asked.sort_by_key(|(_, open)| open.since);
        asked.into_iter().find_map(|(job, open)| self.task_of(site, job, open))
    }

    /// Steps that a site is asked in and has not answered.
    fn asked_of(&self, site: SiteId) -> impl Iterator<Item = (&Progress, &Open)> {
        let open = self.running().filter_map(|job| Some((job, job.open()?)));
        open.filter(move |(_, open)| open.asks(site) && open.answer(site).is_none())
    }

    fn task_of(&self, site: SiteId, job: &Progress, open: &Open) -> Option<Task> {
        let (phase, rounds) = (open.step.phase, job.kind().key() == KeyUse::Rounds);
        Some(Task {
            study: self.study.digest(),
            version: self.study.version(),
            key: open.key,
            step: open.step,
            spec: job.spec.clone(),
            sizes: job.sizes,
            deadline_ms: open.deadline_ms,
            ask: self.ask(job, open, site)?,
            start: job.input.filter(|_| rounds && phase != Phase::Upload),
            grounds: job.grounds.clone().filter(|_| matches!(phase, Phase::Upload | Phase::Agree)),
        })
    }

    fn ask(&self, job: &Progress, open: &Open, site: SiteId) -> Option<Ask> {
        let public_key = match job.kind().key() {
            KeyUse::Makes | KeyUse::Rounds => None,
            KeyUse::Inference => self.inference.as_deref().map(|k| k.public_key),
        };
        let bundle = job.bundles.get(self.study.place(site)?).copied();
        Some(match open.step.phase {
            Phase::KeyShare => Ask::Reveal { bundle: bundle?, promised: job.promised(open.step) },
            Phase::Commit => Ask::Commit,
            Phase::Promise => {
                Ask::Promise { bundle: bundle?, commitments: job.answers(Phase::Commit, open.step) }
            }
            Phase::Relin => Ask::Relin {
                sum: job.output.as_ref()?.second.as_ref()?.sum,
                bundle: bundle?,
                shares: job.answers(Phase::KeyShare, open.step),
                promised: job.promised(open.step),
            },
            Phase::Parts => {
                let output = job.output.as_ref()?;
                let evaluation = job.evaluation_keys.map(|keys| {
                    let (sum, promised) = (output.second.as_ref()?.sum, job.promised(open.step));
                    let shares = job.answers(Phase::Relin, open.step);
                    Some(Box::new(EvaluationShares { keys, sum, shares, promised }))
                });
                let (public_key, shares) = (output.shared, job.answers(Phase::KeyShare, open.step));
                Ask::Parts { public_key, bundle: bundle?, shares, evaluation: evaluation.flatten() }
            }
            Phase::Trial => {
                Ask::Trial { public_key: job.output.as_ref()?.shared, string: job.string(open.step) }
            }
            Phase::Upload => {
                let pairs = job.kind().key() == KeyUse::Rounds && !job.pairs.contains_key(&site);
                let (voids, settled) = self.told(job, site);
                Ask::Upload { public_key, input: job.input, pairs, voids, settled }
            }
            Phase::Void => {
                let of = |(id, round): &(JobId, u64)| Some((self.jobs.get(id)?.spec.clone(), *round));
                Ask::Void { rounds: job.voiding.iter().flatten().filter_map(of).collect() }
            }
            Phase::Findings | Phase::Agree | Phase::Vouch | Phase::Open => {
                job.ask_of_sum(open, site, self.study.holding_place(site))?
            }
            Phase::Encrypt => {
                let parts = job.opening.as_ref()?.committed.clone();
                Ask::Encrypt { public_key: public_key?, parts }
            }
            Phase::Ready => Ask::Ready { public_key: public_key?, opening: job.opening.clone()? },
            Phase::Share => Ask::Share {
                opening: job.opening.clone()?,
                committee: open.expected.clone(),
                zeros: job.zeros(open),
                target: job.target?,
                evaluation: self.evaluation(job).map(Box::new),
            },
        })
    }

    /// What a question's answer is computed from, besides the question.
    pub(super) fn evaluation(&self, job: &Progress) -> Option<Evaluation> {
        let Basis::Head(head) = job.kind().basis() else { return None };
        let (opening, key) = (self.encrypted_head(head)?.clone(), self.inference.as_deref()?);
        let head = self.jobs.get(&head)?;
        let start = self.start_of(head)?;
        Some(Evaluation { head: Box::new(head.spec.clone()), start, opening, keys: key.evaluation_keys })
    }

    /// Whether a site may fetch this blob: what it is asked now needs it, it is a job's result, or the key.
    pub fn may_fetch(&self, site: SiteId, digest: &Digest) -> bool {
        let named = |blob: &Blob| blob.digest == *digest;
        let result = |job: &Progress| matches!(&job.state, State::Done(blob) if named(blob));
        self.inference.as_deref().is_some_and(|k| named(&k.public_key))
            || self.jobs.values().any(|job| result(job))
            || self
                .asked_of(site)
                .filter_map(|(job, open)| self.task_of(site, job, open))
                .any(|task| task.inputs().iter().any(named))
    }

    /// Whether somebody who asks may fetch this blob: the public key that questions are encrypted under, or an answer, which is
    /// encrypted to who asked.
    pub fn may_ask_for(&self, digest: &Digest) -> bool {
        let answer = |job: &Progress| {
            let named = matches!(&job.state, State::Done(blob) if blob.digest == *digest);
            named && job.is_question()
        };
        self.inference.as_deref().is_some_and(|k| k.public_key.digest == *digest)
            || self.jobs.values().any(|job| answer(job))
    }

    /// The blobs that are still needed. Any other may be deleted.
    pub fn needed_blobs(&self) -> Vec<Blob> {
        let mut needed: Vec<Blob> = self.pairs.values().copied().collect();
        needed.extend(self.earlier.values().flat_map(|earlier| earlier.blobs()));
        needed.extend(self.inference.iter().flat_map(|k| [k.public_key, k.evaluation_keys]));
        for job in self.jobs.values() {
            match &job.state {
                State::Done(result) => {
                    needed.push(*result);
                    // Sites add an encrypted head up themselves before they open an answer of it.
                    let uploads = job.opening.iter().flat_map(|o| o.committed.iter().chain(&o.encrypted));
                    needed.extend(uploads.filter_map(crate::SignedHeader::payload));
                }
                State::Failed(_) => {}
                _ => needed.extend(job.blobs()),
            }
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

impl Progress {
    /// What a site is asked of a sum whose uploads were read.
    fn ask_of_sum(&self, open: &Open, site: SiteId, place: Option<usize>) -> Option<Ask> {
        let sum = self.sum.as_ref()?;
        let headers = sum.headers;
        let bundle = place.and_then(|place| sum.bundles.get(place)).copied();
        if open.step.phase == Phase::Findings {
            return Some(Ask::Findings { headers, bundle: bundle? });
        }
        let commitment = sum.named.as_ref()?.1;
        if open.step.phase == Phase::Open {
            let (agreements, vouches) = (sum.agreements?, sum.vouches);
            return Some(Ask::Open { headers, bundle: bundle?, commitment, agreements, vouches });
        }
        if open.step.phase == Phase::Vouch {
            return Some(Ask::Vouch { commitment, uploads: sum.gone() });
        }
        let mut uploads = sum.committed();
        if self.sizes.evaluated {
            uploads.retain(|(of, _)| *of == site);
        }
        Some(Ask::Agree { commitment: sum.shown_to(site, place.is_some())?, uploads })
    }

    /// The zeros that went into the attempt that `open` is of, in the members' order.
    fn zeros(&self, open: &Open) -> Vec<crate::SignedHeader> {
        let ready = Step { phase: Phase::Ready, ..open.step };
        let header = |site: &SiteId| match &self.receipts.get(&(ready, *site))?.body.event {
            Event::Accepted { answer } => Some(answer.clone()),
            _ => None,
        };
        open.expected.iter().filter_map(header).collect()
    }

    /// Everybody's payload of phase key-share.
    pub(super) fn key_shares(&self, step: Step) -> Vec<(SiteId, Blob)> {
        let named = |h: crate::SignedHeader| Some((h.header.site, h.payload()?));
        self.answers(Phase::KeyShare, step).into_iter().filter_map(named).collect()
    }

    /// Every blob that the running round may still need.
    fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        let accepted = self.receipts.values().filter_map(|r| match &r.body.event {
            Event::Accepted { answer } => answer.payload(),
            _ => None,
        });
        let output = self.output.iter().map(|o| o.shared).chain(self.bundles.iter().copied());
        let second = self.output.iter().filter_map(|o| o.second.as_ref()).map(|s| s.sum);
        let opening = self.opening.iter().map(|o| o.sum);
        let own = self.input.into_iter().chain(self.target).chain(self.evaluation_keys);
        let own = own.chain(self.pairs.values().copied());
        let sums = self.sum_blobs().chain(self.grounds.iter().flat_map(|grounds| grounds.blobs()));
        accepted
            .chain(output)
            .chain(second)
            .chain(opening)
            .chain(self.kind().attached())
            .chain(own)
            .chain(sums)
    }
}
