//! A coordinator, its sites and a network that loses, delays, repeats and reorders, on one thread and one seed. Every machine
//! may stop at every write, before or after it; it comes back with what is on its disk.

mod committed;
mod coordinator;
mod roster;
mod sites;

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::common::{Fixture, willing};
use crate::toy::{Compute, Disk, Done, Held};
use blindscope_federation::{
    Change, Coordinator, Input, JobKind, JobSpec, Line, Mark, Record, RosterView, SignedChange, SignedHeader,
    Site, SiteId, Step, Task, Word, Work,
};
use blindscope_wire::Digest;

pub(crate) use committed::committed;

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
}
