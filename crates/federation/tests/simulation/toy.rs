//! Payloads without encryption, for simulations of the order of things: a value, a tag that tells what it is, and what makes
//! each upload's bytes its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::Rng;

use blindscope_federation::sums::{Agreement, Findings, PAIRING_LEN, SumSite, Void, summable};
use blindscope_federation::{
    Ask, Blob, Cause, Confirmation, Coordinator, Evaluation, JobId, JobKind, JobSpec, JobView, Mark, Permit,
    Phase, Question, SignedHeader, Signer, SiteId, Sizes, Study, Task, Work, common_string, payload,
    promise_of,
};
use blindscope_wire::{Digest, Hasher};

/// Blobs of one machine.
pub(crate) type Disk = BTreeMap<Digest, Vec<u8>>;

/// What work gave.
pub(crate) enum Done {
    Combined {
        shared: Vec<u8>,
        each: Vec<Vec<u8>>,
    },
    First {
        shared: Vec<u8>,
        sum: Vec<u8>,
    },
    Next(Vec<u8>),
    Final(Vec<u8>),
    Unusable(Vec<SiteId>),
    /// Of a sum's uploads: what each holder is given, and pair keys.
    Received {
        shared: Vec<u8>,
        each: Vec<Vec<u8>>,
        pairs: Vec<(SiteId, Vec<u8>)>,
    },
    /// Of a sum's findings: the set, its sum, its sites and who can open it.
    Named {
        shared: Vec<u8>,
        sum: Vec<u8>,
        sites: Vec<SiteId>,
        openers: Vec<SiteId>,
    },
    Spoiled,
}

/// What a site brings to a payload besides its blobs.
pub(crate) struct Held<'a> {
    pub(crate) bundle: Option<Blob>,
    pub(crate) permit: Option<Permit>,
    pub(crate) sums: &'a SumSite,
    pub(crate) signer: &'a dyn Signer,
    /// What it remembers from then on.
    pub(crate) marks: &'a mut Vec<Mark>,
}

/// Computes payloads: here, or with real encryption.
pub(crate) trait Compute {
    fn sizes(&self, spec: &JobSpec) -> Sizes;
    /// The question that is asked of an encrypted head, with its blobs; nothing where there is no head.
    fn question(&self, coordinator: &Coordinator, disk: &Disk) -> Option<(JobSpec, Vec<Vec<u8>>)>;
    /// Whether `bytes` are the result of a job of this kind over these sites' contributions.
    fn fits(&self, job: &JobView, head: JobId, committed: &[Vec<SiteId>], bytes: &[u8], start: &[u8])
    -> bool;
    fn payload(
        &self,
        site: SiteId,
        task: &Task,
        held: Held<'_>,
        disk: &Disk,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, Cause>;
    fn work(&self, work: &Work, disk: &Disk) -> Done;
    /// The roster in force.
    fn under(&self, _study: &Study) {}
}

pub(crate) struct Toy<'a> {
    pub(crate) study: &'a Study,
    /// The sites of the roster in force.
    members: RefCell<Vec<SiteId>>,
}

const SIZES: Sizes = Sizes {
    openings: 1,
    commit: 30,
    key_share: 24,
    relin: 20,
    upload: 48,
    sum: 48,
    share: 40,
    trial: 12,
    evaluated: false,
};

/// What a site contributes to a round.
pub(crate) fn contribution(site: SiteId, job: JobId, round: u64, input: &[u8]) -> u64 {
    let digest = Hasher::new("test/contribution")
        .absorb_u64(u64::from(site.0))
        .absorb(&job.0.0)
        .absorb_u64(round)
        .absorb(input)
        .finish();
    u64::from(digest.0[0]) << 3 | u64::from(digest.0[1] & 7)
}

/// What follows from a sum.
pub(crate) fn advance(input: &[u8], sum: u64, committed: usize) -> Vec<u8> {
    Hasher::new("test/advance").absorb(input).absorb_u64(sum).absorb_u64(committed as u64).finish().0.to_vec()
}

fn tagged(tag: u64, value: u64, rest: &[u8; 32]) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &value.to_le_bytes(), rest].concat()
}

fn parse(bytes: &[u8]) -> Option<(u64, u64, [u8; 32])> {
    let word = |b: &[u8]| Some(u64::from_le_bytes(b.try_into().ok()?));
    Some((word(bytes.get(..8)?)?, word(bytes.get(8..16)?)?, bytes.get(16..48)?.try_into().ok()?))
}

const SUMMAND: u64 = 1;

impl<'a> Toy<'a> {
    pub(crate) fn new(study: &'a Study) -> Self {
        Self { study, members: RefCell::new(study.sites().collect()) }
    }

    fn sites(&self) -> usize {
        self.members.borrow().len()
    }
}

impl Toy<'_> {
    /// The head's value and one, with what the shares' encryptions bring.
    fn evaluate(
        evaluation: &Evaluation,
        uploads: impl Iterator<Item = (Option<SiteId>, Blob)>,
        disk: &Disk,
    ) -> Done {
        let (_, value, _) = parse(&disk[&evaluation.opening.sum.digest]).unwrap();
        match Self::add(uploads, disk) {
            Done::Combined { shared, each } => {
                let (_, zeros, rest) = parse(&shared).unwrap();
                Done::Combined { shared: tagged(SUMMAND, value + zeros + 1, &rest), each }
            }
            other => other,
        }
    }

    fn add(blobs: impl Iterator<Item = (Option<SiteId>, Blob)>, disk: &Disk) -> Done {
        let (mut sum, mut mix, mut bad) = (0, Hasher::new("test/sum"), Vec::new());
        for (site, blob) in blobs {
            match parse(&disk[&blob.digest]) {
                Some((SUMMAND, value, rest)) => {
                    sum += value;
                    mix.absorb(&rest);
                }
                _ => bad.extend(site),
            }
        }
        if bad.is_empty() {
            Done::Combined { shared: tagged(SUMMAND, sum, &mix.finish().0), each: Vec::new() }
        } else {
            Done::Unusable(bad)
        }
    }
}

impl Compute for Toy<'_> {
    fn sizes(&self, spec: &JobSpec) -> Sizes {
        match spec.kind {
            JobKind::InferenceKeys => Sizes { openings: 0, upload: 0, sum: 0, share: 0, ..SIZES },
            JobKind::EncryptedHead => Sizes { upload: SIZES.upload, sum: SIZES.sum, ..Sizes::default() },
            _ => Sizes { commit: 0, key_share: 0, relin: 0, trial: 0, ..SIZES },
        }
    }

    fn question(&self, coordinator: &Coordinator, _: &Disk) -> Option<(JobSpec, Vec<Vec<u8>>)> {
        let head = coordinator.job_named("head")?;
        coordinator.encrypted_head(head)?;
        let [asker, remainder, dealt] = [5, 6, 7].map(|b| vec![b; 16]);
        let question = Question {
            head,
            asker: Blob::of(&asker),
            remainder: Blob::of(&remainder),
            dealt: Blob::of(&dealt),
            holders: self.study.sites().take(payload::holding(self.study).ok()?.holders()).collect(),
            tokens: 1,
            pieces: 1,
            ciphertexts: 1,
            masks: Digest([3; 32]),
            avoided: Vec::new(),
        };
        let circuit = Some(coordinator.inference_key()?.circuit.clone().into());
        let kind = JobKind::Question;
        let spec = JobSpec { kind, circuit, question: Some(question.into()), ..JobSpec::named("question") };
        Some((spec.checked().unwrap(), vec![asker, remainder, dealt]))
    }

    fn fits(
        &self,
        job: &JobView,
        head: JobId,
        committed: &[Vec<SiteId>],
        bytes: &[u8],
        start: &[u8],
    ) -> bool {
        let sum = || -> u64 { committed[0].iter().map(|s| contribution(*s, head, 0, start)).sum() };
        match job.kind {
            JobKind::EncryptedHead => parse(bytes).unwrap().1 == sum(),
            // Of a question `start` is what its head started from, and its job the head's.
            JobKind::Question => {
                let holders = payload::holding(self.study).unwrap().holders();
                bytes == advance(&[], sum() + 1, holders)
            }
            _ => bytes == Self::expected(job.id, committed),
        }
    }

    fn payload(
        &self,
        site: SiteId,
        task: &Task,
        held: Held<'_>,
        disk: &Disk,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, Cause> {
        let mut fresh = [0; 32];
        rng.fill_bytes(&mut fresh);
        Ok(match &task.ask {
            Ask::Commit => fresh[..30].to_vec(),
            Ask::Promise { bundle, commitments } => {
                assert_eq!(commitments.len(), self.sites());
                promise_of(&Blob::of(&revealed(site, disk, bundle, common_string(commitments))))
            }
            Ask::Reveal { bundle, promised } => revealed(site, disk, bundle, promised.string),
            Ask::Trial { .. } => {
                let committees = blindscope_threshold::trial_committees(self.study.roster());
                let party = self.study.party("count trials", site).unwrap();
                let mine = committees.iter().filter(|c| c.contains(party)).count();
                vec![site.0 as u8; 12 * mine]
            }
            Ask::Relin { sum, bundle, shares, .. } => {
                assert_eq!(shares.len(), self.sites());
                assert!(disk[&bundle.digest].starts_with(&u64::from(site.0).to_le_bytes()));
                assert!(disk.contains_key(&sum.digest));
                fresh[..20].to_vec()
            }
            Ask::Parts { public_key, bundle, shares, evaluation } => {
                let mut key = Hasher::new("test/key");
                for share in shares {
                    key.absorb(&disk[&share.payload().unwrap().digest]);
                }
                if Blob::of(&key.finish().0) != *public_key {
                    return Err(Cause::OtherKey);
                }
                assert!(disk.contains_key(&bundle.digest));
                let evaluation_keys = evaluation.as_ref().map(|e| e.keys);
                Confirmation { public_key: *public_key, bundle: *bundle, evaluation_keys }.to_bytes()
            }
            Ask::Upload { .. } if task.spec.question.is_some() => {
                let question = task.spec.question.as_deref().unwrap();
                assert!(disk.contains_key(&question.dealt.digest));
                let len = payload::upload_len(self.study, question, site, SIZES.upload).unwrap() as usize;
                let mut bytes = tagged(SUMMAND, 0, &fresh);
                bytes.resize(len, 7);
                bytes
            }
            Ask::Upload { input, pairs, .. } => {
                let input = input.map(|b| self.start(&b, task, disk)).unwrap_or_default();
                let mut bytes =
                    tagged(SUMMAND, contribution(site, task.step.job, task.step.round, &input), &fresh);
                if *pairs {
                    bytes.resize(48 + (self.sites() - 1) * PAIRING_LEN, site.0 as u8 + 1);
                }
                bytes
            }
            Ask::Encrypt { public_key, parts } => {
                self.encrypted((site, task), (public_key, parts), disk, &fresh)
            }
            Ask::Findings { headers, bundle } => {
                assert_eq!(disk[&bundle.digest], Self::bundle(site, &disk[&headers.digest]));
                vec![0; Findings::len(disk[&headers.digest].len() / 32)]
            }
            Ask::Agree { commitment, uploads } => {
                // Everybody adds up what is named.
                let all = uploads.iter().map(|(s, b)| (Some(*s), *b));
                let Done::Combined { shared, .. } = Self::add(all, disk) else { return Err(Cause::Task) };
                if disk[&commitment.digest] != Blob::of(&shared).digest.0 {
                    return Err(Cause::Task);
                }
                let mut bytes = vec![site.0 as u8; Agreement::LEN];
                bytes[..32].copy_from_slice(&commitment.digest.0);
                bytes
            }
            Ask::Void { rounds } => vec![1; rounds.len() * Void::LEN],
            Ask::Vouch { .. } => panic!("every toy sum is small"),
            Ask::Open { commitment, agreements, .. } => {
                let words = disk[&agreements.digest].chunks(Agreement::LEN);
                assert!(words.len() > self.sites() / 2);
                assert!(words.into_iter().all(|w| w[..32] == commitment.digest.0));
                [&u64::from(site.0).to_le_bytes()[..], &commitment.digest.0].concat()
            }
            Ask::Ready { .. } => tagged(SUMMAND, 0, &fresh),
            Ask::Share { opening, zeros, target, evaluation, .. } => {
                assert_eq!(held.permit.map(|p| p.step()), Some(task.step), "a share without a permit");
                let mut disk = disk.clone();
                if let Some(evaluation) = evaluation {
                    // The answer is computed, not fetched.
                    let uploads =
                        opening.committed.iter().filter_map(SignedHeader::payload).map(|b| (None, b));
                    let Done::Combined { shared, .. } = Self::evaluate(evaluation, uploads, &disk) else {
                        return Err(Cause::Task);
                    };
                    if Blob::of(&shared) != opening.sum {
                        return Err(Cause::Task);
                    }
                    disk.insert(opening.sum.digest, shared);
                }
                let zeros = zeros.iter().filter_map(SignedHeader::payload);
                let all = std::iter::once(opening.sum).chain(zeros).map(|b| (None, b));
                let Done::Combined { shared, .. } = Self::add(all, &disk) else { return Err(Cause::Task) };
                if task.step.attempt > 0 && Blob::of(&shared) != *target {
                    return Err(Cause::Task);
                }
                [&u64::from(site.0).to_le_bytes()[..], &target.digest.0].concat()
            }
        })
    }

    fn under(&self, study: &Study) {
        *self.members.borrow_mut() = study.sites().collect();
    }

    fn work(&self, work: &Work, disk: &Disk) -> Done {
        match work {
            Work::Relin { first, sum, shares, .. } => {
                assert_eq!((first.len(), shares.len()), (self.sites(), self.sites()));
                let mut keys = Hasher::new("test/evaluation-keys");
                keys.absorb(&disk[&sum.digest]);
                for (_, blob) in first.iter().chain(shares) {
                    keys.absorb(&disk[&blob.digest]);
                }
                Done::Combined { shared: keys.finish().0.to_vec(), each: Vec::new() }
            }
            Work::Key { shares, .. } => {
                let mut key = Hasher::new("test/key");
                for (_, blob) in shares {
                    key.absorb(&disk[&blob.digest]);
                }
                let key = key.finish().0;
                Done::First { sum: [&key[..], b"sum"].concat(), shared: key.to_vec() }
            }
            Work::Commit { commitments, string, .. } => {
                Done::Combined { shared: string.0.to_vec(), each: self.bundles(commitments, disk) }
            }
            Work::Trial { public_key, shares, .. } => {
                let fits = |(s, b): &&(SiteId, Blob)| disk[&b.digest].iter().all(|x| *x == s.0 as u8);
                let bad: Vec<_> = shares.iter().filter(|s| !fits(s)).map(|(s, _)| *s).collect();
                if !bad.is_empty() {
                    return Done::Unusable(bad);
                }
                Done::Combined { shared: disk[&public_key.digest].clone(), each: Vec::new() }
            }
            Work::Sum { uploads, evaluation: Some(evaluation), .. } => {
                Self::evaluate(evaluation, uploads.iter().map(|(s, b)| (Some(*s), *b)), disk)
            }
            Work::Intake { uploads, pairs, .. } => self.intake(uploads, pairs, disk),
            Work::Name { uploads, findings, earlier, .. } => self.name(uploads, findings, earlier, disk),
            Work::Agreements { commitment, words, .. } => {
                let fits = |b: &Blob| disk[&b.digest][..32] == commitment.digest.0;
                let bad: Vec<_> = words.iter().filter(|(_, b)| !fits(b)).map(|(s, _)| *s).collect();
                if !bad.is_empty() {
                    return Done::Unusable(bad);
                }
                let shared = words.iter().flat_map(|(_, b)| disk[&b.digest].clone()).collect();
                Done::Combined { shared, each: Vec::new() }
            }
            Work::Voids { rounds, words, .. } => {
                let all_one = |b: &Blob| disk[&b.digest].iter().all(|x| *x == 1);
                let bad: Vec<_> = words.iter().filter(|(_, b)| !all_one(b)).map(|(s, _)| *s).collect();
                if !bad.is_empty() {
                    return Done::Unusable(bad);
                }
                Done::Combined { shared: b"void".to_vec(), each: vec![b"void".to_vec(); rounds.len()] }
            }
            Work::Vouches { .. } => panic!("every toy sum is small"),
            Work::Result(work) => {
                let fits = |b: &Blob| disk[&b.digest][8..] == work.commitment.digest.0;
                let bad: Vec<_> = work.openings.iter().filter(|(_, b)| !fits(b)).map(|(s, _)| *s).collect();
                if !bad.is_empty() {
                    return Done::Unusable(bad);
                }
                let (_, sum, _) = parse(&disk[&work.sum.digest]).unwrap();
                let input = work.input.map(|b| disk[&b.digest].clone()).unwrap_or_default();
                let bytes = advance(&input, sum, work.committed);
                let last = work.step.round + 1 >= work.spec.rounds;
                if last { Done::Final(bytes) } else { Done::Next(bytes) }
            }
            Work::Sum { uploads, .. } => Self::add(uploads.iter().map(|(s, b)| (Some(*s), *b)), disk),
            Work::Encrypted { remainder, encryptions, .. } => {
                let encryptions = encryptions.iter().map(|(s, b)| (Some(*s), *b));
                Self::add(std::iter::once((None, *remainder)).chain(encryptions), disk)
            }
            Work::Refresh { sum, zeros, .. } => {
                let zeros = zeros.iter().map(|(s, b)| (Some(*s), *b));
                Self::add(std::iter::once((None, *sum)).chain(zeros), disk)
            }
            Work::Open { step, spec, input, target, shares, committed, .. } => {
                assert_eq!(step.phase, Phase::Share);
                let fits = |b: &Blob| disk[&b.digest].get(8..) == Some(&target.digest.0[..]);
                let bad: Vec<_> = shares.iter().filter(|(_, b)| !fits(b)).map(|(s, _)| *s).collect();
                if !bad.is_empty() {
                    return Done::Unusable(bad);
                }
                let (_, sum, _) = parse(&disk[&target.digest]).unwrap();
                let input = input.map(|b| disk[&b.digest].clone()).unwrap_or_default();
                let bytes = advance(&input, sum, *committed);
                if step.round + 1 < spec.rounds { Done::Next(bytes) } else { Done::Final(bytes) }
            }
        }
    }
}

/// What a site reveals in an inference ceremony: a function of its bundle and the common string.
fn revealed(site: SiteId, disk: &Disk, bundle: &Blob, string: Digest) -> Vec<u8> {
    let mut h = Hasher::new("test/shares");
    h.absorb_u64(u64::from(site.0)).absorb(&disk[&bundle.digest]).absorb(&string.0);
    h.finish().0[..24].to_vec()
}

impl Toy<'_> {
    /// A holder's upload for a head: nothing more is in it than in the parts.
    fn encrypted(
        &self,
        (site, task): (SiteId, &Task),
        (public_key, parts): (&Blob, &[SignedHeader]),
        disk: &Disk,
        fresh: &[u8; 32],
    ) -> Vec<u8> {
        assert!(disk.contains_key(&public_key.digest));
        assert!(parts.iter().all(|p| disk.contains_key(&p.payload().unwrap().digest)));
        let len = payload::encryptions_len(self.study, &task.spec.holders, site, SIZES.sum).unwrap();
        let mut bytes = tagged(SUMMAND, 0, fresh);
        bytes.resize(len as usize, 7);
        bytes
    }

    /// What a later round starts from, made of the sum before it: over how many sites that was, the toy's commitment does not say.
    fn start(&self, shown: &Blob, task: &Task, disk: &Disk) -> Vec<u8> {
        if task.spec.kind == JobKind::EncryptedHead {
            return disk[&shown.digest].clone();
        }
        let grounds = task.grounds.as_ref().expect("a later round without its grounds");
        let (_, sum, _) = parse(&disk[&grounds.sum.digest]).unwrap();
        let before = grounds.start.map(|b| disk[&b.digest].clone()).unwrap_or_default();
        let mut made = (1..=self.sites()).map(|committed| advance(&before, sum, committed));
        made.find(|bytes| Blob::of(bytes) == *shown).expect("the start does not follow from the sum")
    }

    /// A bundle for each site, of everybody's payloads.
    fn bundles(&self, payloads: &[(SiteId, Blob)], disk: &Disk) -> Vec<Vec<u8>> {
        let mut all = Hasher::new("test/bundle");
        for (_, blob) in payloads {
            all.absorb(&disk[&blob.digest]);
        }
        let all = all.finish().0;
        let members = self.members.borrow();
        members.iter().map(|site| [&u64::from(site.0).to_le_bytes()[..], &all].concat()).collect()
    }

    /// What a holder is given of uploads with these headers.
    fn bundle(site: SiteId, headers: &[u8]) -> Vec<u8> {
        Hasher::new("test/given").absorb_u64(u64::from(site.0)).absorb(headers).finish().0.to_vec()
    }

    /// The set that goes on, if all findings are good.
    fn name(
        &self,
        uploads: &[(SiteId, Blob)],
        findings: &[(SiteId, Blob)],
        earlier: &[Vec<SiteId>],
        disk: &Disk,
    ) -> Done {
        let all_zero = |b: &Blob| disk[&b.digest].iter().all(|x| *x == 0);
        let bad: Vec<_> = findings.iter().filter(|(_, b)| !all_zero(b)).map(|(s, _)| *s).collect();
        if !bad.is_empty() {
            return Done::Unusable(bad);
        }
        let of = |of: &[(SiteId, Blob)]| of.iter().map(|(s, _)| *s).collect::<Vec<_>>();
        let sites = summable(&of(uploads), earlier);
        if sites.len() < self.study.literal().minimum_cohort as usize {
            return Done::Spoiled;
        }
        let kept = uploads.iter().filter(|(s, _)| sites.contains(s));
        let Done::Combined { shared: sum, .. } = Self::add(kept.map(|(s, b)| (Some(*s), *b)), disk) else {
            return Done::Spoiled;
        };
        let shared = Blob::of(&sum).digest.0.to_vec();
        Done::Named { shared, sum, sites, openers: of(findings) }
    }

    /// Headers, a bundle a site, and the pair keys that came with uploads.
    fn intake(&self, uploads: &[(SiteId, Blob)], known: &[(SiteId, Blob)], disk: &Disk) -> Done {
        let (mut headers, mut pairs, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for (site, blob) in uploads {
            let bytes = &disk[&blob.digest];
            let paired = bytes.len() > 48 || known.iter().any(|(s, _)| s == site);
            match parse(bytes) {
                Some((SUMMAND, ..)) if paired => {
                    headers.extend_from_slice(&blob.digest.0);
                    if bytes.len() > 48 {
                        pairs.push((*site, bytes[48..].to_vec()));
                    }
                }
                _ => bad.push(*site),
            }
        }
        if !bad.is_empty() {
            return Done::Unusable(bad);
        }
        let each = self.members.borrow().iter().map(|site| Self::bundle(*site, &headers)).collect();
        Done::Received { shared: headers, each, pairs }
    }

    /// The final bytes that follow from what each round's committed sites contributed.
    fn expected(job: JobId, committed: &[Vec<SiteId>]) -> Vec<u8> {
        let mut input = Vec::new();
        for (round, sites) in committed.iter().enumerate() {
            let sum = sites.iter().map(|s| contribution(*s, job, round as u64, &input)).sum();
            input = advance(&input, sum, sites.len());
        }
        input
    }
}
