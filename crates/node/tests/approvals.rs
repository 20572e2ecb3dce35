//! A site whose people are asked about each job: nothing of a job is computed before a word, a refused job goes on without the site or not
//! at all, and what the coordinator hears of a site's machine.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]

mod network;

use std::sync::Arc;
use std::time::Duration;

use blindscope_federation::{Cause, Failure, JobKind, JobSpec, JobStatus, Rule};
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::{Approvals, Consent, Kit};
use blindscope_node::plain::{NoLearning, Sums};
use blindscope_transport::Stop;
use network::{ENOUGH, found, run_site};

fn sum(name: &str) -> JobSpec {
    let settings = serde_json::json!({ "of": name });
    JobSpec { values: 50, max: 9, kind: JobKind::Sum, settings, ..JobSpec::named(name) }
}

fn answered(status: &JobStatus) -> usize {
    match status {
        JobStatus::Asking(step) => step.answered.len(),
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_a_word_and_a_refused_one_is_declined() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), "asked", None);
    let serving = network::serve(folder.path(), ENOUGH, Arc::new(Sums { learning: NoLearning })).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let kit = Kit::at(folder.path().join("one"));
    let mut approvals = Approvals::of(&kit).unwrap();
    approvals.ask = true;
    approvals.keep(&kit).unwrap();
    let stop = Stop::new();
    let sites = [run_site(folder.path(), "one", 1, &stop), run_site(folder.path(), "two", 2, &stop)];

    // The other site has answered; this one's people have not.
    let job = admin.submit(&sum("waits")).await.unwrap();
    let mut view = admin.status("waits").await.unwrap();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        view = admin.status("waits").await.unwrap();
        if answered(&view.status) > 0 {
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    view = admin.status("waits").await.unwrap_or(view);
    assert_eq!(answered(&view.status), 1, "{view:?}");
    let heard = admin.sites().await.unwrap();
    for site in &heard {
        assert!(site.absence().is_none() && site.state.free_bytes.is_some_and(|free| free > 0), "{site:?}");
        assert_eq!(site.state.software.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert!(site.state.ahead_ms.is_some_and(|ahead| ahead.abs() < 5000), "{site:?}");
    }
    approvals.say(job, Consent::Approved, 1);
    approvals.keep(&kit).unwrap();
    let last = tokio::time::timeout(Duration::from_mins(1), admin.watch("waits", |_| {})).await;
    jobs::result(admin.study(), &last.expect("it goes on").unwrap()).unwrap();

    // Two sites are the least, so a refused job ends; the log says whose word it was, and for what rule.
    let job = admin.submit(&sum("refused")).await.unwrap();
    approvals.say(job, Consent::Refused, 2);
    approvals.keep(&kit).unwrap();
    let last = tokio::time::timeout(Duration::from_mins(1), admin.watch("refused", |_| {})).await;
    let JobStatus::Failed { failure: Failure::TooFew { missing, .. } } = last.unwrap().unwrap().status else {
        panic!("it has too few sites")
    };
    assert!(missing.iter().any(|missing| missing.cause == Cause::Policy(Rule::Refused)), "{missing:?}");

    // What cannot be read approves nothing.
    std::fs::write(kit.local("approvals.toml"), "ask = perhaps").unwrap();
    admin.submit(&sum("unread")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let view = admin.status("unread").await.unwrap();
    assert!(!view.is_over() && answered(&view.status) <= 1, "{view:?}");
    admin.abort("unread").await.unwrap();
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
