//! A coordinator, its sites and a network that loses, delays, repeats and reorders, on one thread and one seed. Every machine
//! may stop at every write, before or after it; it comes back with what is on its disk.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::common::{Fixture, willing};
use crate::toy::{Compute, Disk, Done, Held};
use blindscope_federation::{
    Admission, Answer, Ask, Blob, Cause, Change, Coordinator, Event, Input, JobId, JobKind, JobSpec, Line,
    Mark, NamedSet, Order, Outcome, Output, Phase, Record, Refusal, RosterView, SecondRound, SignedChange,
    SignedHeader, Site, SiteEntry, SiteId, Step, Study, Task, Word, Work,
};
use blindscope_wire::Digest;

/// How bad the world is; probabilities in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) drop: u64,
    pub(crate) repeat: u64,
    pub(crate) crash: u64,
    pub(crate) delay_ms: u64,
    /// Payloads that are rubbish of the right length.
    pub(crate) rubbish: u64,
    /// Sites that stop for good once both keys are made.
    pub(crate) dead: usize,
    /// Answers that a site declines.
    pub(crate) decline: u64,
}

/// Makes another payload of a site's.
type Forged<'a> = dyn Fn(SiteId, &Task, Vec<u8>) -> Vec<u8> + 'a;

enum Message {
    Poll(SiteId),
    See(SiteId, u64),
    Roster(SiteId, Box<RosterView>),
    Propose(Box<Change>),
    Word(Box<Word>),
    Task(SiteId, Box<Task>),
    Answer(SiteId, Box<SignedHeader>, Vec<u8>),
    Receipt(SiteId, Box<Record>),
    Submit(JobSpec),
    Submitted(String),
    WakeSite(SiteId),
    WakeCoordinator,
    WakeClient,
}

#[derive(Default)]
struct SiteNode {
    up: Option<Site>,
    marks: Vec<Mark>,
    /// Marks that go to the disk with the next ones.
    pending: Vec<Mark>,
    disk: Disk,
    /// Signed changes of the roster that it has on its disk.
    history: Vec<SignedChange>,
    dead: bool,
    /// Every receipt that it was ever sure of.
    receipts: Vec<Record>,
}

/// A share that was computed, whether or not it ever left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) site: SiteId,
    pub(crate) step: Step,
    pub(crate) opening: Digest,
    pub(crate) target: Digest,
}

/// Name of a job that stands for a question to be asked.
pub(crate) const ASK: &str = "ask";

/// Names of jobs that stand for changes of the roster: in each the oldest site leaves and one joins.
pub(crate) const CHANGES: [&str; 2] = ["change-1", "change-2"];

pub(crate) struct World<'a, C> {
    fixture: &'a Fixture,
    compute: &'a C,
    faults: Faults,
    rng: ChaCha20Rng,
    now: u64,
    queue: BTreeMap<(u64, u64), Message>,
    sent: u64,
    coordinator: Option<Coordinator>,
    /// Outcomes of work that are shown and not stored yet.
    ahead: Vec<Record>,
    pub(crate) log: Vec<Record>,
    pub(crate) disk: Disk,
    sites: Vec<SiteNode>,
    /// Whether sites come and go in this world.
    changing: bool,
    pending: Vec<JobSpec>,
    pub(crate) shares: Vec<Share>,
    /// Sums that sites opened their parts of: who, when, which set.
    pub(crate) opened: Vec<(SiteId, Step, Digest)>,
    pub(crate) crashes: u64,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    /// Jobs and questions that are at work at a time at most, and the most that were.
    beside: (u32, u32),
    pub(crate) most_at_once: usize,
    /// Work that was named once, until it is done: it stays what it is, whatever other jobs do.
    named: BTreeMap<Step, Work>,
    asked: u64,
    /// Sites that each question, in order, is to be answered without.
    pub(crate) avoided: Vec<Vec<SiteId>>,
    /// What the coordinator shows a site instead of its task.
    pub(crate) shown: Option<&'a dyn Fn(SiteId, Task) -> Task>,
    /// Answers that never arrive.
    pub(crate) lost: Option<&'a dyn Fn(SiteId, Step) -> bool>,
    /// What a site that deviates sends instead of a payload.
    pub(crate) forged: Option<&'a Forged<'a>>,
}

impl<'a, C: Compute> World<'a, C> {
    pub(crate) fn new(
        fixture: &'a Fixture,
        compute: &'a C,
        jobs: Vec<JobSpec>,
        faults: Faults,
        seed: u64,
    ) -> Self {
        let count = fixture.sites.len();
        let mut world = Self {
            fixture,
            compute,
            faults,
            rng: ChaCha20Rng::seed_from_u64(seed),
            now: 1_000_000,
            queue: BTreeMap::new(),
            sent: 0,
            coordinator: Some(Coordinator::new(&fixture.study)),
            ahead: Vec::new(),
            log: Vec::new(),
            disk: Disk::new(),
            sites: (0..count).map(|_| SiteNode::default()).collect(),
            changing: jobs.iter().any(|spec| CHANGES.contains(&&*spec.name)),
            pending: jobs,
            shares: Vec::new(),
            opened: Vec::new(),
            crashes: 0,
            refusals: BTreeMap::new(),
            beside: (1, 1),
            most_at_once: 0,
            named: BTreeMap::new(),
            asked: 0,
            avoided: Vec::new(),
            shown: None,
            lost: None,
            forged: None,
        };
        for k in 0..count as u16 {
            world.start_site(SiteId(k));
            world.at(u64::from(k), Message::WakeSite(SiteId(k)));
        }
        world.at(0, Message::WakeCoordinator);
        world.at(0, Message::WakeClient);
        world
    }

    /// The same world, with so many jobs and questions at a time.
    pub(crate) fn side_by_side(mut self, jobs: u32, questions: u32) -> Self {
        self.beside = (jobs, questions);
        self.coordinator = self.coordinator.map(|c| c.side_by_side(jobs, questions));
        self
    }

    /// Runs until every job has ended; false where that takes longer than `limit_ms`.
    pub(crate) fn run(&mut self, limit_ms: u64) -> bool {
        let end = self.now + limit_ms;
        while let Some((&key, _)) = self.queue.first_key_value() {
            let Some(message) = self.queue.remove(&key) else { break };
            self.now = self.now.max(key.0);
            if self.now > end {
                return false;
            }
            self.deliver(message);
            if self.pending.is_empty() && self.coordinator.as_ref().is_some_and(Coordinator::is_idle) {
                return true;
            }
        }
        false
    }

    pub(crate) fn receipts(&self) -> Vec<Record> {
        self.sites.iter().flat_map(|s| s.receipts.iter().cloned()).collect()
    }

    pub(crate) fn coordinator(&self) -> &Coordinator {
        self.coordinator.as_ref().unwrap()
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.rng.next_u64() % 1000 < thousandths
    }

    fn at(&mut self, delay: u64, message: Message) {
        self.sent += 1;
        self.queue.insert((self.now + delay, self.sent), message);
    }

    /// Sends over the network.
    fn send(&mut self, make: impl Fn() -> Message) {
        let copies = if self.chance(self.faults.repeat) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.chance(self.faults.drop) {
                let delay = 1 + self.rng.next_u64() % self.faults.delay_ms.max(1);
                self.at(delay, make());
            }
        }
    }

    /// Whether the machine stops here.
    fn crashes(&mut self) -> bool {
        let crash = self.chance(self.faults.crash);
        self.crashes += u64::from(crash);
        crash
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::WakeSite(site) => self.wake_site(site),
            Message::WakeCoordinator => self.wake_coordinator(),
            Message::WakeClient => {
                // One after the other: a head before its ceremony has no key.
                if let Some(spec) = self.pending.first().cloned() {
                    if spec.name == ASK {
                        self.ask();
                    } else if let Some(k) = CHANGES.iter().position(|name| *name == spec.name) {
                        self.propose(k as u16);
                    } else {
                        self.send(|| Message::Submit(spec.clone()));
                    }
                    self.at(1000, Message::WakeClient);
                }
            }
            Message::See(site, from) => {
                if let Some(view) = self.coordinator.as_ref().map(|c| c.roster(from)) {
                    self.send(|| Message::Roster(site, Box::new(view.clone())));
                }
            }
            Message::Roster(site, view) => self.receive_roster(site, &view),
            Message::Propose(change) => {
                self.handle(Input::Propose(change));
            }
            Message::Word(word) => {
                self.handle(Input::Word(*word));
            }
            Message::Submitted(name) => self.pending.retain(|spec| spec.name != name),
            Message::Poll(site) => {
                if let Some(mut task) = self.task_of(site) {
                    if let Some(shown) = self.shown {
                        task = shown(site, task);
                    }
                    self.send(|| Message::Task(site, Box::new(task.clone())));
                }
            }
            Message::Submit(spec) => {
                let sizes = self.compute.sizes(&spec);
                let name = spec.name.clone();
                let line = Line(Digest([(self.asked % 2) as u8; 32]));
                let input = match spec.kind {
                    JobKind::Question => Input::Ask { spec, sizes, line },
                    _ => Input::Submit { spec, sizes },
                };
                if let Some(Ok(_)) = self.handle(input) {
                    self.send(|| Message::Submitted(name.clone()));
                }
            }
            Message::Answer(site, answer, payload) => self.receive_answer(site, &answer, payload),
            Message::Task(site, task) => self.receive_task(site, &task),
            Message::Receipt(site, record) => self.receive_receipt(site, &record),
        }
    }

    /// A site's task; where several jobs ask it, of any of them.
    fn task_of(&mut self, site: SiteId) -> Option<Task> {
        let coordinator = self.coordinator.as_ref()?;
        let rounds = coordinator.rounds_at_work();
        self.most_at_once = self.most_at_once.max(rounds.len());
        if rounds.len() < 2 {
            return coordinator.task_for(site);
        }
        let (chosen, _) = rounds[(self.rng.next_u64() % rounds.len() as u64) as usize];
        coordinator.task_among(site, |job, _| job == chosen)
    }

    /// Puts a real question in the place of [`ASK`], once every job before it has ended, or the head has where jobs are side by side;
    /// drops it where there is no head.
    fn ask(&mut self) {
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

    /// Proposes a change until it stands.
    fn propose(&mut self, k: u16) {
        let Some(study) = self.coordinator.as_ref().map(|c| c.study().clone()) else { return };
        if study.version() > u64::from(k) {
            self.pending.remove(0);
            return;
        }
        let change = change(self.fixture, &study, k);
        self.send(|| Message::Propose(Box::new(change.clone())));
    }

    // The coordinator's machine.

    fn wake_coordinator(&mut self) {
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
    fn any_work(&mut self) -> Option<Work> {
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
    fn handle(&mut self, input: Input) -> Option<Result<Option<Record>, Refusal>> {
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
    fn store(&mut self, records: Vec<Record>) -> bool {
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
    fn keep(&mut self, bytes: Vec<u8>) -> Option<Blob> {
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

    fn do_work(&mut self, work: &Work) -> bool {
        let step = work.step();
        self.compute.under(self.coordinator().study());
        let done = self.compute_work(work, step).is_some_and(|input| self.handle(input).is_some());
        // Who was excluded is not in it any more; after a stop, what was shown ahead of its record may not have been.
        self.named.remove(&step);
        done
    }

    fn compute_work(&mut self, work: &Work, step: Step) -> Option<Input> {
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
                let named = Some(NamedSet { sum, sites, openers });
                Input::Combined { step, output: Output { named, ..Output::shared(shared) } }
            }
        })
    }

    fn receive_answer(&mut self, site: SiteId, answer: &SignedHeader, payload: Vec<u8>) {
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

    // The sites' machines.

    fn node(&mut self, site: SiteId) -> &mut SiteNode {
        &mut self.sites[usize::from(site.0)]
    }

    fn start_site(&mut self, site: SiteId) {
        self.node(site).pending.clear();
        let marks = self.node(site).marks.clone();
        let history = &self.sites[usize::from(site.0)].history;
        let study = history.iter().fold(self.fixture.study.clone(), |s, c| s.succeeded(c).unwrap());
        let up = Site::replay(&study, site, willing(), marks).unwrap();
        self.node(site).up = Some(up);
    }

    fn wake_site(&mut self, site: SiteId) {
        let over = |c: &Coordinator| {
            let keys = c.job_named("inference").and_then(|id| c.job(id));
            keys.is_some_and(|view| view.is_over())
        };
        let made = self.coordinator.as_ref().is_some_and(over);
        let last = self.sites.len() - self.faults.dead;
        if made && usize::from(site.0) >= last {
            self.node(site).dead = true;
        }
        if self.node(site).dead {
            return;
        }
        if self.node(site).up.is_none() {
            self.start_site(site);
        }
        self.send(|| Message::Poll(site));
        if self.changing {
            let version = self.node(site).up.as_ref().map_or(0, |up| up.study().version());
            self.send(|| Message::See(site, version));
        }
        let again = self.node(site).up.iter().flat_map(Site::unacknowledged).next().cloned();
        if let Some(answer) = again.filter(|_| self.chance(300)) {
            self.send_answer(site, &answer);
        }
        let pause = 200 + self.rng.next_u64() % 1000;
        self.at(pause, Message::WakeSite(site));
    }

    fn send_answer(&mut self, site: SiteId, answer: &SignedHeader) {
        if self.lost.is_some_and(|lost| lost(site, answer.header.step)) {
            return;
        }
        let payload = answer.payload().map(|b| self.node(site).disk[&b.digest].clone()).unwrap_or_default();
        self.send(|| Message::Answer(site, Box::new(answer.clone()), payload.clone()));
    }

    /// Stores marks; false where the machine stops.
    fn mark(&mut self, site: SiteId, marks: &[Mark]) -> bool {
        if marks.is_empty() {
            return true;
        }
        let before = self.crashes();
        if !before {
            let node = self.node(site);
            let pending = std::mem::take(&mut node.pending);
            node.marks.extend(pending);
            for mark in marks {
                node.marks.push(mark.clone());
                node.up.as_mut().unwrap().apply(mark).unwrap();
            }
        }
        if before || self.crashes() {
            self.node(site).up = None;
            return false;
        }
        true
    }

    /// Marks that wait for no flush of their own: a machine that stops before the next one forgets them.
    fn mark_later(&mut self, site: SiteId, marks: &[Mark]) {
        let node = self.node(site);
        for mark in marks {
            node.up.as_mut().unwrap().apply(mark).unwrap();
        }
        node.pending.extend_from_slice(marks);
    }

    /// Fetches what a task needs; false where the coordinator does not give it now.
    fn fetch(&mut self, site: SiteId, task: &Task) -> bool {
        let Some(coordinator) = self.coordinator.as_ref() else { return false };
        let Some(up) = self.sites[usize::from(site.0)].up.as_ref() else { return false };
        let inputs = up.inputs(task);
        if !inputs.iter().all(|b| coordinator.may_fetch(site, &b.digest)) {
            return false;
        }
        let blobs: Vec<_> = inputs.iter().map(|b| (b.digest, self.disk[&b.digest].clone())).collect();
        self.node(site).disk.extend(blobs);
        true
    }

    /// Learns what is signed, says its word on what is on its way, and signs what a quorum approves.
    fn receive_roster(&mut self, site: SiteId, view: &RosterView) {
        let at = usize::from(site.0);
        for change in &view.changes {
            let Some(up) = self.sites[at].up.as_ref() else { return };
            if up.study().succeeded(change).is_err() {
                continue;
            }
            let before = self.crashes();
            if !before {
                self.sites[at].history.push(change.clone());
                self.sites[at].up.as_mut().unwrap().succeed(change).unwrap();
            }
            if before || self.crashes() {
                self.sites[at].up = None;
                return;
            }
        }
        let Some(up) = self.sites[at].up.as_ref().filter(|up| up.study().version() == view.version) else {
            return;
        };
        let identity = &self.fixture.sites[at];
        let Some(proposal) = view.proposal.as_ref().filter(|_| up.is_member(&identity.public())) else {
            return;
        };
        if proposal.said(site).is_none() {
            let Ok(word) = up.word(&proposal.change, true, identity) else { return };
            self.send(|| Message::Word(Box::new(word.clone())));
        }
        if view.signing && !proposal.has_signed(site) {
            let Ok(mark) = self.sites[at].up.as_ref().unwrap().judge_change(proposal) else { return };
            if !self.mark(site, &[mark]) {
                return;
            }
            let word = self.sites[at].up.as_ref().unwrap().sign(&proposal.change, identity).unwrap();
            self.send(|| Message::Word(Box::new(word.clone())));
        }
    }

    /// The version of the roster that a site knows, by its disk.
    pub(crate) fn known(&self, site: SiteId) -> usize {
        self.sites[usize::from(site.0)].history.len()
    }

    fn receive_task(&mut self, site: SiteId, task: &Task) {
        let Some(up) = self.node(site).up.as_ref() else { return };
        // What is signed is learned first.
        if task.version > up.study().version() {
            return;
        }
        let mut marks = Vec::new();
        let answer = match up.take(task).unwrap() {
            Order::Send(answer) => return self.send_answer(site, &answer),
            Order::Decline(objection) => Answer::Declined(objection.cause()),
            Order::Work { .. } if self.chance(self.faults.decline) => Answer::Declined(Cause::Contribution),
            Order::Work { before } => {
                if !self.fetch(site, task) || !self.mark(site, &before) {
                    return;
                }
                match self.site_payload(site, task, &mut marks) {
                    Ok(Some(blob)) => Answer::Payload(blob),
                    Ok(None) => return,
                    Err(cause) => Answer::Declined(cause),
                }
            }
        };
        let identity = &self.fixture.sites[usize::from(site.0)];
        marks.extend(self.node(site).up.as_ref().unwrap().answer(task, answer, identity));
        let again = task.step.phase == Phase::Findings && marks.len() == 1;
        if again {
            self.mark_later(site, &marks);
        }
        if again || self.mark(site, &marks) {
            let Some(Mark::Staged { answer }) = marks.last() else { panic!("nothing staged") };
            self.send_answer(site, answer);
        }
    }

    /// Computes and keeps a payload; nothing where the machine stops.
    fn site_payload(
        &mut self,
        site: SiteId,
        task: &Task,
        marks: &mut Vec<Mark>,
    ) -> Result<Option<Blob>, Cause> {
        let mut permit = None;
        if let Ask::Share { opening, target, .. } = &task.ask {
            permit = Some(self.node(site).up.as_mut().unwrap().permit(task).unwrap());
            let (opening, target) = (opening.digest(), target.digest);
            self.shares.push(Share { site, step: task.step, opening, target });
        }
        if let Ask::Open { commitment, .. } = &task.ask {
            self.opened.push((site, task.step, commitment.digest));
        }
        let up = self.node(site).up.as_ref().unwrap();
        let (bundle, sums) = (up.bundle(task), up.sums().clone());
        let disk = std::mem::take(&mut self.node(site).disk);
        let signer = &self.fixture.sites[usize::from(site.0)];
        let held = Held { bundle, permit, sums: &sums, signer, marks };
        let payload = self.compute.payload(site, task, held, &disk, &mut self.rng);
        self.node(site).disk = disk;
        let mut payload = payload?;
        if let Some(forged) = self.forged {
            payload = forged(site, task, payload);
        }
        if task.step.phase != Phase::Parts && self.chance(self.faults.rubbish) {
            for byte in &mut payload {
                *byte = !*byte;
            }
        }
        let blob = Blob::of(&payload);
        let before = self.crashes();
        if !before {
            self.node(site).disk.insert(blob.digest, payload);
        }
        if before || self.crashes() {
            self.node(site).up = None;
            return Ok(None);
        }
        Ok(Some(blob))
    }

    fn receive_receipt(&mut self, site: SiteId, record: &Record) {
        let Some(up) = self.node(site).up.as_ref() else { return };
        // One for findings that a stopped machine has forgotten says nothing to it.
        let Ok(mark) = up.receive(record) else { return };
        self.node(site).receipts.push(record.clone());
        self.mark_later(site, &[mark]);
    }
}

/// In change `k` site `k` leaves and the next one joins that the fixture has keys of.
fn change(fixture: &Fixture, study: &Study, k: u16) -> Change {
    let new = fixture.study.members().len() + usize::from(k);
    let entry = SiteEntry {
        name: format!("site-{new}"),
        identity: fixture.sites[new].public(),
        sealing: fixture.sealing[new].public(),
    };
    let from = study.epoch().unwrap().digest();
    Change { study: study.digest(), from, joins: vec![entry], leaves: vec![SiteId(k)], replaces: Vec::new() }
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

/// The committed sites of each round of a job, by the log alone.
pub(crate) fn committed(log: &[Record], job: JobId) -> Vec<Vec<SiteId>> {
    let mut rounds: Vec<Vec<SiteId>> = Vec::new();
    for record in log {
        match &record.body.event {
            Event::Closed { step, committed, .. } if step.job == job && step.phase == Phase::Upload => {
                assert_eq!(step.round, rounds.len() as u64, "a round that closed twice");
                rounds.push(committed.clone());
            }
            Event::Excluded { step, missing } if step.job == job && step.phase == Phase::Upload => {
                rounds.last_mut().unwrap().retain(|s| missing.iter().all(|m| m.site != *s));
            }
            Event::Combined { step, output } if step.job == job => {
                if let Some(named) = &output.named {
                    rounds.last_mut().unwrap().clone_from(&named.sites);
                }
            }
            _ => {}
        }
    }
    rounds
}
