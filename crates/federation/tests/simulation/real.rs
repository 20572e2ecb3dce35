//! Payloads with real keys and encryption, under small and insecure parameters.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Write};

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::common::circuit;
use crate::toy::{Compute, Disk, Done, Held, contribution};
use blindscope_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Evaluator, KeyGenerator, Level, Parameters, Plaintext, Scale,
    SecretKey, codec,
};
use blindscope_federation::payload::{deal, holding, read_ciphertexts, read_evaluation_keys};
use blindscope_federation::{
    Advance, Advanced, Asked, Blob, Blobs, Cause, Contribution, Coordinator, Evaluation, Input, JobId,
    JobKind, JobSpec, JobView, LearnError, Outcome, Output, Question, Result, SealingKey, SiteId, SiteTools,
    Sizes, Study, Task, Work, combine, combine_portions, divisible, portion, site_payload,
};
use blindscope_wire::Digest;

pub(crate) struct Real<'a> {
    pub(crate) study: &'a Study,
    pub(crate) sealing: &'a [SealingKey],
    pub(crate) sum: JobSpec,
    pub(crate) asker: SecretKey,
}

impl<'a> Real<'a> {
    pub(crate) fn new(study: &'a Study, sealing: &'a [SealingKey], sum: JobSpec) -> Self {
        let params = study.circuit_params(&circuit()).unwrap();
        let asker = KeyGenerator::new(&params).secret_key(&mut ChaCha20Rng::seed_from_u64(99));
        Self { study, sealing, sum, asker }
    }

    fn params(&self) -> Parameters {
        self.study.circuit_params(&circuit()).unwrap()
    }
}

/// Scale of a head's ciphertexts and of answers.
const SCALE: Scale = Scale::pow2(46);

/// A site's part of a head: slots of its first ciphertext, and of its second.
fn head(site: SiteId, start: &[u8], slots: usize) -> [Vec<Complex64>; 2] {
    let first = start.iter().map(|b| u64::from(*b)).sum::<u64>() % 7 + 1;
    let value = |k: usize, i: u64| {
        let x = (k as u64 * (3 + i) + u64::from(site.0) * 5 + first) % 11;
        Complex64 { re: x as f64 / 8.0 - 0.5, im: 0.0 }
    };
    [0, 1].map(|i| (0..slots).map(|k| value(k, i)).collect())
}

/// The tokens that are asked.
fn tokens(slots: usize) -> Vec<Complex64> {
    (0..slots).map(|k| Complex64 { re: (k % 5) as f64 / 4.0, im: 0.0 }).collect()
}

/// Blobs of a machine, and what was written on top of them.
struct Layered<'a> {
    below: &'a Disk,
    above: RefCell<Disk>,
}

impl<'a> Layered<'a> {
    fn new(below: &'a Disk) -> Self {
        Self { below, above: RefCell::default() }
    }

    fn bytes(&self, blob: &Blob) -> Vec<u8> {
        self.above.borrow().get(&blob.digest).or_else(|| self.below.get(&blob.digest)).unwrap().clone()
    }
}

impl Blobs for Layered<'_> {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes(blob))))
    }

    fn create(&self, max: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        assert!(bytes.len() as u64 <= max, "{} bytes where {max} were announced", bytes.len());
        let blob = Blob::of(&bytes);
        self.above.borrow_mut().insert(blob.digest, bytes);
        Ok(blob)
    }
}

struct Learner<'a>(SiteId, &'a Study);

fn values(site: SiteId, job: JobId, spec: &JobSpec, round: u64, input: &[u8]) -> Vec<u64> {
    let first = contribution(site, job, round, input);
    (0..spec.values).map(|k| (first + k * k) % (spec.max + 1)).collect()
}

impl Contribution for Learner<'_> {
    fn values<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Ok(Box::new(values(self.0, job.id(self.1), job, round, input).into_iter()))
    }

    fn follow(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        Server.advance(job, round, input, sums, committed)
    }

    fn plaintexts(&self, job: &JobSpec, input: &[u8]) -> std::result::Result<Vec<Plaintext>, LearnError> {
        let params = self.1.circuit_params(job.circuit.as_ref().unwrap())?;
        let encoder = Encoder::new(&params);
        let levels = job.levels.iter().map(|l| Level(*l as usize));
        let slots = head(self.0, input, params.slots());
        slots.iter().zip(levels).map(|(m, level)| Ok(encoder.encode_slots(m, level, SCALE)?)).collect()
    }

    fn evaluate(
        &self,
        asked: Asked<'_>,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Vec<Ciphertext>, LearnError> {
        evaluate(asked, blobs)
    }

    /// One ciphertext, all of it.
    fn shown(
        &self,
        study: &Study,
        job: &JobSpec,
        _: &Evaluation,
        _: &dyn Blobs,
    ) -> std::result::Result<Vec<Vec<usize>>, LearnError> {
        let params = study.circuit_params(job.circuit.as_deref().unwrap())?;
        Ok(vec![(0..params.n()).collect()])
    }
}

/// Tokens times the head's first ciphertext, rotated by one, plus its second: by the ceremony's own keys.
fn evaluate(asked: Asked<'_>, blobs: &dyn Blobs) -> std::result::Result<Vec<Ciphertext>, LearnError> {
    let read = |blob: &Blob| {
        let mut bytes = Vec::new();
        blobs.open(blob)?.read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let (study, circuit) = (asked.study, asked.job.circuit.as_deref().unwrap());
    let sum = read(&asked.evaluation.opening.sum)?;
    let mut head = read_ciphertexts(study, circuit, &[Level(2), Level(1)], &sum)?;
    for c in &mut head {
        c.set_scale(SCALE);
    }
    let (galois, relin) = read_evaluation_keys(study, circuit, &read(&asked.evaluation.keys)?)?;
    let ev = Evaluator::new(&study.circuit_params(circuit)?);
    let [mut tokens] = <[_; 1]>::try_from(asked.question).unwrap();
    tokens.set_scale(Scale::prime(2));
    let product = ev.rescale(&ev.mul_relin(&tokens, &head[0], &relin)?)?;
    let answer = ev.add(&ev.rotate(&product, 1, &galois)?, &head[1])?;
    Ok(vec![ev.drop_to_level(&answer, Level(0))?])
}

struct Server;

fn advanced(input: &[u8], sums: &[u64], committed: usize) -> Vec<u8> {
    let sums = sums.iter().flat_map(|s| s.to_le_bytes());
    // The start of the input shows that it got here; all of it would grow with each round.
    input.iter().take(16).copied().chain((committed as u64).to_le_bytes()).chain(sums).collect()
}

impl Advance for Server {
    fn advance(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        let bytes = advanced(input, sums, committed);
        Ok(if round + 1 < job.rounds { Advanced::Next(bytes) } else { Advanced::Final(bytes) })
    }

    fn evaluate(
        &self,
        asked: Asked<'_>,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Vec<Ciphertext>, LearnError> {
        evaluate(asked, blobs)
    }
}

impl Compute for Real<'_> {
    fn sizes(&self, spec: &JobSpec) -> Sizes {
        Sizes::of(self.study, spec).unwrap()
    }

    fn question(&self, coordinator: &Coordinator, _: &Disk) -> Option<(JobSpec, Vec<Vec<u8>>)> {
        let (job, key) = (coordinator.job_named("head")?, coordinator.inference_key()?);
        coordinator.encrypted_head(job)?;
        let (params, mut rng) = (self.params(), ChaCha20Rng::seed_from_u64(98));
        let encoder = Encoder::new(&params);
        let asked = encoder.encode_slots(&tokens(params.slots()), Level(2), Scale::prime(2)).unwrap();
        let asker = KeyGenerator::new(&params).public_key(&self.asker, &mut rng);
        let asker = codec::encode_public_key(&asker);
        let holders: Vec<SiteId> = self.study.sites().take(holding(self.study).ok()?.holders()).collect();
        let of = (key.ceremony, job, &Blob::of(&asker));
        let (remainder, dealt) = deal(self.study, of, &holders, &[asked], &mut rng).unwrap();
        let question = Question {
            head: job,
            asker: Blob::of(&asker),
            remainder: Blob::of(&remainder),
            dealt: Blob::of(&dealt),
            holders,
            tokens: 1,
            pieces: 1,
            ciphertexts: 1,
            masks: Digest([3; 32]),
            avoided: Vec::new(),
        };
        let (kind, circuit) = (JobKind::Question, Some(key.circuit.clone().into()));
        let spec = JobSpec { kind, circuit, question: Some(question.into()), ..JobSpec::named("question") };
        Some((spec.checked().unwrap(), vec![asker, remainder, dealt]))
    }

    fn fits(&self, job: &JobView, _: JobId, committed: &[Vec<SiteId>], bytes: &[u8], start: &[u8]) -> bool {
        match job.kind {
            JobKind::EncryptedHead => {
                read_ciphertexts(self.study, &circuit(), &[Level(2), Level(1)], bytes).is_ok()
            }
            // Of a question `start` is what its head started from.
            JobKind::Question => self.answers(&committed[0], bytes, start),
            _ => bytes == self.expected(job.id, committed),
        }
    }

    fn payload(
        &self,
        site: SiteId,
        task: &Task,
        held: Held<'_>,
        disk: &Disk,
        rng: &mut ChaCha20Rng,
    ) -> std::result::Result<Vec<u8>, Cause> {
        let (blobs, learning) = (Layered::new(disk), Learner(site, self.study));
        let sealing = &self.sealing[usize::from(site.0)];
        let (study, checked) = (self.study, false);
        let Held { bundle, permit, sums, signer, marks } = held;
        let tools = SiteTools {
            study,
            me: site,
            sealing,
            learning: &learning,
            blobs: &blobs,
            checked,
            sums,
            minimum_cohort: 1,
            minimum_difference: 0,
            signer,
        };
        let blob = site_payload(&tools, task, bundle, permit, marks, rng).map_err(|e| {
            println!("{site}: {e}");
            e.cause()
        })?;
        Ok(blobs.bytes(&blob))
    }

    fn work(&self, work: &Work, disk: &Disk) -> Done {
        // A worker elsewhere has what the work names, and nothing else.
        let named = |blob: &Blob| Some((blob.digest, disk.get(&blob.digest)?.clone()));
        let there: Disk = work.inputs().iter().filter_map(named).collect();
        let blobs = Layered::new(&there);
        let combined = combine(self.study, work, &Server, &blobs).unwrap();
        match self.in_portions(work, disk) {
            Ok(None) => {}
            Ok(Some(same)) => assert_eq!(same, combined, "in portions"),
            Err(error) => assert!(matches!(combined, Input::Unusable { .. }), "in portions: {error}"),
        }
        match combined {
            Input::Combined { output: Output { shared, named: Some(named), .. }, .. } => Done::Named {
                shared: blobs.bytes(&shared),
                sum: blobs.bytes(&named.sum),
                sites: named.sites,
                openers: named.openers,
            },
            Input::Combined { output, .. } if matches!(work, Work::Intake { .. }) => Done::Received {
                shared: blobs.bytes(&output.shared),
                each: output.each.iter().map(|b| blobs.bytes(b)).collect(),
                pairs: output.pairs.iter().map(|(s, b)| (*s, blobs.bytes(b))).collect(),
            },
            Input::Spoiled { .. } => Done::Spoiled,
            Input::Combined { output: Output { shared, second: Some(second), .. }, .. } => {
                Done::First { shared: blobs.bytes(&shared), sum: blobs.bytes(&second.sum) }
            }
            Input::Combined { output, .. } => Done::Combined {
                shared: blobs.bytes(&output.shared),
                each: output.each.iter().map(|b| blobs.bytes(b)).collect(),
            },
            Input::Opened { outcome: Outcome::Next(b), .. } => Done::Next(blobs.bytes(&b)),
            Input::Opened { outcome: Outcome::Final(b), .. } => Done::Final(blobs.bytes(&b)),
            Input::Unusable { sites, .. } => Done::Unusable(sites),
            other => panic!("{other:?}"),
        }
    }
}

impl Real<'_> {
    /// What work comes to where others go over its uploads, two each, and whoever combines has none of them; nothing of work that is not divided.
    fn in_portions(&self, work: &Work, disk: &Disk) -> Result<Option<Input>> {
        let blobs = Layered::new(disk);
        let uploads = divisible(self.study, work, &blobs)?;
        let mut rest = disk.clone();
        let mut portions = Vec::new();
        for some in uploads.chunks(2) {
            let sites: Vec<SiteId> = some.iter().map(|(site, _)| *site).collect();
            let made = portion(self.study, work, &sites, &blobs)?;
            for (_, upload) in some {
                rest.remove(&upload.digest);
            }
            portions.push(made);
        }
        if portions.is_empty() {
            return Ok(None);
        }
        for portion in &portions {
            rest.insert(portion.made.digest, blobs.bytes(&portion.made));
        }
        combine_portions(self.study, work, &portions, (&Server, &Layered::new(&rest))).map(Some)
    }

    /// Whether an answer under the asker's key is the product of the tokens with exactly these sites' head.
    pub(crate) fn answers(&self, committed: &[SiteId], bytes: &[u8], start: &[u8]) -> bool {
        let params = self.params();
        let answer = read_ciphertexts(self.study, &circuit(), &[Level(0)], bytes).unwrap();
        let got = Decryptor::new(&self.asker).decrypt(&answer[0]).unwrap();
        let got = Encoder::new(&params).decode_slots(&got).unwrap();
        let (n, asked) = (params.slots(), tokens(params.slots()));
        let sum =
            |i: usize, k: usize| -> Complex64 { committed.iter().map(|s| head(*s, start, n)[i][k]).sum() };
        let worst = (0..n).map(|k| {
            let next = (k + 1) % n;
            (got[k] - (asked[next] * sum(0, next) + sum(1, k))).norm()
        });
        let worst = worst.fold(0.0, f64::max);
        println!("worst error of an answer: 2^{:.1}", worst.log2());
        worst < 2f64.powi(-3)
    }

    fn expected(&self, job: JobId, committed: &[Vec<SiteId>]) -> Vec<u8> {
        let mut input = Vec::new();
        for (round, sites) in committed.iter().enumerate() {
            let mut sums = vec![0; self.sum.values as usize];
            for site in sites {
                let values = values(*site, job, &self.sum, round as u64, &input);
                sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
            }
            input = advanced(&input, &sums, sites.len());
        }
        input
    }
}
