//! The study in one process: the same state machines, keys, uploads, sums and openings as the services', without the network.

use super::error::{DemoError, Result};
use super::options::SITES;
use crate::kit::Kit;
use crate::learn::{Coordinator as Learning, SiteLearner};
use crate::system;
use blindscope_federation::payload::{SiteTools, combine, site_payload};
use blindscope_federation::{
    Answer, Ask, Blob, Blobs, Coordinator, IdentityKey, Input, JobSpec, JobStatus, Mark, Order, Record,
    SealingKey, Site, SiteId, Sizes, Study, Task,
};
use blindscope_wire::Digest;
use chacha20::ChaCha20Rng;
use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::Mutex;

/// Payloads in memory.
#[derive(Default)]
struct Memory(Mutex<HashMap<Digest, Vec<u8>>>);

impl Memory {
    fn bytes(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        let blobs = self.0.lock().map_err(|_| io::Error::other("a writer panicked"))?;
        blobs.get(&blob.digest).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Blobs for Memory {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes(blob)?)))
    }

    fn create(
        &self,
        _: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>,
    ) -> blindscope_federation::Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        let blob = Blob::of(&bytes);
        if let Ok(mut blobs) = self.0.lock() {
            blobs.insert(blob.digest, bytes);
        }
        Ok(blob)
    }
}

struct Party {
    site: Site,
    identity: IdentityKey,
    sealing: SealingKey,
    learner: SiteLearner,
}

/// A study whose parties share this process.
pub(super) struct LocalStudy {
    study: Study,
    signer: IdentityKey,
    coordinator: Coordinator,
    records: Vec<Record>,
    parties: Vec<Party>,
    blobs: Memory,
    rng: ChaCha20Rng,
}

impl LocalStudy {
    /// The study of these kits, with the sites' learners.
    pub(super) fn open(kits: &Path, learners: Vec<SiteLearner>) -> Result<Self> {
        let kit = Kit::at(kits.join("coordinator"));
        let study = kit.study()?;
        let mut parties = Vec::new();
        for (at, (name, learner)) in SITES.iter().zip(learners).enumerate() {
            let kit = Kit::at(kits.join(name));
            let site = Site::replay(&study, SiteId(at as u16), kit.policy()?, [])?;
            parties.push(Party { site, identity: kit.identity()?, sealing: kit.sealing()?, learner });
        }
        Ok(Self {
            signer: kit.identity()?,
            coordinator: Coordinator::new(&study),
            records: Vec::new(),
            parties,
            blobs: Memory::default(),
            rng: system::rng()?,
            study,
        })
    }

    /// The records so far.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Runs a job to its end and returns its result; `progress` hears of rounds begun.
    pub(super) fn run(&mut self, spec: &JobSpec, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<u8>> {
        let sizes = Sizes::of(&self.study, spec)?;
        let id = spec.id(&self.study);
        self.handle(&Input::Submit { spec: spec.clone(), sizes })?;
        loop {
            let view = self.coordinator.job(id);
            let failed = |reason: String| DemoError::Job { job: spec.name.clone(), reason };
            let view = view.ok_or_else(|| failed("it is unknown".into()))?;
            match view.status {
                JobStatus::Done { result } => {
                    return self.blobs.bytes(&result).map_err(|e| failed(e.to_string()));
                }
                JobStatus::Failed { failure } => return Err(failed(format!("{failure:?}"))),
                JobStatus::Asking(step) => {
                    progress(step.step.round, spec.rounds);
                    self.ask_all()?;
                }
                JobStatus::Combining { .. } | JobStatus::Waiting => {}
            }
            while let Some(work) = self.coordinator.work() {
                let done = combine(&self.study, &work, &Learning, &self.blobs)?;
                self.handle(&done)?;
            }
        }
    }

    fn handle(&mut self, input: &Input) -> Result<Option<Record>> {
        let decision = self.coordinator.handle(input, system::now_ms(), &self.signer);
        let decision = decision.map_err(|refusal| DemoError::Job {
            job: "coordinator".into(),
            reason: format!("{refusal:?}"),
        })?;
        self.records.extend(decision.records);
        self.coordinator = decision.next;
        Ok(decision.receipt)
    }

    fn ask_all(&mut self) -> Result<()> {
        for at in 0..self.parties.len() {
            if let Some(task) = self.coordinator.task_for(SiteId(at as u16)) {
                self.ask(at, &task)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, at: usize, task: &Task) -> Result<()> {
        let (signed, marks) = {
            let Self { study, parties, blobs, rng, .. } = self;
            let party = &mut parties[at];
            let declined = |cause| (Answer::Declined(cause), Vec::new());
            let (answer, mut marks): (Answer, Vec<Mark>) = match party.site.take(task)? {
                Order::Send(signed) => return self.deliver(at, &signed),
                Order::Decline(cause) => declined(cause),
                Order::Work { before } => {
                    for mark in &before {
                        apply(&mut party.site, mark)?;
                    }
                    let bundle = party.site.key(task.key).map(|k| k.bundle);
                    let permit = matches!(task.ask, Ask::Share { .. })
                        .then(|| party.site.permit(task.step))
                        .transpose()?;
                    let (sealing, learning) = (&party.sealing, &party.learner);
                    let tools = SiteTools { study, me: SiteId(at as u16), sealing, learning, blobs };
                    match site_payload(&tools, task, bundle, permit, rng) {
                        Ok(blob) => (Answer::Payload(blob), Vec::new()),
                        Err(e) => {
                            return Err(DemoError::Job {
                                job: task.spec.name.clone(),
                                reason: e.to_string(),
                            });
                        }
                    }
                }
            };
            marks.extend(party.site.answer(task, answer, &party.identity));
            let mut signed = None;
            for mark in &marks {
                apply(&mut party.site, mark)?;
                if let Mark::Staged { answer } = mark {
                    signed = Some(answer.clone());
                }
            }
            (signed, marks)
        };
        drop(marks);
        signed.map_or(Ok(()), |signed| self.deliver(at, &signed))
    }

    fn deliver(&mut self, at: usize, signed: &blindscope_federation::SignedHeader) -> Result<()> {
        if let Some(receipt) = self.handle(&Input::Answer(signed.clone()))? {
            let site = &mut self.parties[at].site;
            let mark = site.receive(&receipt)?;
            apply(site, &mark)?;
        }
        Ok(())
    }
}

fn apply(site: &mut Site, mark: &Mark) -> Result<()> {
    site.apply(mark).map_err(|reason| DemoError::Job { job: "site".into(), reason: reason.into() })
}
