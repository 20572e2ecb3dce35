//! Eight sites, five of which open; three are killed in each phase. The round ends soon after the deadline, and the sum is
//! that of the sites whose contributions were committed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helper functions of tests"
)]

mod common;

use std::time::Duration;

use blindscope_node::Deadlines;
use blindscope_node::JobStatus;
use blindscope_node::Phase;
use blindscope_node::admin::jobs;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{expected, project, sums};
use common::places::Place;

on_both!(three_of_eight_sites_may_be_lost_in_any_phase);

const DEADLINE: u64 = 4;
const VALUES: u64 = 100_000;

async fn wait_for(study: &Processes, job: &str) {
    let admin = study.admin().unwrap();
    let last = tokio::time::timeout(Duration::from_mins(4), admin.watch(job, |_| {})).await;
    jobs::result(admin.study(), &last.expect("the job ends").unwrap()).unwrap();
}

async fn result(study: &Processes, job: &str) -> Vec<u8> {
    wait_for(study, job).await;
    study.admin().unwrap().download(job, Vec::new()).await.unwrap().0
}

/// Kills these sites when the job comes to a phase; which of them had answered by then is up to the machine.
async fn kill_in(study: &mut Processes, job: &str, phase: Phase, sites: &[usize]) {
    let admin = study.admin().unwrap();
    loop {
        let view = admin.status(job).await.unwrap();
        match &view.status {
            JobStatus::Asking(step) if step.step.phase == phase => break,
            JobStatus::Done { .. } | JobStatus::Failed { .. } => break,
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    for &site in sites {
        study.kill_site(site);
    }
}

async fn three_of_eight_sites_may_be_lost_in_any_phase(place: &Place) {
    let mut project = project(8, 5, 5);
    project.deadlines =
        Deadlines { ceremony_seconds: 120, upload_seconds: DEADLINE, opening_seconds: DEADLINE };
    let mut study = place.processes(project);
    study.start().await.unwrap();
    let admin = study.admin().unwrap();
    // Before they contribute: the sum is that of the five others.
    for site in [1, 4, 6] {
        study.kill_site(site);
    }
    let spec = sums("upload", VALUES, 1);
    admin.submit(&spec).await.unwrap();
    assert!(result(&study, "upload").await == expected(&spec, [0, 2, 3, 5, 7]));
    let view = admin.status("upload").await.unwrap();
    assert_eq!(view.missing.len(), 3, "{:?}", view.missing);
    for site in [1, 4, 6] {
        study.start_site(site).unwrap();
    }

    // Later all eight are in the sum, and stay in it.
    for (name, phase) in [("findings", Phase::Findings), ("agree", Phase::Agree), ("open", Phase::Open)] {
        let spec = sums(name, VALUES, 1);
        admin.submit(&spec).await.unwrap();
        kill_in(&mut study, name, phase, &[0, 1, 2]).await;
        let found = result(&study, name).await;
        println!("{name}: missing {:?}", admin.status(name).await.unwrap().missing);
        assert!(found == expected(&spec, 0..8), "the committed set never changes");
        for site in [0, 1, 2] {
            study.start_site(site).unwrap();
        }
    }

    // Three while they open, and the coordinator with them.
    let spec = sums("both", VALUES, 1);
    admin.submit(&spec).await.unwrap();
    kill_in(&mut study, "both", Phase::Open, &[0, 1, 2]).await;
    (0..study.coordinators()).for_each(|which| study.kill_coordinator(which));
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    let found = result(&study, "both").await;
    assert!(found == expected(&spec, 0..8), "the committed set never changes");
}
