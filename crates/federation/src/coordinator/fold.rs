//! What each record does to the state. An event that cannot follow is named, not folded.

use std::sync::Arc;

use super::asked::{Closed, Open};
use super::progress::{Progress, State, SumProgress};
use super::{Coordinator, InferenceKey};
use crate::job::{Basis, Job, KeyUse, Next};
use crate::{Blob, Cause, Event, JobId, JobKind, Missing, Opening, Output, Phase, Record, SiteId, Step};

type Folded = Result<(), &'static str>;

fn require(fine: bool, reason: &'static str) -> Folded {
    if fine { Ok(()) } else { Err(reason) }
}

impl Coordinator {
    /// Folds in a record whose place in the chain is settled.
    pub(super) fn fold(&mut self, record: &Record) -> Folded {
        require(
            (self.seq == 0) == matches!(record.body.event, Event::Founded { .. }),
            "the log begins once",
        )?;
        let at_ms = record.body.at_ms;
        match &record.body.event {
            Event::Founded { study } => require(*study == self.study.digest(), "it is of another study")?,
            Event::Submitted { job, spec, sizes, line } => {
                require(spec.id(&self.study) == *job, "the job's id is not that of its file")?;
                require(!self.names.contains_key(&spec.name), "the job's name stands twice")?;
                Arc::make_mut(&mut self.names).insert(spec.name.clone(), *job);
                self.waiting.push(*job);
                require(
                    spec.kind != JobKind::Ceremony,
                    "a ceremony of sums of an earlier release: sums need no key now, so verify it with that release and found a new study",
                )?;
                let parsed = Job::of(spec).map_err(|_| "its job file lacks what its kind needs")?;
                let file = (spec.clone(), parsed);
                let progress =
                    Progress { line: line.as_deref().copied(), ..Progress::new(*job, file, *sizes, at_ms) };
                self.jobs.insert(*job, Arc::new(progress));
            }
            Event::Opened { step, key, expected, deadline_ms } => {
                self.open_step(*step, *key, expected, *deadline_ms)?;
            }
            Event::Accepted { answer } => {
                let step = answer.header.step;
                let job = self.running_mut(step.job)?;
                let State::Open(open) = &mut job.state else { return Err("no step is open") };
                require(open.step == step, "another step is open")?;
                require(open.asks(answer.header.site), "the site is not asked")?;
                require(open.answer(answer.header.site).is_none(), "the site has answered already")?;
                open.take(answer.clone());
                job.receipts.insert((step, answer.header.site), record.clone());
                self.tell(answer);
            }
            Event::Closed { step, committed, missing } => self.close_step(*step, committed, missing)?,
            Event::Excluded { step, missing } => self.exclude(*step, missing)?,
            Event::Combined { step, output } => self.combine(*step, output)?,
            Event::Advanced { job, round, input } => {
                self.closed_share(*job, *round)?;
                self.pass(*job, false);
                let job = self.running_mut(*job)?;
                require(round + 1 < job.spec.rounds, "the job has no further round")?;
                job.grounds = job.opened().map(Box::new);
                (job.round, job.input) = (round + 1, Some(*input));
                (job.asked, job.voiding, job.reserved) = (false, None, 0);
                (job.opening, job.target, job.state) = (None, None, State::Between(None));
                job.sum = None;
                job.receipts.retain(|(step, _), _| step.round >= *round);
            }
            Event::Done { job, result } => {
                let job_now = self.running_mut(*job)?;
                let kind = job_now.kind();
                let at_end = match &job_now.state {
                    State::Closed(c) if matches!(c.step.phase, Phase::Share | Phase::Open) => true,
                    State::Closed(c) => c.step.phase == Phase::Parts && kind.next(Phase::Parts) == Next::Done,
                    State::Between(Some(c)) => kind.next(c.step.phase) == Next::Done,
                    _ => false,
                };
                require(at_end, "the job is not at its end")?;
                self.end(*job, State::Done(*result), at_ms)?;
            }
            Event::Failed { job, failure } => self.end(*job, State::Failed(failure.clone()), at_ms)?,
            Event::Proposed { .. } | Event::Withdrawn | Event::Said { .. } | Event::Changed { .. } => {
                self.fold_roster(&record.body.event)?;
            }
        }
        (self.seq, self.head) = (self.seq + 1, record.digest());
        Ok(())
    }

    fn running_mut(&mut self, job: JobId) -> Result<&mut Progress, &'static str> {
        if !self.running.contains(&job) {
            return Err("the job is not running");
        }
        self.jobs.get_mut(&job).map(Arc::make_mut).ok_or("the job is unknown")
    }

    fn open_step(&mut self, step: Step, key: JobId, expected: &[SiteId], deadline_ms: u64) -> Folded {
        self.begin(step.job)?;
        self.follows_commitments(step)?;
        let begins = self.begins_with(step)?;
        let to_void = self.jobs.get(&step.job).map_or_else(Vec::new, |job| self.to_void(job));
        let rounds = self.jobs.get(&step.job).is_some_and(|job| job.kind().key() == KeyUse::Rounds);
        require(
            !rounds || key == step.job,
            "its sums are of the former kind, which this version does not run on; found a new study",
        )?;
        let (since, pairs) = (self.seq, self.pairs.clone());
        let job = self.running_mut(step.job)?;
        require(!matches!(job.state, State::Open(_)), "another step is open")?;
        if let Some(input) = begins {
            job.input = Some(input);
        }
        let mut openings = 0;
        // Every attempt at a sum opens the same: it counts once.
        if step.phase == Phase::Share || (step.phase == Phase::Open && step.attempt == 0) {
            (openings, job.reserved) = (job.sizes.openings, 0);
            if step.attempt == 0 {
                job.target = job.opening.as_ref().map(|o| o.sum);
            }
        }
        match step.phase {
            Phase::Void => job.voiding = Some(to_void),
            Phase::Upload => {
                (job.asked, job.reserved) = (true, job.sizes.openings);
                job.pairs = pairs;
            }
            Phase::Ready => job.reserved = job.sizes.openings,
            _ => {}
        }
        job.state = State::Open(Open::new((step, key), expected, deadline_ms, since));
        if let (KeyUse::Inference, Some(key)) = (job.kind().key(), &mut self.inference) {
            let key = Arc::make_mut(key);
            key.answered = key.answered.saturating_add(openings);
        }
        self.opened = self.opened.saturating_add(openings);
        Ok(())
    }

    /// Refuses a ceremony of an earlier release, in which a last site could choose its share after it had seen the others'.
    fn follows_commitments(&self, step: Step) -> Folded {
        let job = self.jobs.get(&step.job).ok_or("the job is unknown")?;
        require(
            step.phase != Phase::KeyShare || !job.bundles.is_empty(),
            "an inference key of an earlier release, made without commitments: verify it with that release, and make a new key in a new study",
        )
    }

    /// What a job's first step brings with it: the result that a job starts from.
    fn begins_with(&self, step: Step) -> Result<Option<Blob>, &'static str> {
        let job = self.jobs.get(&step.job).ok_or("the job is unknown")?;
        if matches!(job.kind().basis(), Basis::Result(_)) && step.phase == Phase::Upload {
            return self.start_of(job).map(Some).ok_or("what the job starts from is not there");
        }
        Ok(None)
    }

    fn close_step(&mut self, step: Step, committed: &[SiteId], missing: &[Missing]) -> Folded {
        let job = self.running_mut(step.job)?;
        let State::Open(open) = &job.state else { return Err("no step is open") };
        require(open.step == step, "another step is open")?;
        let headers: Vec<_> =
            open.payloads().filter(|h| committed.contains(&h.header.site)).cloned().collect();
        require(headers.len() == committed.len(), "a committed site has no accepted payload")?;
        let closed = Closed { step, key: open.key, committed: headers, missing: missing.to_vec() };
        job.missing.extend(missing.iter().map(|m| (step, *m)));
        job.state = State::Closed(closed);
        Ok(())
    }

    fn exclude(&mut self, step: Step, missing: &[Missing]) -> Folded {
        let job = self.running_mut(step.job)?;
        let State::Closed(closed) = &mut job.state else { return Err("no step is closed") };
        require(closed.step == step, "another step is closed")?;
        closed.committed.retain(|h| missing.iter().all(|m| m.site != h.header.site));
        closed.missing.extend_from_slice(missing);
        job.missing.extend(missing.iter().map(|m| (step, *m)));
        Ok(())
    }

    fn combine(&mut self, step: Step, output: &Output) -> Folded {
        let job = self.running_mut(step.job)?;
        let State::Closed(closed) = &job.state else { return Err("no step is closed") };
        require(closed.step == step, "another step is closed")?;
        let closed = closed.clone();
        if job.kind().key() == KeyUse::Rounds {
            if step.phase == Phase::Void {
                return self.combine_voids(closed, output);
            }
            let named = output.named.as_ref().zip(self.jobs.get(&step.job));
            require(
                named.is_none_or(|(named, job)| self.shows(job, named)),
                "its committee signed large sums by all headers, which this version does not run on: verify it with the release that wrote it, \
                 and found a new study",
            )?;
            let bound = self.jobs.get(&step.job).map_or_else(Vec::new, |job| self.bound_elsewhere(job));
            // Pair keys of an older release, unsigned, are asked for again.
            let study = self.study.clone();
            let job = self.running_mut(step.job)?;
            job.combine_sum(&closed, output, &bound)?;
            job.state = State::Between(Some(closed));
            let kind = job.kind();
            let fits = |(site, blob): &(SiteId, Blob)| blob.len == kind.pairs_len(&study, *site);
            let pairs: Vec<_> = output.pairs.iter().copied().filter(fits).collect();
            Arc::make_mut(&mut self.pairs).extend(pairs);
            return Ok(());
        }
        if !output.each.is_empty() {
            job.bundles.clone_from(&output.each);
        }
        match step.phase {
            // Sealed parts are laid together; known values have opened.
            Phase::Commit | Phase::Trial => {}
            Phase::KeyShare => job.output = Some(output.clone()),
            Phase::Relin => job.evaluation_keys = Some(output.shared),
            Phase::Upload => {
                let (committed, encrypted) = (closed.in_order(), Vec::new());
                job.opening = Some(Opening { committed, encrypted, sum: output.shared });
            }
            Phase::Encrypt => {
                let opening = job.opening.as_mut().ok_or("no parts of a head are there")?;
                (opening.encrypted, opening.sum) = (closed.in_order(), output.shared);
            }
            Phase::Ready => job.target = Some(output.shared),
            _ => return Err("this phase combines nothing"),
        }
        job.state = State::Between(Some(closed));
        Ok(())
    }

    /// Keeps the declarations of rounds that are void from now on; an empty blob stands where they are too few.
    fn combine_voids(&mut self, closed: Closed, output: &Output) -> Folded {
        let job = self.running_mut(closed.step.job)?;
        let (rounds, input) = (job.voiding.clone().unwrap_or_default(), job.sum_input());
        require(
            rounds.len() == output.each.len(),
            "it declares other rounds void than those that failed with this input: verify it with the release that wrote it",
        )?;
        job.state = State::Between(Some(closed));
        let earlier = input.map(|input| self.earlier_mut(input));
        if let Some(earlier) = earlier {
            let declared = rounds.into_iter().zip(&output.each).filter(|(_, blob)| blob.len > 0);
            declared.for_each(|(at, blob)| earlier.voided(at, *blob));
        }
        Ok(())
    }

    fn closed_share(&mut self, job: JobId, round: u64) -> Result<&mut Progress, &'static str> {
        let job = self.running_mut(job)?;
        let fine = matches!(&job.state, State::Closed(c) if matches!(c.step.phase, Phase::Share | Phase::Open) && c.step.round == round);
        if fine { Ok(job) } else { Err("no shares wait to be combined") }
    }

    fn end(&mut self, id: JobId, state: State, at_ms: u64) -> Folded {
        self.leave(id);
        let done = matches!(state, State::Done(_));
        // A round that failed may have been opened by some of its holders, over its agreed set and no other.
        self.pass(id, !done);
        let job = self.jobs.get_mut(&id).map(Arc::make_mut).ok_or("the job is unknown")?;
        require(!job.is_over(), "the job has ended already")?;
        (job.asked, job.reserved, job.pairs) = (false, 0, Arc::default());
        (job.state, job.ended_ms) = (state, Some(at_ms));
        // Kept: what the key's holders, askers and the log need. Gone: what only a running round does.
        (job.target, job.sum) = (None, None);
        if !done || !matches!(job.job, Job::EncryptedHead(_)) {
            job.opening = None;
        }
        let newest = job.round;
        job.receipts.retain(|(step, _), _| step.round >= newest);
        if !done || job.kind().key() != KeyUse::Makes {
            return Ok(());
        }
        let public_key = job.output.as_ref().ok_or("a ceremony without a key")?.shared;
        let circuit = job.kind().circuit().cloned().ok_or("a ceremony without a circuit")?;
        let evaluation_keys = job.evaluation_keys.ok_or("a ceremony without evaluation keys")?;
        let key = InferenceKey { ceremony: id, public_key, evaluation_keys, circuit, answered: 0 };
        self.inference = Some(Arc::new(key));
        Ok(())
    }
}

impl Progress {
    /// What combining a step of a sum's round does to it.
    fn combine_sum(&mut self, closed: &Closed, output: &Output, bound: &[Missing]) -> Folded {
        match (closed.step.phase, &mut self.sum) {
            (Phase::Upload, _) => {
                let (uploads, headers, bundles) = (closed.blobs(), output.shared, output.each.clone());
                self.sum = Some(SumProgress {
                    uploads,
                    headers,
                    bundles,
                    named: None,
                    agreements: None,
                    signers: Vec::new(),
                    vouches: None,
                });
            }
            (Phase::Findings, Some(sum)) => {
                let named = output.named.clone().ok_or("no set is named")?;
                let sums = named.sum;
                sum.named = Some((named, output.shared));
                let sites: Vec<SiteId> = sum.committed().iter().map(|(site, _)| *site).collect();
                let header = |((step, site), record): (&(Step, SiteId), &Record)| match &record.body.event {
                    Event::Accepted { answer } if step.phase == Phase::Upload && sites.contains(site) => {
                        (step.round == closed.step.round).then(|| answer.clone())
                    }
                    _ => None,
                };
                let out = sum.uploads.iter().map(|(site, _)| *site).filter(|site| !sites.contains(site));
                self.missing.extend(out.map(|site| {
                    // Else its parts were found wanting.
                    let unusable = Missing { site, cause: Cause::Payload };
                    let missing = bound.iter().find(|m| m.site == site).copied().unwrap_or(unusable);
                    (closed.step, missing)
                }));
                let committed = self.receipts.iter().filter_map(header).collect();
                self.opening = Some(Opening { committed, encrypted: Vec::new(), sum: sums });
            }
            (Phase::Agree, Some(sum)) => {
                (sum.agreements, sum.signers) = (Some(output.shared), closed.sites());
            }
            (Phase::Vouch, Some(sum)) => sum.vouches = Some(output.shared),
            _ => return Err("this phase combines nothing"),
        }
        Ok(())
    }
}
