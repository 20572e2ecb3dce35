//! The log: appended in one piece, on the disk before it is acknowledged, by one process at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Blob, Coordinator, Header, IdentityKey, JobSpec, Mark, Phase, SiteId, Sizes, Step,
};
use blindscope_store::{Error, Marks, Records};
use blindscope_wire::Digest;
use common::{Place, records, study};

const ENOUGH: u64 = 1 << 30;

on_both!(
    what_is_appended_is_there_after_a_restart,
    records_that_do_not_follow_are_refused_whole,
    a_place_belongs_to_one_study,
    documents_are_what_was_written_last,
);

async fn what_is_appended_is_there_after_a_restart(place: &Place) {
    let (study, signer) = study("one");
    let all = records(&study, &signer);
    {
        let log = place.home(&study, ENOUGH).await.unwrap().records;
        log.append(&all[..2]).await.unwrap();
        log.append(&[]).await.unwrap();
        log.append(&all[2..]).await.unwrap();
        log.close().await;
    }
    let log = place.home(&study, ENOUGH).await.unwrap().records;
    assert_eq!(log.all().await.unwrap(), all);
    assert_eq!(log.lines(2).await.unwrap().len(), all.len() - 2);
    let replayed = Coordinator::replay(&study, log.all().await.unwrap()).unwrap();
    assert_eq!(replayed.head(), (all.len() as u64, all.last().unwrap().digest()));
}

async fn records_that_do_not_follow_are_refused_whole(place: &Place) {
    let (study, signer) = study("one");
    let all = records(&study, &signer);
    let log = place.home(&study, ENOUGH).await.unwrap().records;
    log.append(&all[..2]).await.unwrap();
    for wrong in [&all[1..3], &all[3..], &all[..1]] {
        assert!(matches!(log.append(wrong).await, Err(Error::Gap { expected: 2, .. })));
    }
    assert_eq!(log.all().await.unwrap(), all[..2]);
}

async fn a_place_belongs_to_one_study(place: &Place) {
    let ((one, _), (two, _)) = (study("one"), study("two"));
    place.home(&one, ENOUGH).await.unwrap().records.close().await;
    assert!(matches!(place.home(&two, ENOUGH).await, Err(Error::Owner { .. })));
    place.home(&one, ENOUGH).await.unwrap();
}

async fn documents_are_what_was_written_last(place: &Place) {
    let study = study("one").0;
    let home = place.home(&study, ENOUGH).await.unwrap();
    let document = home.document("deep/counts.json");
    assert_eq!(document.read(10).unwrap(), None);
    document.write(b"one").unwrap();
    document.write(b"another").unwrap();
    assert!(document.read(6).is_err(), "longer than asked for");
    home.records.close().await;
    let again = place.home(&study, ENOUGH).await.unwrap();
    assert_eq!(again.document("deep/counts.json").read(10).unwrap().as_deref(), Some(&b"another"[..]));
    assert_eq!(again.document("other.json").read(10).unwrap(), None);
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

/// A build that has the embedded half alone says so, and what to do, before anything is made.
#[cfg(not(feature = "scale"))]
#[tokio::test]
async fn a_shared_place_needs_a_build_that_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = blindscope_store::Shared {
        store: "postgres://user@host/database".to_owned(),
        blobs: "s3://bucket/prefix".to_owned(),
        environment: Vec::new(),
        holder: "test".to_owned(),
        lease: std::time::Duration::from_secs(1),
    };
    let refused = blindscope_store::Home::shared(&place, dir.path(), &study("one").0, ENOUGH).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("--features scale"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
