//! Two coordinators that share PostgreSQL and an object store: whichever leads is killed, or stopped until the other leads and let go on.
//! Nothing that was acknowledged is lost, nothing is counted twice, and the results are the same bytes.
#![cfg(feature = "scale")]
#![allow(
    clippy::disallowed_methods,
    clippy::duration_suboptimal_units,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helper functions of tests"
)]

mod common;

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{expected, project, sums};
use blindscope_testkit::services::Services;
use common::ends::{ends_well, verified};
use common::places::Place;

/// The number of the coordinator that leads, its process and its term, once that is past `after`.
async fn leader(study: &Processes, services: &Services, after: i64) -> (usize, u32, i64) {
    let begun = Instant::now();
    loop {
        let (holder, term) = services.leader().await;
        let leads = |which: &usize| {
            study.coordinator_id(*which).is_some_and(|id| holder.ends_with(&format!("(process {id})")))
        };
        if let Some(which) = (0..study.coordinators()).find(leads).filter(|_| term > after) {
            return (which, study.coordinator_id(which).unwrap(), term);
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody leads: {holder}, term {term}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_coordinator_goes_on_where_a_killed_leader_was() {
    let Some(place) = Place::shared().await else { return };
    let services = place.services.as_ref().unwrap();
    let mut study = place.processes(project(3, 2, 3));
    study.start().await.unwrap();
    let (mut term, mut specs) = (0, Vec::new());
    for k in 0..4u64 {
        // Blobs that ride, and in every other job some that are in the bucket.
        let spec = sums(&format!("job-{k}"), if k % 2 == 0 { 2000 } else { 600_000 }, 2);
        study.ready().await.unwrap();
        study.admin().unwrap().submit(&spec).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50 + 130 * k)).await;
        let (which, _, led) = leader(&study, services, term).await;
        term = led;
        let killed = Instant::now();
        study.kill_coordinator(which);
        let (_, _, next) = leader(&study, services, term).await;
        println!("term {next} began {:?} after the leader of term {term} was killed", killed.elapsed());
        study.start_coordinator().unwrap();
        specs.push(spec);
    }
    study.ready().await.unwrap();
    let admin = study.admin().unwrap();
    for spec in &specs {
        assert!(ends_well(&admin, &spec.name).await == expected(spec, 0..3), "{}: another sum", spec.name);
    }
    verified(&mut study, specs.len()).await;
}

/// The leader that does not know that it leads no more: it is stopped for longer than its lease holds, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_too_long_changes_nothing_and_ends() {
    let Some(place) = Place::shared().await else { return };
    let services = place.services.as_ref().unwrap();
    let mut study = place.processes(project(3, 2, 3));
    study.start().await.unwrap();
    let spec = sums("stopped", 100_000, 6);
    study.admin().unwrap().submit(&spec).await.unwrap();
    let (which, id, term) = leader(&study, services, 0).await;
    let process = Pid::from_raw(id as i32).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    leader(&study, services, term).await;
    kill_process(process, Signal::CONT).unwrap();
    let begun = Instant::now();
    while study.ended().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "coordinator {which} goes on as if it led");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("the old leader ended {:?} after it was let go on", begun.elapsed());
    study.start_coordinator().unwrap();
    let admin = study.admin().unwrap();
    study.ready().await.unwrap();
    assert!(ends_well(&admin, "stopped").await == expected(&spec, 0..3));
    verified(&mut study, 1).await;
}

/// PostgreSQL ends connections of the leader in the middle of what they do, again and again: it asks what was kept, and goes on leading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_change_no_byte_and_no_leader() {
    let Some(place) = Place::shared().await else { return };
    let services = place.services.as_ref().unwrap();
    let mut study = place.processes(project(3, 2, 3));
    study.start().await.unwrap();
    let (_, _, term) = leader(&study, services, 0).await;
    let admin = study.admin().unwrap();
    let spec = sums("cut", 100_000, 12);
    admin.submit(&spec).await.unwrap();
    let cutting = async {
        let (mut connection, mut cut) = (services.connect().await, 0);
        loop {
            cut += services.cut(&mut connection, "").await;
            if cut > 60 {
                return cut;
            }
            tokio::time::sleep(Duration::from_millis(61)).await;
        }
    };
    let (cut, result) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(60), cutting), ends_well(&admin, "cut"));
    println!("{} connections cut", cut.expect("connections are cut"));
    assert!(result == expected(&spec, 0..3));
    assert_eq!(services.leader().await.1, term, "another one leads");
    verified(&mut study, 1).await;
}
