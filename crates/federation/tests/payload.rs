//! Payloads with real keys: what altered bytes do, and who can open what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};

use proptest::prelude::*;

use blindscope_federation::payload::{combine_key, open_bundle, write_key_share};
use blindscope_federation::sums::SumSite;
use blindscope_federation::{
    Answer, Ask, Blob, Blobs, Cause, Contribution, Error, Header, JobId, JobKind, JobSpec, LearnError, Phase,
    Result, SEAL_OVERHEAD, SealingKey, SignedHeader, SiteId, SiteTools, Sizes, Step, Task, site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::Digest;
use common::{Fixture, fixture, job};

#[derive(Default)]
struct Memory(RefCell<BTreeMap<Digest, Vec<u8>>>);

impl Memory {
    fn put(&self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.0.borrow_mut().insert(blob.digest, bytes);
        blob
    }
}

impl Blobs for Memory {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0.borrow()[&blob.digest].clone())))
    }

    fn create(&self, _: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(self.put(bytes))
    }
}

fn ceremony(fixture: &Fixture) -> JobId {
    JobSpec::ceremony("key").id(&fixture.study)
}

/// Each site's payload of phase key-share.
fn key_shares(fixture: &Fixture, seed: u64) -> Vec<Vec<u8>> {
    let mut rng = rng(seed);
    let one = |(k, sealing): (usize, &SealingKey)| {
        let mut out = Vec::new();
        write_key_share(&fixture.study, ceremony(fixture), SiteId(k as u16), sealing, &mut rng, &mut out)
            .unwrap();
        out
    };
    fixture.sealing.iter().enumerate().map(one).collect()
}

fn combine(
    fixture: &Fixture,
    shares: Vec<Vec<u8>>,
    memory: &Memory,
) -> Result<blindscope_federation::Output> {
    let put = |(k, bytes)| (SiteId(k as u16), memory.put(bytes));
    let blobs: Vec<_> = shares.into_iter().enumerate().map(put).collect();
    combine_key(&fixture.study, ceremony(fixture), &blobs, memory)
}

#[test]
fn lengths_are_known_beforehand() {
    let fixture = fixture(3, 2, 2, 50);
    let sizes = Sizes::of(&fixture.study, &JobSpec::ceremony("key")).unwrap();
    assert!(key_shares(&fixture, 1).iter().all(|s| s.len() as u64 == sizes.key_share));
    let sum = Sizes::of(&fixture.study, &job("sum", JobKind::Statistics, 1)).unwrap();
    assert!(sum.openings == 1 && sum.upload > 2048 && sum.share > 1024 && sum.sum > 192 && !sum.evaluated);
    // Integers without room are refused with the numbers.
    let wide = JobSpec { max: 1 << 62, ..job("sum", JobKind::Statistics, 1) };
    assert!(Sizes::of(&fixture.study, &wide).unwrap_err().to_string().contains("no ring holds"));
}

#[test]
fn parts_open_for_their_receiver_alone() {
    let fixture = fixture(3, 2, 2, 51);
    let (study, job, memory) = (&fixture.study, ceremony(&fixture), Memory::default());
    let output = combine(&fixture, key_shares(&fixture, 2), &memory).unwrap();
    let open = |job, me: u16, key: usize, bundle: usize| {
        let mut reader = memory.open(&output.each[bundle]).unwrap();
        open_bundle(study, job, SiteId(me), &fixture.sealing[key], &mut reader)
    };
    for k in 0..3u16 {
        let share = open(job, k, usize::from(k), usize::from(k)).unwrap();
        assert_eq!(share.party(), SiteId(k).party());
    }
    // Another's bundle, another's key, another ceremony.
    for (job, me, key, bundle) in
        [(job, 0, 0, 1), (job, 0, 1, 0), (job, 1, 1, 0), (JobId(Digest([1; 32])), 0, 0, 0)]
    {
        let error = open(job, me, key, bundle).unwrap_err();
        assert!(matches!(error, Error::Payload { site: SiteId(0), .. }), "{error}");
    }
}

#[test]
fn a_share_sent_by_another_site_is_named() {
    let fixture = fixture(3, 2, 2, 52);
    let mut shares = key_shares(&fixture, 3);
    shares[1] = shares[0].clone();
    let error = combine(&fixture, shares, &Memory::default()).unwrap_err();
    assert!(matches!(error, Error::Payload { site: SiteId(1), .. }), "{error}");
}

#[test]
fn sealing_hides_and_binds() {
    let mut rng = rng(53);
    let (from, to) = (SealingKey::generate(&mut rng), SealingKey::generate(&mut rng));
    let (context, plain) = (Digest([5; 32]), b"a part of a key".to_vec());
    let sealed = from.seal(&to.public(), &context, &plain, &mut rng).unwrap();
    assert_eq!(sealed.len(), plain.len() + SEAL_OVERHEAD);
    assert_eq!(*to.open(&from.public(), &context, &sealed).unwrap(), plain);
    assert!(to.open(&from.public(), &Digest([6; 32]), &sealed).is_err());
    assert!(to.open(&to.public(), &context, &sealed).is_err());
    assert!(from.open(&from.public(), &context, &sealed).is_err());
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(to.open(&from.public(), &context, &altered).is_err(), "byte {at}");
        assert!(to.open(&from.public(), &context, &sealed[..at]).is_err(), "cut at {at}");
    }
    let restored = SealingKey::from_bytes(&to.to_bytes());
    assert_eq!(*restored.open(&from.public(), &context, &sealed).unwrap(), plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One altered byte of a site's payload is found and named, by the coordinator or by whom the part was for.
    #[test]
    fn altered_key_shares_are_named(at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        thread_local!(static SHARES: (Fixture, Vec<Vec<u8>>) = {
            let fixture = fixture(3, 2, 2, 54);
            let shares = key_shares(&fixture, 4);
            (fixture, shares)
        });
        SHARES.with(|(fixture, shares)| {
            let (mut shares, memory) = (shares.clone(), Memory::default());
            let at = at.index(shares[2].len());
            shares[2][at] ^= flip;
            match combine(fixture, shares, &memory) {
                Err(Error::Payload { site: SiteId(2), .. }) => Ok(()),
                Err(other) => Err(TestCaseError::fail(other.to_string())),
                // The public key's residues hide a flip from everybody but the sum; parts do not.
                Ok(output) => {
                    let opened = output.each.iter().zip(0..).map(|(bundle, k)| {
                        let mut reader = memory.open(bundle).unwrap();
                        let key = &fixture.sealing[usize::from(k)];
                        open_bundle(&fixture.study, ceremony(fixture), SiteId(k), key, &mut reader)
                    });
                    let failed: Vec<_> = opened.filter_map(std::result::Result::err).collect();
                    let message = shares_start(fixture);
                    prop_assert_eq!(failed.is_empty(), at < message);
                    let named = failed.iter().all(|e| matches!(e, Error::Payload { site: SiteId(2), .. }));
                    prop_assert!(named);
                    Ok(())
                }
            }
        })?;
    }
}

/// Where the sealed parts start.
fn shares_start(fixture: &Fixture) -> usize {
    use blindscope_threshold::{PublicKeyProtocol, ShamirPart};
    let ceremony = fixture.study.ceremony(ceremony(fixture)).unwrap();
    let all = Sizes::of(&fixture.study, &JobSpec::ceremony("key")).unwrap().key_share as usize;
    let start = all - 3 * (ShamirPart::byte_len(&ceremony) + SEAL_OVERHEAD);
    assert!(start > PublicKeyProtocol::collector(&ceremony).shape().payload_len());
    start
}

/// A site that contributes nothing.
struct Idle;

impl Contribution for Idle {
    fn values<'a>(
        &'a self,
        _: &JobSpec,
        _: u64,
        _: &[u8],
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Err("idle".into())
    }
}

/// What site 0 makes of a task.
fn site_zero(fixture: &Fixture, memory: &Memory, spec: &JobSpec, phase: Phase, ask: Ask) -> Result<Blob> {
    let (study, job) = (&fixture.study, spec.id(&fixture.study));
    let step = Step { job, round: 0, attempt: 0, phase };
    let sizes = Sizes::of(study, spec)?;
    let task = Task { study: study.digest(), key: job, step, spec: spec.clone(), sizes, deadline_ms: 1, ask };
    let tools = SiteTools {
        study,
        me: SiteId(0),
        sealing: &fixture.sealing[0],
        learning: &Idle,
        blobs: memory,
        checked: false,
        sums: &SumSite::default(),
        minimum_cohort: 1,
        signer: &fixture.sites[0],
    };
    site_payload(&tools, &task, None, None, &mut Vec::new(), &mut rng(70))
}

/// The signed answers that name these payloads.
fn signed(fixture: &Fixture, spec: &JobSpec, payloads: &[Vec<u8>], memory: &Memory) -> Vec<SignedHeader> {
    let (study, job) = (fixture.study.digest(), spec.id(&fixture.study));
    let step = Step { job, round: 0, attempt: 0, phase: Phase::KeyShare };
    let one = |(k, bytes): (usize, &Vec<u8>)| {
        let answer = Answer::Payload(memory.put(bytes.clone()));
        Header { study, key: job, step, site: SiteId(k as u16), answer }.sign(&fixture.sites[k])
    };
    payloads.iter().enumerate().map(one).collect()
}

fn is_other_key(made: Result<Blob>) -> bool {
    made.is_err_and(|e| matches!(e, Error::OtherKey { .. }) && e.cause() == Cause::OtherKey)
}

/// A coordinator shows a key of its own making: every site adds the signed shares up itself and holds no part of it.
#[test]
fn a_coordinator_that_shows_another_key_is_found_out() {
    let (fixture, memory) = (fixture(3, 2, 2, 57), Memory::default());
    let (spec, payloads) = (JobSpec::ceremony("key"), key_shares(&fixture, 9));
    let shares = signed(&fixture, &spec, &payloads, &memory);
    let honest = combine(&fixture, payloads, &memory).unwrap();
    let own = combine(&fixture, key_shares(&fixture, 10), &memory).unwrap();
    let show = |public_key| {
        let ask = Ask::Parts { public_key, bundle: honest.each[0], shares: shares.clone(), evaluation: None };
        site_zero(&fixture, &memory, &spec, Phase::Parts, ask)
    };
    assert!(show(honest.shared).is_ok());
    assert!(is_other_key(show(own.shared)));
}

/// Where the coordinator announces another size, the refusal names the one that differs, with both values.
#[test]
fn an_announced_size_that_differs_is_named() {
    let (fixture, memory) = (fixture(3, 2, 2, 59), Memory::default());
    let spec = job("sum", JobKind::Sum, 1);
    let sizes = Sizes::of(&fixture.study, &spec).unwrap();
    let (study, step) =
        (&fixture.study, Step { job: spec.id(&fixture.study), round: 0, attempt: 0, phase: Phase::Upload });
    let other = Sizes { share: sizes.share + 1, ..sizes };
    let ask =
        Ask::Upload { public_key: None, input: None, pairs: false, voids: Vec::new(), settled: Vec::new() };
    let task = Task { study: study.digest(), key: step.job, step, spec, sizes: other, deadline_ms: 1, ask };
    let sealing = &fixture.sealing[0];
    let tools = SiteTools {
        study,
        me: SiteId(0),
        sealing,
        learning: &Idle,
        blobs: &memory,
        checked: false,
        sums: &SumSite::default(),
        minimum_cohort: 1,
        signer: &fixture.sites[0],
    };
    let error = site_payload(&tools, &task, None, None, &mut Vec::new(), &mut rng(72)).unwrap_err();
    let (expected, found) = (sizes.share, other.share);
    assert!(
        matches!(error, Error::Announced { field: "share", expected: e, found: f } if (e, f) == (expected, found)),
        "{error}"
    );
}
