//! Payloads: their lengths, what they are sealed to, and sizes that were announced otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::sums::SumSite;
use blindscope_federation::{
    Error, JobKind, JobSpec, SEAL_OVERHEAD, SealingKey, SiteId, SiteTools, Sizes, Task, site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::Digest;
use common::memory::{Idle, Memory};
use common::{fixture, job};

#[test]
fn lengths_are_known_beforehand() {
    let fixture = fixture(3, 2, 2, 50);
    let sum = Sizes::of(&fixture.study, &job("sum", JobKind::Statistics, 1)).unwrap();
    assert!(sum.openings == 1 && sum.upload > 2048 && sum.share > 1024 && sum.sum > 192 && !sum.evaluated);
    // Integers without room are refused with the numbers.
    let wide = JobSpec { max: 1 << 62, ..job("sum", JobKind::Statistics, 1) };
    assert!(Sizes::of(&fixture.study, &wide).unwrap_err().to_string().contains("no ring holds"));
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

/// Where the coordinator announces another size, the refusal names the one that differs, with both values.
#[test]
fn an_announced_size_that_differs_is_named() {
    let (fixture, memory) = (fixture(3, 2, 2, 59), Memory::default());
    let spec = job("sum", JobKind::Sum, 1);
    let sizes = Sizes::of(&fixture.study, &spec).unwrap();
    let study = &fixture.study;
    let other = Sizes { share: sizes.share + 1, ..sizes };
    let task = Task { sizes: other, ..common::task::upload_task(study, &spec, Vec::new(), Vec::new()) };
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
        minimum_difference: 0,
        signer: &fixture.sites[0],
    };
    let error = site_payload(&tools, &task, None, None, &mut Vec::new(), &mut rng(72)).unwrap_err();
    let (expected, found) = (sizes.share, other.share);
    assert!(
        matches!(error, Error::Announced { field: "share", expected: e, found: f } if (e, f) == (expected, found)),
        "{error}"
    );
}
