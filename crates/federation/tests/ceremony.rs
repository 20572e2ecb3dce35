//! The ceremony of an inference key, through the state machines of coordinator and sites with real keys; and what a site, or a
//! site and the coordinator together, try against it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it says"
)]

mod common;

use blindscope_ckks::{
    Decryptor, Encoder, KeyGenerator, Level, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale,
    SecretKey, codec,
};
use blindscope_federation::payload::{KeySession, combine_first, write_commitment};
use blindscope_federation::{
    Answer, Ask, Blob, Cause, Error, Failure, Header, Input, JobId, JobStatus, Mark, Missing, Objection,
    Order, Phase, Refusal, Result, SEAL_OVERHEAD, SignedHeader, Site, SiteId, SiteTools, Sizes, Step, Task,
    combine, promise_of, site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::{Digest, Writer, packed_len, unpack};
use common::memory::{Idle, Memory};
use common::{Desk, Fixture, circuit, fixture, inference_keys, willing};

/// A ceremony under way.
struct Play<'a> {
    desk: Desk<'a>,
    sites: Vec<Site>,
    memory: Memory,
    job: JobId,
}

impl<'a> Play<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        let (spec, study) = (inference_keys("inference"), &fixture.study);
        let site = |k| Site::replay(study, SiteId(k), willing(), []).unwrap();
        let sites = (0..fixture.sites.len() as u16).map(site).collect();
        let mut desk = Desk::new(fixture);
        let job = spec.id(study);
        let sizes = Sizes::of(study, &spec).unwrap();
        desk.handle(Input::Submit { spec, sizes }).unwrap();
        Self { desk, sites, memory: Memory::default(), job }
    }

    fn task(&self, site: u16) -> Task {
        self.desk.coordinator.task_for(SiteId(site)).expect("no task")
    }

    /// What a site makes of a task by the rules.
    fn made(&self, site: u16, task: &Task) -> Result<Blob> {
        let (fixture, k) = (self.desk.fixture, usize::from(site));
        let tools = SiteTools {
            study: &fixture.study,
            me: SiteId(site),
            sealing: &fixture.sealing[k],
            learning: &Idle,
            blobs: &self.memory,
            checked: false,
            sums: self.sites[k].sums(),
            minimum_cohort: 1,
            minimum_difference: 0,
            signer: &fixture.sites[k],
        };
        let bundle = self.sites[k].bundle(task);
        site_payload(&tools, task, bundle, None, &mut Vec::new(), &mut rng(u64::from(site) + 40))
    }

    fn store(&mut self, site: u16, marks: &[Mark]) {
        for mark in marks {
            self.sites[usize::from(site)].apply(mark).unwrap();
        }
    }

    /// A site judges its task and answers with this payload.
    fn answer(&mut self, site: u16, payload: Blob) -> std::result::Result<(), Refusal> {
        let (task, k) = (self.task(site), usize::from(site));
        match self.sites[k].take(&task).unwrap() {
            Order::Work { before } => self.store(site, &before),
            Order::Decline(objection) => panic!("{}: {objection}", task.step),
            Order::Send(_) => {}
        }
        let marks = self.sites[k].answer(&task, Answer::Payload(payload), &self.desk.fixture.sites[k]);
        let Some(Mark::Staged { answer }) = marks.last() else { panic!("nothing staged") };
        self.desk.handle(Input::Answer(answer.clone()))?;
        self.store(site, &marks);
        Ok(())
    }

    fn honest(&mut self, site: u16) {
        let task = self.task(site);
        let payload = self.made(site, &task).unwrap();
        self.answer(site, payload).unwrap();
    }

    fn work(&mut self) {
        if let Some(work) = self.desk.coordinator.work() {
            let input = combine(&self.desk.fixture.study, &work, &Idle, &self.memory).unwrap();
            self.desk.handle(input).unwrap();
        }
    }

    /// Everybody answers by the rules until sites are asked `phase`, or the job is over.
    fn until(&mut self, phase: Option<Phase>) {
        while !self.desk.coordinator.job(self.job).unwrap().is_over()
            && Some(self.task(0).step.phase) != phase
        {
            (0..self.sites.len() as u16).for_each(|site| self.honest(site));
            self.work();
        }
    }

    /// What a site answers, signed by its own key, whoever asks.
    fn signed(&self, site: u16, task: &Task, phase: Phase, payload: Blob) -> SignedHeader {
        let (step, answer) = (Step { phase, ..task.step }, Answer::Payload(payload));
        let header = Header { study: task.study, key: task.key, step, site: SiteId(site), answer };
        header.sign(&self.desk.fixture.sites[usize::from(site)])
    }

    fn params(&self) -> Parameters {
        self.desk.fixture.study.circuit_params(&circuit()).unwrap()
    }

    fn public_key(&self, blob: &Blob) -> PublicKey {
        codec::decode_public_key(&self.params(), &self.memory.get(blob)).unwrap()
    }
}

#[test]
fn a_ceremony_ends_in_a_key_whose_every_committee_opens() {
    for (n, t) in [(3, 2), (5, 3), (4, 2), (2, 2)] {
        let fixture = fixture(n, t, t, 90);
        let mut play = Play::new(&fixture);
        play.until(None);
        let status = play.desk.coordinator.job(play.job).unwrap().status;
        assert!(matches!(status, JobStatus::Done { .. }), "{n} sites: {status:?}");
        let key = play.desk.coordinator.inference_key().unwrap();
        assert!(play.sites.iter().all(|s| s.key(play.job).is_some_and(|k| k.public_key == key.public_key)));
        // Known values were opened n − t + 1 times, and count in each site's life.
        let committees = n - t as usize + 1;
        let opened: u64 = play.sites.iter().map(Site::opened).sum();
        assert_eq!(opened as usize, committees * t as usize);
    }
}

/// Where a message's polynomials begin.
const BEFORE: usize = 32 + 32 + 32 + 2;

/// The residues of the public share that a payload of phase key-share begins with.
fn share_of(params: &Parameters, payload: &[u8]) -> Vec<Vec<u64>> {
    let mut at = BEFORE;
    let mut limb = |prime: usize| {
        let (bits, mut out) = (params.q().prime(prime).modulus().bits(), vec![0; params.n()]);
        let len = packed_len(out.len(), bits);
        unpack(&payload[at..at + len], bits, &mut out).unwrap();
        at += len;
        out
    };
    (0..params.q().len()).map(&mut limb).collect()
}

/// The payload of a last site that has seen what the others reveal: with it, the key is `(−a·s, a)` for its own `s`.
fn rushed(params: &Parameters, honest: &[u8], sum: &PublicKey, own: &SecretKey) -> Vec<u8> {
    let mut packed = Vec::new();
    let share = share_of(params, honest);
    let len =
        share.iter().enumerate().map(|(i, l)| packed_len(l.len(), params.q().prime(i).modulus().bits()));
    let len = len.sum();
    let mut w = Writer::new(&mut packed, len);
    let (b, a, s) = (sum.b().limbs(), sum.a().limbs(), own.evaluations().limbs());
    for (i, (((b, a), s), mine)) in b.zip(a).zip(s).zip(&share).enumerate() {
        let m = params.q().prime(i).modulus();
        let chosen = |k: usize| {
            let others = m.sub(b[k], mine[k]);
            m.sub(m.sub(0, m.mul(a[k], s[k])), others)
        };
        let limb: Vec<u64> = (0..b.len()).map(chosen).collect();
        w.packed(&limb, m.bits());
    }
    w.finish();
    [&honest[..BEFORE], &packed, &honest[BEFORE + len..]].concat()
}

/// Whether what is encrypted under `key` opens under `secret` alone.
fn opens(params: &Parameters, key: &PublicKey, secret: &SecretKey) -> bool {
    let expected: Vec<i64> = (0..params.n() as i64).map(|k| (k - 20) << 40).collect();
    let two = params.q().prefix(2);
    let message = Plaintext::from_polynomial(params, two.signed_to_ntt(&expected), Scale::ONE);
    let c = PublicEncryptor::new(key).encrypt(&message, &mut rng(7)).unwrap();
    assert_eq!(c.level(), Level(1));
    let got = Decryptor::new(secret).decrypt(&c).unwrap();
    let got = Encoder::new(params).decode_integers(&got).unwrap();
    got.iter().zip(&expected).all(|(g, e)| (g - i128::from(*e)).abs() < 1 << 39)
}

/// The last site sees the others' shares and chooses its own so that the key is one that it holds alone. Where shares are added up as
/// they come, it has it; here it has promised its share before anybody revealed, and neither the coordinator nor, where the
/// coordinator is its friend, any other site takes another.
#[test]
fn a_rushing_last_site_does_not_choose_the_key() {
    let fixture = fixture(3, 2, 2, 91);
    let mut play = Play::new(&fixture);
    play.until(Some(Phase::KeyShare));
    let task = play.task(2);
    let Ask::Reveal { promised, .. } = &task.ask else { panic!("not asked to reveal") };
    let shares: Vec<(SiteId, Blob)> =
        (0..3).map(|k| (SiteId(k), play.made(k, &play.task(k)).unwrap())).collect();
    let (params, circuit) = (play.params(), circuit());
    let of = KeySession { job: play.job, circuit: &circuit, string: promised.string };
    let sum = |shares: &[(SiteId, Blob)]| {
        let output = combine_first(&fixture.study, of, shares, &play.memory).unwrap();
        play.public_key(&output.shared)
    };
    let own = KeyGenerator::new(&params).secret_key(&mut rng(92));
    let honest = sum(&shares);
    assert!(!opens(&params, &honest, &own));
    // The old way: what the last site sends after it has seen the rest is added up.
    let bytes = rushed(&params, &play.memory.get(&shares[2].1), &honest, &own);
    let chosen = play.memory.put(bytes);
    let old = [shares[0], shares[1], (SiteId(2), chosen)];
    assert!(opens(&params, &sum(&old), &own), "the attack does not succeed where nobody promises");

    // Ours: the coordinator takes what was promised.
    play.honest(0);
    play.honest(1);
    let late = play.signed(2, &task, Phase::KeyShare, chosen);
    let refused = play.desk.handle(Input::Answer(late.clone())).unwrap_err();
    assert_eq!(refused, Refusal::BrokenPromise { site: SiteId(2) });
    // And where the coordinator is its friend, the other sites object, whatever is shown as the promise.
    play.honest(2);
    play.work();
    let shown = |edit: &dyn Fn(&mut Vec<SignedHeader>, &mut Vec<SignedHeader>)| {
        let mut task = play.task(0);
        let Ask::Relin { shares, promised, .. } = &mut task.ask else { panic!("no second round") };
        edit(shares, &mut promised.promises);
        match play.sites[0].take(&task).unwrap() {
            Order::Decline(objection) => objection,
            other => panic!("{other:?}"),
        }
    };
    let site = SiteId(2);
    assert_eq!(shown(&|shares, _| shares[2] = late.clone()), Objection::BrokenPromise { site });
    let promise = play.memory.put(promise_of(&chosen));
    let again = play.signed(2, &task, Phase::Promise, promise);
    let both = shown(&|shares, promises| (shares[2], promises[2]) = (late.clone(), again.clone()));
    assert_eq!(both, Objection::OtherPromises);
    assert_eq!(both.cause(), Cause::OtherKey);
    play.until(None);
    assert!(play.desk.coordinator.inference_key().is_some());
}

/// Residues of one prime at a place in bytes, which moves on.
fn limb(bytes: &[u8], at: &mut usize, (n, bits): (usize, u32)) -> Vec<u64> {
    let (mut out, len) = (vec![0; n], packed_len(n, bits));
    unpack(&bytes[*at..*at + len], bits, &mut out).unwrap();
    *at += len;
    out
}

/// What the rogue makes everybody's first round of the relinearisation key add up to.
const ROGUE: u32 = 40;

/// The payload of a last site that has seen the others': with it, each polynomial that round two multiplies by a site's secret is
/// the constant `2^ROGUE`. `sum` is the honest first round's.
fn rogue(params: &Parameters, honest: &[u8], sum: &[u8]) -> Vec<u8> {
    let lens = params.q().primes().iter().map(|p| packed_len(params.n(), p.modulus().bits()));
    let mut at = 2 * BEFORE + lens.sum::<usize>();
    let (from, mut sum_at, mut packed) = (at, 0, Vec::new());
    let lens = params.qp().primes().iter().map(|p| packed_len(params.n(), p.modulus().bits()));
    let len = params.digits() * lens.sum::<usize>();
    let mut w = Writer::new(&mut packed, len);
    for _ in 0..params.digits() {
        for prime in params.qp().primes() {
            let (m, shape) = (prime.modulus(), (params.n(), prime.modulus().bits()));
            let (mine, all) = (limb(honest, &mut at, shape), limb(sum, &mut sum_at, shape));
            // A constant is the same in every evaluation.
            let constant = m.reduce(1 << ROGUE);
            let chosen = all.iter().zip(&mine).map(|(all, mine)| m.sub(constant, m.sub(*all, *mine)));
            w.packed(&chosen.collect::<Vec<u64>>(), m.bits());
        }
    }
    w.finish();
    [&honest[..from], &packed, &honest[from + len..]].concat()
}

/// The secret that a site's second round gives away under such a sum: `2^ROGUE·s + e` in the first prime.
fn read_secret(params: &Parameters, second: &[u8]) -> Vec<i64> {
    let first = params.q().prefix(1);
    let m = first.prime(0).modulus();
    let (mut evaluations, mut at) = (first.zero(), BEFORE);
    evaluations.limb_mut(0).copy_from_slice(&limb(second, &mut at, (params.n(), m.bits())));
    let coefficients = first.to_coeff(evaluations);
    coefficients.limb(0).iter().map(|&x| (m.centre(x) + (1 << (ROGUE - 1))) >> ROGUE).collect()
}

/// Whether these are the coefficients of the secret behind a public share `−a·s + e`: what is left is small.
fn is_secret_of(params: &Parameters, (payload, key): (&[u8], &PublicKey), secret: &[i64]) -> bool {
    let first = params.q().prefix(1);
    let (m, mut left) = (first.prime(0).modulus(), first.signed_to_ntt(secret));
    let share = share_of(params, payload).remove(0);
    for ((s, a), b) in left.limb_mut(0).iter_mut().zip(key.a().limb(0)).zip(&share) {
        *s = m.add(*b, m.mul(*a, *s));
    }
    let left = first.to_coeff(left);
    left.limb(0).iter().all(|&x| m.centre(x).abs() <= 21)
}

/// The last site sees the others' first round and chooses its own, `h = K − Σ others`: what each site multiplies by its secret in round two
/// is then a constant, and its answer is its secret. Where shares are added up as they come, it reads every coefficient of an honest
/// site's; here it has promised before anybody revealed, so neither the coordinator nor the site takes another share.
#[test]
fn a_rogue_share_of_round_one_reads_no_secret() {
    let fixture = fixture(3, 2, 2, 98);
    let mut play = Play::new(&fixture);
    play.until(Some(Phase::KeyShare));
    let reveal = play.task(2);
    let Ask::Reveal { promised, .. } = &reveal.ask else { panic!("not asked to reveal") };
    let mut shares: Vec<(SiteId, Blob)> =
        (0..3).map(|k| (SiteId(k), play.made(k, &play.task(k)).unwrap())).collect();
    let (params, circuit) = (play.params(), circuit());
    let of = KeySession { job: play.job, circuit: &circuit, string: promised.string };
    let first = combine_first(&fixture.study, of, &shares, &play.memory).unwrap();
    let key = play.public_key(&first.shared);
    let sum = play.memory.get(&first.second.unwrap().sum);
    let chosen = play.memory.put(rogue(&params, &play.memory.get(&shares[2].1), &sum));
    let victim = play.memory.get(&shares[0].1);
    shares[2].1 = chosen;
    let rogue_sum = combine_first(&fixture.study, of, &shares, &play.memory).unwrap().second.unwrap().sum;

    play.honest(0);
    play.honest(1);
    let late = play.signed(2, &reveal, Phase::KeyShare, chosen);
    let refused = play.desk.handle(Input::Answer(late.clone())).unwrap_err();
    assert_eq!(refused, Refusal::BrokenPromise { site: SiteId(2) });
    play.honest(2);
    play.work();
    let honest = play.task(0);
    let mut task = honest.clone();
    let Ask::Relin { shares, sum, .. } = &mut task.ask else { panic!("no second round") };
    (shares[2], *sum) = (late, rogue_sum);
    // The old way: whoever does not hold a share against its promise answers, and the answer is its secret.
    let told = play.memory.get(&play.made(0, &task).unwrap());
    let secret = read_secret(&params, &told);
    assert!(secret.iter().all(|s| s.abs() <= 1) && secret.iter().any(|s| *s != 0));
    assert!(is_secret_of(&params, (&victim, &key), &secret), "every coefficient is read");
    // Ours: the site judges first.
    let order = play.sites[0].take(&task).unwrap();
    let broken = Objection::BrokenPromise { site: SiteId(2) };
    assert!(matches!(&order, Order::Decline(objection) if *objection == broken), "{order:?}");
    // By the rules nothing of it is in what the site says.
    let told = play.memory.get(&play.made(0, &honest).unwrap());
    assert!(!is_secret_of(&params, (&victim, &key), &read_secret(&params, &told)));
    play.until(None);
    assert!(play.desk.coordinator.inference_key().is_some());
}

/// The common string is what everybody's commitments make, and a site promises and reveals under no other.
#[test]
fn a_site_reveals_under_one_set_of_commitments_and_promises() {
    let fixture = fixture(3, 2, 2, 93);
    let mut play = Play::new(&fixture);
    play.until(Some(Phase::Promise));
    let declined = |play: &Play<'_>, task: &Task| match play.sites[0].take(task).unwrap() {
        Order::Decline(objection) => objection,
        other => panic!("{other:?}"),
    };
    // Commitments of all sites, each once.
    let mut few = play.task(0);
    let Ask::Promise { commitments, .. } = &mut few.ask else { panic!("no promise") };
    commitments.pop();
    assert_eq!(declined(&play, &few), Objection::Roster { expected: 3, found: 2 });
    play.honest(0);
    let first = play.task(1);
    play.honest(1);
    play.honest(2);
    // Another commitment of a site that signs two: another string than this site has promised under.
    let mut other = play.task(0);
    let Ask::Reveal { promised, .. } = &mut other.ask else { panic!("no reveal") };
    promised.string = Digest([5; 32]);
    assert_eq!(declined(&play, &other), Objection::OtherCommitments);
    // Nor does it reveal before everybody has promised.
    let mut early = play.task(0);
    let Ask::Reveal { promised, .. } = &mut early.ask else { panic!("no reveal") };
    promised.promises.pop();
    assert_eq!(declined(&play, &early), Objection::Roster { expected: 3, found: 2 });
    // Once it has revealed, other promises are shown in vain, as after a crash.
    let honest = play.task(0);
    let Order::Work { before } = play.sites[0].take(&honest).unwrap() else { panic!("no work") };
    play.store(0, &before);
    let mut other = honest;
    let Ask::Reveal { promised, .. } = &mut other.ask else { panic!("no reveal") };
    promised.promises[2] = play.signed(2, &first, Phase::Promise, play.memory.put(vec![9; 40]));
    assert_eq!(declined(&play, &other), Objection::OtherPromises);
    play.until(None);
    assert!(play.desk.coordinator.inference_key().is_some());
}

/// A site gives one peer a part of another secret than it gives the rest. Everybody confirms the key, since nobody can tell: without a
/// trial it would be in use, and the committees with that peer would open noise.
#[test]
fn a_wrong_part_is_found_before_the_key_is_used() {
    let fixture = fixture(3, 2, 2, 94);
    let mut play = Play::new(&fixture);
    let (study, of) = (&fixture.study, (play.job, &circuit()));
    let committed = |seed| {
        let mut out = Vec::new();
        write_commitment(study, of, SiteId(2), &fixture.sealing[2], &mut rng(seed), &mut out).unwrap();
        out
    };
    let (mut parts, other) = (committed(95), committed(96));
    let seed = 32 + SEAL_OVERHEAD;
    let part = (parts.len() - seed) / 3;
    parts[seed..seed + part].copy_from_slice(&other[seed..seed + part]);
    play.honest(0);
    play.honest(1);
    let parts = play.memory.put(parts);
    play.answer(2, parts).unwrap();
    play.work();
    // The old way ends here: everybody has confirmed the key.
    play.until(Some(Phase::Trial));
    assert_eq!(play.sites.iter().filter(|s| s.key(play.job).is_some()).count(), 3);
    play.until(None);
    let status = play.desk.coordinator.job(play.job).unwrap().status;
    let JobStatus::Failed { failure: Failure::TooFew { step, missing, .. } } = status else {
        panic!("{status:?}")
    };
    assert_eq!(step.phase, Phase::Trial);
    assert_eq!(missing, [Missing { site: SiteId(0), cause: Cause::Trial }]);
    assert!(play.desk.coordinator.inference_key().is_none());
}

/// A coordinator shows a key, a first round's sum or evaluation keys of its own making: every site makes all of them itself.
#[test]
fn a_key_of_the_coordinators_own_making_is_found_out() {
    let (fixture, other) = (fixture(3, 2, 2, 97), fixture(3, 2, 2, 97));
    let mut play = Play::new(&fixture);
    // Real ones, of another ceremony of the same sites.
    let mut elsewhere = Play::new(&other);
    for site in 0..3 {
        let mut out = Vec::new();
        let (sealing, of) = (&other.sealing[usize::from(site)], (elsewhere.job, &circuit()));
        let rng = &mut rng(u64::from(site) + 400);
        write_commitment(&other.study, of, SiteId(site), sealing, rng, &mut out).unwrap();
        let payload = elsewhere.memory.put(out);
        elsewhere.answer(site, payload).unwrap();
    }
    elsewhere.work();
    elsewhere.until(Some(Phase::Parts));
    let foreign = |blob: &Blob| play.memory.put(elsewhere.memory.get(blob));
    let Ask::Parts { public_key, evaluation: Some(made), .. } = elsewhere.task(0).ask else {
        panic!("no parts")
    };
    let (own_key, own_sum, own_keys) = (foreign(&public_key), foreign(&made.sum), foreign(&made.keys));
    let is_other_key = |made: Result<Blob>| {
        made.is_err_and(|e| matches!(e, Error::OtherKey { .. }) && e.cause() == Cause::OtherKey)
    };

    play.until(Some(Phase::Relin));
    let mut task = play.task(0);
    let Ask::Relin { sum, .. } = &mut task.ask else { panic!("no second round") };
    let honest = std::mem::replace(sum, own_sum);
    assert!(is_other_key(play.made(0, &task)));
    // Nor does it open another site's seed.
    let Ask::Relin { bundle: others, .. } = play.task(1).ask else { panic!("no second round") };
    let Ask::Relin { sum, bundle, .. } = &mut task.ask else { panic!("no second round") };
    (*sum, *bundle) = (honest, others);
    assert!(matches!(play.made(0, &task), Err(Error::Seal { .. })));

    play.until(Some(Phase::Parts));
    let shown = |edit: &dyn Fn(&mut Blob, &mut Blob)| {
        let mut task = play.task(0);
        let Ask::Parts { public_key, evaluation: Some(made), .. } = &mut task.ask else { panic!("no parts") };
        edit(public_key, &mut made.keys);
        play.made(0, &task)
    };
    assert!(shown(&|_, _| ()).is_ok());
    assert!(is_other_key(shown(&|key, _| *key = own_key)));
    assert!(is_other_key(shown(&|_, keys| *keys = own_keys)));
}
