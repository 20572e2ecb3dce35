//! A study whose keys the test holds.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary takes what it needs"
)]

pub(crate) mod memory;
pub(crate) mod roster;
pub(crate) mod task;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope_ckks::rotation_element;
use blindscope_federation::sums::{Agreement, Findings, PAIRING_LEN, SumMark, Void, Vouch, summable};
use blindscope_federation::{
    Answer, Ask, Blob, Circuit, Coordinator, Deadlines, GaloisDemand, Header, IdentityKey, Input, JobId,
    JobKind, JobSpec, Mark, NamedSet, Outcome, Output, Policy, Record, Refusal, SealingKey, SecondRound,
    SignedHeader, Site, SiteEntry, SiteId, Sizes, Study, StudyLiteral, Task, Work, payload, promise_of,
};
use blindscope_wire::Digest;

/// A study, and everybody's keys.
pub(crate) struct Fixture {
    pub(crate) study: Study,
    pub(crate) coordinator: IdentityKey,
    pub(crate) sites: Vec<IdentityKey>,
    pub(crate) sealing: Vec<SealingKey>,
}

pub(crate) fn fixture(sites: usize, threshold: u32, cohort: u32, seed: u64) -> Fixture {
    fixture_for(1000, sites, threshold, cohort, seed)
}

/// A study that opens so many ciphertexts in its life.
pub(crate) fn fixture_for(decryptions: u64, sites: usize, threshold: u32, cohort: u32, seed: u64) -> Fixture {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let coordinator = IdentityKey::generate(&mut rng);
    let identities: Vec<_> = (0..sites).map(|_| IdentityKey::generate(&mut rng)).collect();
    let sealing: Vec<_> = (0..sites).map(|_| SealingKey::generate(&mut rng)).collect();
    let entry = |(k, (identity, sealing)): (usize, (&IdentityKey, &SealingKey))| SiteEntry {
        name: format!("site-{k}"),
        identity: identity.public(),
        sealing: sealing.public(),
    };
    let literal = StudyLiteral {
        name: "toy".to_owned(),
        coordinator: coordinator.public(),
        threshold,
        minimum_cohort: cohort,
        colluders: None,
        holders: Vec::new(),
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        backbone: Digest([7; 32]),
        allow_unknown_backbone: false,
        width: 16,
        decryptions,
        statistical_bits: 30,
        attempts: 4,
        deadlines: Deadlines { ceremony_seconds: 60, upload_seconds: 30, opening_seconds: 10 },
        sites: identities.iter().zip(&sealing).enumerate().map(entry).collect(),
    };
    let study = Study::insecure(literal).unwrap();
    Fixture { study, coordinator, sites: identities, sealing }
}

/// A policy that takes part in everything.
pub(crate) fn willing() -> Policy {
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

pub(crate) fn job(name: &str, kind: JobKind, rounds: u64) -> JobSpec {
    let spec = JobSpec { kind, rounds, values: 10, max: 1000, ..JobSpec::named(name) };
    spec.checked().unwrap()
}

/// Small and insecure: one product, one rotation, and room for masks.
pub(crate) fn circuit() -> Circuit {
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

/// A job that makes the inference key.
pub(crate) fn inference_keys(name: &str) -> JobSpec {
    let kind = JobKind::InferenceKeys;
    JobSpec { kind, circuit: Some(circuit().into()), ..JobSpec::named(name) }.checked().unwrap()
}

/// An encrypted head of two ciphertexts that starts from another job's result, dealt to the first three sites.
pub(crate) fn encrypted_head(name: &str, start: &str) -> JobSpec {
    let (kind, start) = (JobKind::EncryptedHead, Some(start.to_owned()));
    let (levels, holders) = (vec![2, 1], (0..3).map(SiteId).collect());
    let circuit = Some(circuit().into());
    let spec = JobSpec { kind, start, levels, holders, circuit, ..JobSpec::named(name) };
    spec.checked().unwrap()
}

/// What a site remembers before it answers this, where it has to do with opening a sum.
pub(crate) fn remembers(task: &Task) -> Vec<Mark> {
    let Ask::Open { commitment, .. } = &task.ask else { return Vec::new() };
    let round = Digest(Blob::of(format!("{}", task.step.job).as_bytes()).digest.0);
    let round = Digest(Blob::of(&[&round.0[..], &task.step.round.to_le_bytes()].concat()).digest.0);
    let (commitment, list) = (commitment.digest, Digest([0; 32]));
    vec![Mark::Sum { mark: SumMark::Opened { round, commitment, list }, openings: task.sizes.openings }]
}

/// A coordinator that stores in memory and never stops.
pub(crate) struct Desk<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) coordinator: Coordinator,
    pub(crate) log: Vec<Record>,
    pub(crate) now: u64,
}

/// Sizes without encryption behind them.
pub(crate) const SIZES: Sizes = Sizes {
    openings: 2,
    commit: 30,
    key_share: 24,
    relin: 26,
    upload: 48,
    sum: 50,
    share: 40,
    trial: 12,
    evaluated: false,
};

/// A payload's name, of this length.
pub(crate) fn blob(seed: u64, len: u64) -> Blob {
    Blob { len, ..Blob::of(&seed.to_le_bytes()) }
}

/// Trial committees that a site is in.
pub(crate) fn trials(study: &Study, site: u16) -> u64 {
    let committees = blindscope_threshold::trial_committees(study.roster());
    let party = study.party("count trials", SiteId(site)).unwrap();
    committees.iter().filter(|c| c.contains(party)).count() as u64
}

impl<'a> Desk<'a> {
    pub(crate) fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, coordinator: Coordinator::new(&fixture.study), log: Vec::new(), now: 1000 }
    }

    #[allow(clippy::needless_pass_by_value, reason = "inputs are made on the spot")]
    pub(crate) fn handle(&mut self, input: Input) -> Result<Option<Record>, Refusal> {
        let decision = self.coordinator.handle(&input, self.now, &self.fixture.coordinator)?;
        self.log.extend(decision.records);
        self.coordinator = decision.next;
        Ok(decision.receipt)
    }

    pub(crate) fn submit(&mut self, spec: &JobSpec) -> JobId {
        // Nothing of a head is opened.
        let openings = if spec.kind == JobKind::EncryptedHead { 0 } else { SIZES.openings };
        let sizes = Sizes { openings, ..SIZES };
        self.handle(Input::Submit { spec: spec.clone(), sizes }).unwrap();
        spec.id(&self.fixture.study)
    }

    /// What a site says to the task that it has, with a payload of the right length.
    pub(crate) fn answer(&self, site: u16, seed: u64) -> SignedHeader {
        let task = self.coordinator.task_for(SiteId(site)).expect("no task");
        let payload = match &task.ask {
            Ask::Commit => blob(seed, SIZES.commit),
            Ask::Promise { .. } => Blob::of(&promise_of(&blob(seed, SIZES.key_share))),
            Ask::Reveal { .. } => blob(seed, SIZES.key_share),
            Ask::Trial { .. } => blob(seed, trials(self.coordinator.study(), site) * SIZES.trial),
            Ask::Relin { .. } => blob(seed, SIZES.relin),
            Ask::Parts { .. } => Blob::of(&Site::confirmation(&task).unwrap().to_bytes()),
            Ask::Upload { pairs, .. } => {
                if let Some(q) = &task.spec.question {
                    let len = payload::upload_len(self.coordinator.study(), q, SiteId(site), SIZES.upload);
                    blob(seed, len.unwrap())
                } else {
                    let holders = self.coordinator.study().holders();
                    let others = holders.iter().filter(|holder| **holder != SiteId(site)).count();
                    blob(seed, SIZES.upload + if *pairs { (others * PAIRING_LEN) as u64 } else { 0 })
                }
            }
            Ask::Encrypt { .. } => {
                let (study, holders) = (self.coordinator.study(), &task.spec.holders);
                blob(seed, payload::encryptions_len(study, holders, SiteId(site), SIZES.sum).unwrap())
            }
            Ask::Findings { headers, .. } => blob(seed, Findings::len(headers.len as usize) as u64),
            Ask::Agree { .. } => blob(seed, Agreement::LEN as u64),
            Ask::Void { rounds } => blob(seed, (rounds.len() * Void::LEN) as u64),
            Ask::Vouch { uploads, .. } => blob(seed, (uploads.len() * Vouch::LEN) as u64),
            Ask::Ready { .. } if task.spec.question.is_some() => blob(seed, SIZES.sum),
            Ask::Ready { .. } => blob(seed, SIZES.upload),
            Ask::Share { .. } | Ask::Open { .. } => blob(seed, SIZES.share),
        };
        self.sign(site, &task, Answer::Payload(payload))
    }

    /// A name of an upload: of a sum with its pair keys, of which the desk keeps none.
    pub(crate) fn upload(&self, seed: u64) -> Blob {
        let pairs = (self.members() - 1) * PAIRING_LEN as u64;
        let id = self.coordinator.jobs().into_iter().find(|j| !j.is_over()).map(|j| j.kind);
        blob(seed, SIZES.upload + if id.is_some_and(JobKind::is_sum) { pairs } else { 0 })
    }

    pub(crate) fn sign(&self, site: u16, task: &Task, answer: Answer) -> SignedHeader {
        let header = Header { study: task.study, key: task.key, step: task.step, site: SiteId(site), answer };
        header.sign(&self.fixture.sites[usize::from(site)])
    }

    /// Every site that is asked answers.
    pub(crate) fn answer_all(&mut self) {
        for site in 0..self.fixture.sites.len() as u16 {
            if self.coordinator.task_for(SiteId(site)).is_some() {
                let answer = self.answer(site, u64::from(site) + 100);
                self.handle(Input::Answer(answer)).unwrap();
            }
        }
    }

    /// Work ends, somehow.
    pub(crate) fn work(&mut self) {
        let work = self.coordinator.work().expect("no work");
        let step = work.step();
        let input = match work {
            Work::Commit { .. } => {
                let output = Output { each: self.bundles(), ..Output::shared(blob(399, 9)) };
                Input::Combined { step, output }
            }
            Work::Key { .. } => {
                let second = Some(SecondRound { sum: blob(402, 9), seeds: Vec::new() });
                Input::Combined { step, output: Output { second, ..Output::shared(blob(400, 9)) } }
            }
            Work::Trial { public_key, .. } => Input::Combined { step, output: Output::shared(public_key) },
            Work::Relin { .. } => Input::Combined { step, output: Output::shared(blob(401, 9)) },
            Work::Sum { spec, evaluation: Some(_), .. } => {
                // A question's own answer.
                let shared = Blob { len: SIZES.sum, ..spec.question.unwrap().remainder };
                Input::Combined { step, output: Output::shared(shared) }
            }
            Work::Voids { rounds, .. } => {
                let each: Vec<Blob> = (0..rounds.len() as u64).map(|k| blob(k + 660, 9)).collect();
                Input::Combined {
                    step,
                    output: Output { shared: each[0], each, ..Output::shared(blob(1, 1)) },
                }
            }
            Work::Intake { uploads, .. } => {
                let holders = self.coordinator.study().holders().len() as u64;
                let each = (0..holders).map(|k| blob(k + 510, 8)).collect();
                let shared = blob(step.round * 10 + 620, uploads.len() as u64);
                Input::Combined { step, output: Output { each, ..Output::shared(shared) } }
            }
            Work::Name { uploads, findings, earlier, .. } => {
                let of = |of: &[(SiteId, Blob)]| of.iter().map(|(s, _)| *s).collect::<Vec<_>>();
                let (sum, sites) =
                    (blob(step.round * 10 + 630, SIZES.sum), summable(&of(&uploads), &earlier));
                if sites.len() < self.fixture.study.literal().minimum_cohort as usize {
                    self.handle(Input::Spoiled { step }).unwrap();
                    return;
                }
                let named = Some(NamedSet { sum, sites, openers: of(&findings), inclusions: None });
                let shared = blob(step.round * 10 + 640, 60);
                Input::Combined { step, output: Output { named, ..Output::shared(shared) } }
            }
            Work::Agreements { .. } | Work::Vouches { .. } => {
                Input::Combined { step, output: Output::shared(blob(step.round * 10 + 650, 70)) }
            }
            Work::Result(work) => {
                let next = blob(step.round + 700, 5);
                let last = step.round + 1 >= work.spec.rounds;
                Input::Opened { step, outcome: if last { Outcome::Final(next) } else { Outcome::Next(next) } }
            }
            Work::Sum { .. } | Work::Refresh { .. } | Work::Encrypted { .. } => {
                let shared = blob(step.round * 10 + u64::from(step.attempt) + 600, SIZES.sum);
                Input::Combined { step, output: Output::shared(shared) }
            }
            Work::Open { spec, .. } => {
                let next = blob(step.round + 700, 5);
                let last = step.round + 1 >= spec.rounds;
                Input::Opened { step, outcome: if last { Outcome::Final(next) } else { Outcome::Next(next) } }
            }
        };
        self.handle(input).unwrap();
    }

    /// A bundle of sealed parts for each site.
    fn bundles(&self) -> Vec<Blob> {
        (0..self.members()).map(|k| blob(k + 500, 7)).collect()
    }

    /// Sites of the roster in force.
    fn members(&self) -> u64 {
        self.coordinator.study().members().len() as u64
    }
}
