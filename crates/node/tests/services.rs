//! A coordinator and sites in one process: what is refused, and what a full disk does.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]

mod network;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use blindscope_federation::JobKind;
use blindscope_federation::JobSpec;
use blindscope_federation::{Answer, Blob, Header, JobId, Phase, SignedHeader, SiteId, Step};
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::Kit;
use blindscope_node::kit::preflight;
use blindscope_node::plain::{NoLearning, Plain, Sums};
use blindscope_transport::Stop;
use blindscope_transport::{Client, Command, Join, Refusal, Upload};
use blindscope_wire::Digest;
use network::{ENOUGH, found, run_site};

async fn serve(folder: &Path, disk: u64) -> network::Serving {
    network::serve(folder, disk, Arc::new(Sums { learning: NoLearning })).await
}

fn client(folder: &Path, name: &str) -> Client {
    let kit = Kit::at(folder.join(name));
    let settings: blindscope_node::kit::PartySettings = kit.settings(&[]).unwrap();
    kit.client(&settings.coordinator).unwrap()
}

fn sum(name: &str) -> JobSpec {
    JobSpec { values: 500, max: 9, kind: JobKind::Sum, ..JobSpec::named(name) }
}

fn refused(answer: Result<Bytes, blindscope_transport::Error>) -> Refusal {
    match answer {
        Err(blindscope_transport::Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn send(
    client: &Client,
    header: &SignedHeader,
    body: &'static [u8],
) -> Result<Bytes, blindscope_transport::Error> {
    let blob = Blob::of(body);
    let upload = Upload { header: header.to_bytes().into(), len: blob.len, digest: blob.digest };
    client.submit(upload, Box::new(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_belong_is_refused_by_name_and_changes_nothing() {
    let (folder, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    found(folder.path(), "trial", None);
    found(foreign.path(), "trial", None);
    let serving = serve(folder.path(), ENOUGH).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let job = admin.submit(&sum("total")).await.unwrap();
    let mut before = Vec::new();
    admin.log(0, false, &mut before).await.unwrap();
    let (one, study) = (client(folder.path(), "one"), Kit::at(folder.path().join("one")).study().unwrap());

    // Another study's authority, and another study's digest.
    let settings: blindscope_node::kit::PartySettings =
        Kit::at(folder.path().join("one")).settings(&[]).unwrap();
    let stranger = Kit::at(foreign.path().join("one")).client(&settings.coordinator).unwrap();
    let hello = |study| Join { software: "test".to_owned(), study, has_study: false };
    assert!(matches!(stranger.join(hello(None)).await, Err(blindscope_transport::Error::Unreachable { .. })));
    let other = one.join(hello(Some(Digest([7; 32])))).await.map(|joined| joined.study);
    assert_eq!(refused(other).code, "wrong-study");

    // Roles.
    for command in [Command::AbortJob, Command::ListSites, Command::Quotas, Command::SubmitJob] {
        assert_eq!(refused(one.command(command, Bytes::new()).await).code, "wrong-role", "{command:?}");
    }
    // A site reads jobs and the log, in which its own acts are; an asker does not.
    assert!(one.command(Command::ListJobs, Bytes::new()).await.is_ok());
    let asker = client(folder.path(), "asker");
    assert_eq!(refused(asker.command(Command::ListJobs, Bytes::new()).await).code, "wrong-role");
    let log = asker.stream(blindscope_transport::Stream::Log, Bytes::new()).await.map(|_| Bytes::new());
    assert_eq!(refused(log).code, "wrong-role");
    let as_site =
        client(folder.path(), "admin").next(Bytes::new(), Duration::ZERO).await.map(|_| Bytes::new());
    assert_eq!(refused(as_site).code, "wrong-role");
    let key = Digest([1; 32]);
    let fetched = client(folder.path(), "asker").fetch(key, 10, Vec::new()).await.map(|_| Bytes::new());
    assert_eq!(refused(fetched).code, "no-blob");

    // Headers: garbage, another's, another study, another key, an old step, another length, a bad signature.
    let garbage = Upload { header: Bytes::from_static(b"{}"), len: 0, digest: Blob::of(&[]).digest };
    assert_eq!(refused(one.submit(garbage, Box::new(std::io::empty())).await).code, "bad-header");
    let identity = Kit::at(folder.path().join("one")).identity().unwrap();
    let step = Step { job, round: 0, attempt: 0, phase: Phase::Upload };
    let good = Header {
        study: study.digest(),
        key: job,
        step,
        site: SiteId(0),
        answer: Answer::Payload(Blob::of(b"x")),
    };
    let signed = |header: Header| header.sign(&identity);
    let cases = [
        ("sender", signed(Header { site: SiteId(1), ..good.clone() })),
        ("study", signed(Header { study: Digest([9; 32]), ..good.clone() })),
        ("key-epoch", signed(Header { key: JobId(Digest([9; 32])), ..good.clone() })),
        (
            "unknown-job",
            signed(Header { step: Step { job: JobId(Digest([9; 32])), ..step }, ..good.clone() }),
        ),
        ("not-open", signed(Header { step: Step { attempt: 3, ..step }, ..good.clone() })),
        ("length", signed(good.clone())),
        (
            "signature",
            SignedHeader {
                signature: signed(Header { site: SiteId(1), ..good.clone() }).signature,
                header: good,
            },
        ),
    ];
    for (code, header) in cases {
        assert_eq!(refused(send(&one, &header, b"x").await).code, code);
    }
    let mut after = Vec::new();
    admin.log(0, false, &mut after).await.unwrap();
    assert!(before == after, "no record says anything of it");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_the_job_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), "full", None);
    let serving = serve(folder.path(), 1_000_000).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let large = JobSpec { values: 1_000_000, max: 1000, ..sum("large") };
    admin.submit(&large).await.unwrap();
    let stop = Stop::new();
    let sites = [run_site(folder.path(), "one", 1, &stop), run_site(folder.path(), "two", 2, &stop)];
    tokio::time::sleep(Duration::from_secs(3)).await;
    let view = admin.status("large").await.unwrap();
    assert!(!view.is_over(), "{view:?}");
    serving.end().await;

    let serving = serve(folder.path(), ENOUGH).await;
    admin.submit(&sum("total")).await.unwrap();
    for job in ["large", "total"] {
        let last = tokio::time::timeout(Duration::from_mins(2), admin.watch(job, |_| {})).await;
        jobs::result(admin.study(), &last.expect("the job ends").unwrap()).unwrap();
    }
    let (bytes, _) = admin.download("total", Vec::new()).await.unwrap();
    let sums = Plain::drawn(1, &sum("total"), 0).zip(Plain::drawn(2, &sum("total"), 0)).map(|(a, b)| a + b);
    assert!(bytes == sums.flat_map(u64::to_le_bytes).collect::<Vec<u8>>());

    // These sites run in the test's process with integers of its own; a kit has to say what it learns from.
    let source = ["learning.plain.seed=1".to_owned()];
    let checked = preflight::preflight(&Kit::at(folder.path().join("one")), &source).await.unwrap();
    let failed: Vec<_> = checked.checks.iter().filter(|c| c.outcome == preflight::Outcome::Failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_known_and_struck_out_while_the_coordinator_runs() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), "members", None);
    let serving = serve(folder.path(), ENOUGH).await;
    let list = Kit::at(folder.path().join("coordinator")).local("members.toml");
    let everybody = std::fs::read_to_string(&list).unwrap();
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let caller = client(folder.path(), "admin");
    assert!(admin.list().await.unwrap().is_empty());

    std::fs::write(&list, "").unwrap();
    let call = caller.command(Command::ListJobs, Bytes::new());
    assert_eq!(refused(call.await).code, "not-in-study");
    std::fs::write(&list, "member = 3").unwrap();
    let call = caller.command(Command::ListJobs, Bytes::new());
    assert_eq!(refused(call.await).code, "not-in-study", "an unreadable list lets nobody in");
    std::fs::write(&list, everybody).unwrap();
    assert!(admin.list().await.unwrap().is_empty());
    serving.end().await;
}
