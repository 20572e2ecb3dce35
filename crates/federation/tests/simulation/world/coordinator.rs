//! The coordinator's machine: it stops at any write, and comes back with its log and its blobs.

use rand_core::Rng as _;

use super::{Compute, Done, Message, World};
use blindscope_federation::{
    Admission, Blob, Coordinator, Event, Input, NamedSet, Outcome, Output, Record, Refusal, SecondRound,
    SignedHeader, SiteId, Step, Task, Work,
};

impl<C: Compute> World<'_, C> {
    /// A site's task; where several jobs ask it, of any of them.
    pub(super) fn task_of(&mut self, site: SiteId) -> Option<Task> {
        let coordinator = self.coordinator.as_ref()?;
        let rounds = coordinator.rounds_at_work();
        self.most_at_once = self.most_at_once.max(rounds.len());
        if rounds.len() < 2 {
            return coordinator.task_for(site);
        }
        let (chosen, _) = rounds[(self.rng.next_u64() % rounds.len() as u64) as usize];
        coordinator.task_among(site, |job, _| job == chosen)
    }

    /// Puts a real question in the place of `ASK`, once every job before it has ended, or the head has where jobs are side by side;
    /// drops it where there is no head.
    pub(super) fn ask(&mut self) {
        let side_by_side = self.beside != (1, 1);
        let head = |c: &Coordinator| c.job(c.job_named("head")?);
        let there =
            |c: &&Coordinator| c.is_idle() || side_by_side && head(c).is_some_and(|view| view.is_over());
        let Some(coordinator) = self.coordinator.as_ref().filter(there) else { return };
        let Some((mut spec, blobs)) = self.compute.question(coordinator, &self.disk) else {
            self.pending.remove(0);
            return;
        };
        self.disk.extend(blobs.into_iter().map(|bytes| (Blob::of(&bytes).digest, bytes)));
        if self.asked > 0 {
            spec.name = format!("{}-{}", spec.name, self.asked);
        }
        if let (Some(question), Some(avoided)) =
            (spec.question.as_mut(), self.avoided.get(self.asked as usize))
        {
            question.avoided.clone_from(avoided);
        }
        self.asked += 1;
        self.pending[0] = spec;
    }

    pub(super) fn wake_coordinator(&mut self) {
        if self.coordinator.is_none() {
            self.ahead.clear();
            self.named.clear();
            let replayed = Coordinator::replay(&self.fixture.study, self.log.iter().cloned());
            let (jobs, questions) = self.beside;
            self.coordinator = Some(replayed.unwrap().side_by_side(jobs, questions));
        }
        self.handle(Input::Tick);
        while let Some(work) = self.any_work() {
            if !self.do_work(&work) {
                break;
            }
        }
        let pause = 20 + self.rng.next_u64() % 100;
        self.at(if self.coordinator.is_some() { pause } else { pause * 20 }, Message::WakeCoordinator);
    }

    /// A piece of the work at hand.
    pub(super) fn any_work(&mut self) -> Option<Work> {
        let works: Vec<Work> = self.coordinator.as_ref()?.works().collect();
        let steps: Vec<Step> = works.iter().map(Work::step).collect();
        self.named.retain(|step, _| steps.contains(step));
        for work in &works {
            let named = self.named.entry(work.step()).or_insert_with(|| work.clone());
            assert_eq!(named, work, "work that other jobs have changed");
        }
        let place = if works.len() < 2 { 0 } else { self.rng.next_u64() as usize % works.len() };
        works.into_iter().nth(place)
    }

    /// Handles an input; `None` where the machine is down or stops while storing.
    #[allow(clippy::needless_pass_by_value, reason = "inputs are made on the spot")]
    pub(super) fn handle(&mut self, input: Input) -> Option<Result<Option<Record>, Refusal>> {
        let ahead = std::mem::take(&mut self.ahead);
        if !self.store(ahead) {
            return None;
        }
        let decision = match self.coordinator.as_ref()?.handle(&input, self.now, &self.fixture.coordinator) {
            Ok(decision) => decision,
            Err(refusal) => {
                *self.refusals.entry(kind(&refusal)).or_default() += 1;
                return Some(Err(refusal));
            }
        };
        let over = |r: &Record| matches!(r.body.event, Event::Done { .. } | Event::Failed { .. });
        let follows =
            matches!(input, Input::Combined { .. } | Input::Opened { outcome: Outcome::Next(_), .. });
        if follows && !decision.records.iter().any(over) {
            // Sites are asked what comes next while it is being stored.
            self.ahead = decision.records;
        } else if !self.store(decision.records) {
            return None;
        }
        self.coordinator = Some(decision.next);
        Some(Ok(decision.receipt))
    }

    /// Stores records; false where the machine stops.
    pub(super) fn store(&mut self, records: Vec<Record>) -> bool {
        if records.is_empty() {
            return true;
        }
        let before = self.crashes();
        if !before {
            self.log.extend(records);
        }
        if before || self.crashes() {
            self.coordinator = None;
            return false;
        }
        true
    }

    /// Keeps a blob; `None` where the machine stops.
    pub(super) fn keep(&mut self, bytes: Vec<u8>) -> Option<Blob> {
        let blob = Blob::of(&bytes);
        let before = self.crashes();
        if !before {
            self.disk.insert(blob.digest, bytes);
        }
        if before || self.crashes() {
            self.coordinator = None;
            return None;
        }
        Some(blob)
    }

    pub(super) fn do_work(&mut self, work: &Work) -> bool {
        let step = work.step();
        self.compute.under(self.coordinator().study());
        let done = self.compute_work(work, step).is_some_and(|input| self.handle(input).is_some());
        // Who was excluded is not in it any more; after a stop, what was shown ahead of its record may not have been.
        self.named.remove(&step);
        done
    }

    pub(super) fn compute_work(&mut self, work: &Work, step: Step) -> Option<Input> {
        Some(match self.compute.work(work, &self.disk) {
            Done::Combined { shared, each } => {
                let shared = self.keep(shared)?;
                let each = each.into_iter().map(|bytes| self.keep(bytes)).collect::<Option<_>>()?;
                Input::Combined { step, output: Output { each, ..Output::shared(shared) } }
            }
            Done::First { shared, sum } => {
                let (shared, sum) = (self.keep(shared)?, self.keep(sum)?);
                let second = Some(SecondRound { sum, seeds: Vec::new() });
                Input::Combined { step, output: Output { second, ..Output::shared(shared) } }
            }
            Done::Next(bytes) => Input::Opened { step, outcome: Outcome::Next(self.keep(bytes)?) },
            Done::Final(bytes) => Input::Opened { step, outcome: Outcome::Final(self.keep(bytes)?) },
            Done::Unusable(sites) => Input::Unusable { step, sites },
            Done::Spoiled => Input::Spoiled { step },
            Done::Received { shared, each, pairs } => {
                let shared = self.keep(shared)?;
                let each = each.into_iter().map(|bytes| self.keep(bytes)).collect::<Option<_>>()?;
                let pairs = pairs.into_iter().map(|(s, bytes)| Some((s, self.keep(bytes)?)));
                let pairs = pairs.collect::<Option<_>>()?;
                Input::Combined { step, output: Output { each, pairs, ..Output::shared(shared) } }
            }
            Done::Named { shared, sum, sites, openers } => {
                let (shared, sum) = (self.keep(shared)?, self.keep(sum)?);
                let named = Some(NamedSet { sum, sites, openers, inclusions: None });
                Input::Combined { step, output: Output { named, ..Output::shared(shared) } }
            }
        })
    }

    pub(super) fn receive_answer(&mut self, site: SiteId, answer: &SignedHeader, payload: Vec<u8>) {
        let Some(coordinator) = self.coordinator.as_ref() else { return };
        match coordinator.admit(answer) {
            Ok(Admission::Known(receipt)) => self.send(|| Message::Receipt(site, receipt.clone())),
            Ok(Admission::Expected { payload: expected }) => {
                if let Some(expected) = expected {
                    assert_eq!(expected, Blob::of(&payload));
                    if self.keep(payload).is_none() {
                        return;
                    }
                }
                if let Some(Ok(Some(receipt))) = self.handle(Input::Answer(answer.clone())) {
                    self.send(|| Message::Receipt(site, Box::new(receipt.clone())));
                }
            }
            Err(refusal) => *self.refusals.entry(kind(&refusal)).or_default() += 1,
        }
    }
}

/// The refusal's variant.
fn kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotOpen { .. } => "not open",
        Refusal::JobOver { .. } => "job over",
        Refusal::NoSuchWork { .. } => "no such work",
        Refusal::Answered { .. } => "answered otherwise",
        _ => "other",
    }
}
