//! The log: appended in one piece, on the disk before it is acknowledged, by one process at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Blob, Coordinator, Header, IdentityKey, Input, JobSpec, Mark, Phase, Record, Signer, SiteId,
    Sizes, Step, Study,
};
use blindscope_store::{Error, Marks, Records};
use blindscope_wire::Digest;
use common::study;

/// Some records of a study.
fn records(study: &Study, signer: &dyn Signer) -> Vec<Record> {
    let mut coordinator = Coordinator::new(study);
    let mut all = Vec::new();
    let sizes = Sizes { openings: 1, key_share: 1, upload: 1, sum: 1, share: 1, ..Sizes::default() };
    for name in ["key", "again"] {
        let spec = JobSpec { values: 1, max: 1, ..JobSpec::named(name) };
        let decision = coordinator.handle(&Input::Submit { spec, sizes }, 5, signer).unwrap();
        all.extend(decision.records);
        coordinator = decision.next;
    }
    assert!(all.len() >= 4);
    all
}

#[tokio::test]
async fn what_is_appended_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let (study, signer) = study("one");
    let all = records(&study, &signer);
    {
        let log = Records::open(&path, &study).await.unwrap();
        log.append(&all[..2]).await.unwrap();
        log.append(&[]).await.unwrap();
        log.append(&all[2..]).await.unwrap();
        log.close().await;
    }
    let log = Records::open(&path, &study).await.unwrap();
    assert_eq!(log.all().await.unwrap(), all);
    assert_eq!(log.lines(2).await.unwrap().len(), all.len() - 2);
    let replayed = Coordinator::replay(&study, log.all().await.unwrap()).unwrap();
    assert_eq!(replayed.head(), (all.len() as u64, all.last().unwrap().digest()));
}

#[tokio::test]
async fn records_that_do_not_follow_are_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (study, signer) = study("one");
    let all = records(&study, &signer);
    let log = Records::open(&dir.path().join("log.sqlite"), &study).await.unwrap();
    log.append(&all[..2]).await.unwrap();
    for wrong in [&all[1..3], &all[3..], &all[..1]] {
        assert!(matches!(log.append(wrong).await, Err(Error::Gap { expected: 2, .. })));
    }
    assert_eq!(log.all().await.unwrap(), all[..2]);
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let (study, _) = study("one");
    let first = Records::open(&path, &study).await.unwrap();
    assert!(matches!(Records::open(&path, &study).await, Err(Error::InUse { .. })));
    first.close().await;
    drop(Records::open(&path, &study).await.unwrap());
}

#[tokio::test]
async fn a_store_belongs_to_one_study_and_role() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let ((one, _), (two, _)) = (study("one"), study("two"));
    Records::open(&path, &one).await.unwrap().close().await;
    assert!(matches!(Records::open(&path, &two).await, Err(Error::Owner { .. })));
    assert!(matches!(Marks::open(&path, &one, SiteId(0)).await, Err(Error::Owner { .. })));
    drop(Records::open(&path, &one).await.unwrap());
}

#[tokio::test]
async fn a_full_disk_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (study, signer) = study("one");
    let log = Records::open(&dir.path().join("log.sqlite"), &study).await.unwrap();
    let all = records(&study, &signer);
    log.append(&all[..1]).await.unwrap();
    log.limit_pages(1).await.unwrap();
    // Too much for what is left; SQLite says that the disk is full.
    let mut huge = all[1].clone();
    huge.body.event = blindscope_federation::Event::Submitted {
        job: blindscope_federation::JobId(Digest([1; 32])),
        spec: JobSpec { settings: "x".repeat(200_000).into(), ..JobSpec::named("huge") },
        sizes: Sizes { openings: 1, key_share: 1, upload: 1, sum: 1, share: 1, ..Sizes::default() },
        line: None,
    };
    let refused = log.append(&[huge]).await;
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!(log.all().await.unwrap(), all[..1]);
    log.limit_pages(100_000).await.unwrap();
    log.append(&all[1..]).await.unwrap();
    assert_eq!(log.all().await.unwrap(), all);
}

#[tokio::test]
async fn marks_survive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("marks.sqlite");
    let (study, _) = study("one");
    let step = Step {
        job: blindscope_federation::JobId(Digest([4; 32])),
        round: 1,
        attempt: 0,
        phase: Phase::Share,
    };
    let header = Header {
        study: study.digest(),
        key: step.job,
        step,
        site: SiteId(0),
        answer: Answer::Payload(Blob::of(b"share")),
    };
    let answer = header.sign(&IdentityKey::from_bytes(&[1; 32]));
    let all = vec![Mark::Spent { step, openings: 3, key: None }, Mark::Staged { answer }];
    {
        let marks = Marks::open(&path, &study, SiteId(0)).await.unwrap();
        marks.append(&all[..1]).await.unwrap();
        marks.append(&all[1..]).await.unwrap();
        marks.close().await;
    }
    let marks = Marks::open(&path, &study, SiteId(0)).await.unwrap();
    assert_eq!(marks.all().await.unwrap(), all);
}
