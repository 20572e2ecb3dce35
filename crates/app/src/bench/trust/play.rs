//! The ceremony of an inference key through the state machines of coordinator and three sites, in memory, in a ring of degree 64,
//! step by step: so that one of them may step aside.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};

use super::{failed, seeded};
use crate::bench::Error;
use blindscope_ckks::{Parameters, rotation_element};
use blindscope_federation::{
    Advance, Advanced, Answer, Blob, Blobs, Circuit, Contribution, Coordinator, Deadlines, GaloisDemand,
    Header, IdentityKey, Input, JobId, JobKind, JobSpec, LearnError, Mark, Order, Phase, Policy, Refusal,
    SealingKey, SignedHeader, Site, SiteEntry, SiteId, SiteTools, Sizes, Study, StudyLiteral, Task, combine,
    site_payload,
};
use blindscope_wire::Digest;

const WHAT: &str = "ceremony";
pub(super) const SITES: u16 = 3;

pub(super) struct Play {
    pub(super) study: Study,
    pub(super) job: JobId,
    pub(super) sealing: Vec<SealingKey>,
    identities: Vec<IdentityKey>,
    own: IdentityKey,
    pub(super) coordinator: Coordinator,
    pub(super) sites: Vec<Site>,
    pub(super) memory: Memory,
}

/// Small and insecure: one product, one rotation, and room for masks.
pub(super) fn circuit() -> Circuit {
    Circuit {
        log_n: 6,
        ciphertext: vec![58, 50, 50],
        special: vec![59],
        quantum: false,
        galois: vec![GaloisDemand { element: rotation_element(1, 6) as u32, level: 1 }],
        relin: 2,
        noise_millibits: 12_000,
        room_millibits: 44_000,
        answers: 1000,
    }
}

impl Play {
    pub(super) fn new(seed: u64) -> Result<Self, Error> {
        let mut rng = seeded(seed);
        let own = IdentityKey::generate(&mut rng);
        let identities: Vec<_> = (0..SITES).map(|_| IdentityKey::generate(&mut rng)).collect();
        let sealing: Vec<_> = (0..SITES).map(|_| SealingKey::generate(&mut rng)).collect();
        let study = Study::insecure(literal(&own, &identities, &sealing))?;
        let spec = JobSpec {
            kind: JobKind::InferenceKeys,
            circuit: Some(circuit().into()),
            ..JobSpec::named("inference")
        };
        let (spec, job) = (spec.clone(), spec.id(&study));
        let site = |k| Site::replay(&study, SiteId(k), willing(), []);
        let sites = (0..SITES).map(site).collect::<Result<_, _>>()?;
        let coordinator = Coordinator::new(&study);
        let memory = Memory::default();
        let mut play = Self { study, job, sealing, identities, own, coordinator, sites, memory };
        let sizes = Sizes::of(&play.study, &spec)?;
        play.handle(Input::Submit { spec, sizes }).map_err(|e| failed(WHAT, e))?;
        Ok(play)
    }

    pub(super) fn params(&self) -> Result<Parameters, Error> {
        Ok(self.study.circuit_params(&circuit())?)
    }

    /// What the coordinator does with it: its state moves, or it refuses.
    #[allow(clippy::needless_pass_by_value, reason = "inputs are made on the spot")]
    pub(super) fn handle(&mut self, input: Input) -> Result<(), Refusal> {
        self.coordinator = self.coordinator.handle(&input, 1000, &self.own)?.next;
        Ok(())
    }

    pub(super) fn task(&self, site: u16) -> Result<Task, Error> {
        self.coordinator
            .task_for(SiteId(site))
            .ok_or_else(|| failed(WHAT, format!("site {site} has no task")))
    }

    /// What a site makes of a task by the rules.
    pub(super) fn made(&self, site: u16, task: &Task) -> Result<Blob, Error> {
        let k = usize::from(site);
        let tools = SiteTools {
            study: &self.study,
            me: SiteId(site),
            sealing: &self.sealing[k],
            learning: &Idle,
            blobs: &self.memory,
            checked: false,
            sums: self.sites[k].sums(),
            minimum_cohort: 1,
            minimum_difference: 0,
            signer: &self.identities[k],
        };
        let bundle = self.sites[k].bundle(task);
        let mut rng = seeded(u64::from(site) + 40);
        Ok(site_payload(&tools, task, bundle, None, &mut Vec::new(), &mut rng)?)
    }

    /// What a site answers, signed by its own key, whoever asks.
    pub(super) fn signed(&self, site: u16, task: &Task, payload: Blob) -> SignedHeader {
        let answer = Answer::Payload(payload);
        let header = Header { study: task.study, key: task.key, step: task.step, site: SiteId(site), answer };
        header.sign(&self.identities[usize::from(site)])
    }

    /// A site judges its task and answers with this payload; the header that it sent.
    pub(super) fn answer(&mut self, site: u16, payload: Blob) -> Result<SignedHeader, Error> {
        let (task, k) = (self.task(site)?, usize::from(site));
        match self.sites[k].take(&task)? {
            Order::Work { before } => self.store(site, &before)?,
            Order::Decline(objection) => return Err(failed(WHAT, objection)),
            Order::Send(_) => {}
        }
        let marks = self.sites[k].answer(&task, Answer::Payload(payload), &self.identities[k]);
        let Some(Mark::Staged { answer }) = marks.last().cloned() else {
            return Err(failed(WHAT, "a site has nothing to send"));
        };
        self.handle(Input::Answer(answer.clone())).map_err(|e| failed(WHAT, e))?;
        self.store(site, &marks)?;
        Ok(answer)
    }

    pub(super) fn honest(&mut self, site: u16) -> Result<SignedHeader, Error> {
        let payload = self.made(site, &self.task(site)?)?;
        self.answer(site, payload)
    }

    pub(super) fn work(&mut self) -> Result<(), Error> {
        if let Some(work) = self.coordinator.work() {
            let input = combine(&self.study, &work, &Idle, &self.memory)?;
            self.handle(input).map_err(|e| failed(WHAT, e))?;
        }
        Ok(())
    }

    /// Everybody answers by the rules until sites are asked `phase`, or the job is over.
    pub(super) fn until(&mut self, phase: Option<Phase>) -> Result<(), Error> {
        while !self.is_over() && Some(self.task(0)?.step.phase) != phase {
            for site in 0..SITES {
                self.honest(site)?;
            }
            self.work()?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.coordinator.job(self.job).is_none_or(|job| job.is_over())
    }

    fn store(&mut self, site: u16, marks: &[Mark]) -> Result<(), Error> {
        let site = &mut self.sites[usize::from(site)];
        marks.iter().try_for_each(|mark| site.apply(mark).map_err(|e| failed(WHAT, e)))
    }
}

fn literal(own: &IdentityKey, identities: &[IdentityKey], sealing: &[SealingKey]) -> StudyLiteral {
    let entry = |(k, (identity, sealing)): (usize, (&IdentityKey, &SealingKey))| SiteEntry {
        name: format!("site-{k}"),
        identity: identity.public(),
        sealing: sealing.public(),
    };
    StudyLiteral {
        name: "trust".to_owned(),
        coordinator: own.public(),
        threshold: 2,
        minimum_cohort: 2,
        colluders: None,
        holders: Vec::new(),
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        backbone: Digest([7; 32]),
        allow_unknown_backbone: false,
        width: 16,
        decryptions: 1000,
        statistical_bits: 30,
        attempts: 4,
        deadlines: Deadlines { ceremony_seconds: 60, upload_seconds: 30, opening_seconds: 10 },
        sites: identities.iter().zip(sealing).enumerate().map(entry).collect(),
    }
}

fn willing() -> Policy {
    Policy {
        minimum_cohort: 1,
        minimum_difference: None,
        backbone: Digest([7; 32]),
        jobs: JobKind::ALL.to_vec(),
        maximum_decryptions: 1000,
        maximum_rounds: 100,
        max_epsilon: None,
        max_delta: None,
        lifetime_epsilon: None,
        privacy_unit: None,
    }
}

#[derive(Default)]
pub(super) struct Memory(RefCell<BTreeMap<Digest, Vec<u8>>>);

impl Memory {
    pub(super) fn put(&self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.0.borrow_mut().insert(blob.digest, bytes);
        blob
    }

    pub(super) fn get(&self, blob: &Blob) -> Vec<u8> {
        self.0.borrow().get(&blob.digest).cloned().unwrap_or_default()
    }
}

impl Blobs for Memory {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.get(blob))))
    }

    fn create(
        &self,
        _: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> blindscope_federation::Result<()>,
    ) -> blindscope_federation::Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(self.put(bytes))
    }
}

/// Nothing is learned in a ceremony.
struct Idle;

impl Contribution for Idle {
    fn values<'a>(
        &'a self,
        _: &JobSpec,
        _: u64,
        _: &[u8],
    ) -> Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Err("a ceremony learns nothing".into())
    }
}

impl Advance for Idle {
    fn advance(&self, _: &JobSpec, _: u64, _: &[u8], _: &[u64], _: usize) -> Result<Advanced, LearnError> {
        Err("a ceremony learns nothing".into())
    }
}
