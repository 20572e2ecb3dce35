//! A coordinator whose work goes to workers over NATS, PostgreSQL and an object store: results are those of threads, also where workers, the
//! queue and the leader are killed.
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

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use blindscope_learn::jobs::{EpochFigures, Examples, FedAvgSettings, SiteData, SiteLearner, served_head};
use blindscope_node::asker::Asking;
use blindscope_node::kit::InferenceSettings;
use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{expected, project, sums};
use blindscope_node::{JobKind, JobSpec, Stop, site, system};
use common::ends::{ends_well, verified};
use common::places::Place;

const WIDTH: usize = 12;
const HEAD: &str = "released";
/// Values of a sum whose uploads are beside the log.
const LARGE: u64 = 600_000;
/// Values of a sum whose uploads several workers go over, some each.
const DIVIDED: u64 = 2_000_000;

async fn started(place: &Place, project: Project, workers: usize) -> Processes {
    let mut study = place.processes(project);
    study.found_workers(workers).unwrap();
    (0..workers).for_each(|which| study.start_worker(which).unwrap());
    study.start().await.unwrap();
    study
}

fn said(place: &Place, name: &str) -> String {
    let path = place.folder().join("study").join("logs").join(format!("{name}.log"));
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until whichever coordinator leads has heard a worker.
async fn until_heard(place: &Place) {
    let begun = Instant::now();
    let heard = || {
        ["coordinator", "coordinator-1"].iter().any(|name| said(place, name).contains("workers are heard"))
    };
    while !heard() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no worker is heard: {}", said(place, "worker-0"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Objects of work that are left.
fn left(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_that_workers_add_up_are_those_of_threads() {
    let Some((place, _server)) = Place::with_queue().await else { return };
    let mut study = started(&place, project(3, 2, 3), 2).await;
    until_heard(&place).await;
    let admin = study.admin().unwrap();
    let specs = [sums("large", LARGE, 2), sums("small", 200, 2), sums("divided", DIVIDED, 2)];
    for spec in &specs {
        admin.submit(spec).await.unwrap();
        assert!(ends_well(&admin, &spec.name).await == expected(spec, 0..3), "{}: another sum", spec.name);
    }
    let combined: Vec<usize> =
        ["worker-0", "worker-1"].iter().map(|name| said(&place, name).matches("combining").count()).collect();
    let went_over: Vec<usize> = (0..2).map(|worker| study.portions_of(worker).unwrap()).collect();
    println!("pieces of both workers: {combined:?}, and portions: {went_over:?}");
    assert!(combined.iter().sum::<usize>() >= 8, "workers did nothing: {combined:?}");
    // Of each of two rounds, uploads that came in.
    assert!(went_over.iter().sum::<usize>() >= 4, "work was not divided: {went_over:?}");
    verified(&mut study, specs.len()).await;
    let (work, begun) = (place.services.as_ref().unwrap().objects().join("work"), Instant::now());
    while left(&work) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} objects are left", left(&work));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Many uploads are added up in portions, too, and one more piece adds up what these came to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_uploads_are_added_up_in_portions() {
    let Some((place, _server)) = Place::with_queue().await else { return };
    let mut study = started(&place, project(8, 2, 8), 2).await;
    until_heard(&place).await;
    let (admin, spec) = (study.admin().unwrap(), sums("many", 800_000, 1));
    admin.submit(&spec).await.unwrap();
    assert!(ends_well(&admin, &spec.name).await == expected(&spec, 0..8), "another sum");
    let went_over: usize = (0..2).map(|worker| study.portions_of(worker).unwrap()).sum();
    assert!(went_over >= 4, "{went_over} portions, of what came in and of what was added up");
    verified(&mut study, 1).await;
}

/// Every kind of process is killed, also in the middle of a piece, and comes back: not one byte of a result changes, and nothing is recorded twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_queue_and_leader_are_killed_and_no_byte_changes() {
    let Some((place, mut server)) = Place::with_queue().await else { return };
    let mut study = started(&place, project(3, 2, 3), 2).await;
    until_heard(&place).await;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut specs = Vec::new();
    for round in 0..8u64 {
        let spec = sums(&format!("job-{round}"), if round < 4 { LARGE } else { DIVIDED }, 2);
        study.ready().await.unwrap();
        study.admin().unwrap().submit(&spec).await.unwrap();
        specs.push(spec);
        tokio::time::sleep(Duration::from_millis(100 + rng.next_u64() % 900)).await;
        match round % 4 {
            0 | 2 => study.kill_worker((round / 2 % 2) as usize),
            1 => server.kill(),
            _ => (0..study.coordinators()).for_each(|which| study.kill_coordinator(which)),
        }
        tokio::time::sleep(Duration::from_millis(rng.next_u64() % 500)).await;
        (0..2).for_each(|which| study.start_worker(which).unwrap());
        if round % 4 == 1 {
            server.again();
        }
        study.start_coordinator().unwrap();
    }
    study.ready().await.unwrap();
    let admin = study.admin().unwrap();
    for spec in &specs {
        assert!(ends_well(&admin, &spec.name).await == expected(spec, 0..3), "{}: another sum", spec.name);
    }
    let combined: usize =
        ["worker-0", "worker-1"].iter().map(|name| said(&place, name).matches("combining").count()).sum();
    println!("{combined} pieces were begun by workers");
    verified(&mut study, specs.len()).await;
}

/// Where no worker ever comes, and NATS is not even there, the coordinator does all of it itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_workers_and_without_a_queue_threads_do_it() {
    let Some((place, mut server)) = Place::with_queue().await else { return };
    server.kill();
    let mut study = started(&place, project(3, 2, 3), 0).await;
    let admin = study.admin().unwrap();
    let spec = sums("alone", LARGE, 1);
    admin.submit(&spec).await.unwrap();
    assert!(ends_well(&admin, "alone").await == expected(&spec, 0..3));
    verified(&mut study, 1).await;
}

fn asked_project() -> Project {
    let inference = InferenceSettings {
        jobs: vec![HEAD.to_owned()],
        batch: 4,
        precision: Some(12),
        ..InferenceSettings::default()
    };
    Project {
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        width: WIDTH as u32,
        askers: vec!["asker".to_owned()],
        inference: Some(inference),
        ..project(3, 2, 3)
    }
}

fn row(label: usize, rng: &mut ChaCha20Rng) -> Vec<f32> {
    (0..WIDTH)
        .map(|j| if j % 3 == label { 1.0 } else { -0.5 } + rng.next_u32() as f32 / u32::MAX as f32)
        .collect()
}

/// Learns the head with sites of this process.
async fn learned(study: &Processes, stop: &Stop) -> JobSpec {
    for number in 0..3u64 {
        let (kit, stop) = (study.kit(&format!("site-{number}")), stop.clone());
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let mut train = Examples::default();
        for k in 0..60 {
            train.labels.push(k % 3);
            train.rows.extend(row(k % 3, &mut rng));
        }
        let data = SiteData { train, ..SiteData::default() };
        let learner = Arc::new(SiteLearner::new(data, |_: &EpochFigures| {}));
        tokio::spawn(async move { site::run(&kit, &[], learner, 1 << 32, stop).await });
    }
    let settings = FedAvgSettings {
        width: WIDTH,
        classes: 3,
        rounds: 0,
        folds: 0,
        hidden: 8,
        examples: 256,
        validate: false,
        ..FedAvgSettings::default()
    };
    let settings = serde_json::to_value(settings).unwrap();
    let spec = JobSpec { kind: JobKind::Fedavg, settings, ..JobSpec::named(HEAD) };
    study.admin().unwrap().submit_draft(spec.clone()).await.unwrap();
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_workers_answer_have_the_heads_own_logits() {
    let Some((place, mut server)) = Place::with_queue().await else { return };
    let mut study = place.processes(asked_project());
    study.found_workers(2).unwrap();
    (0..2).for_each(|which| study.start_worker(which).unwrap());
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    let stop = Stop::new();
    let spec = learned(&study, &stop).await;
    let admin = study.admin().unwrap();
    let head = served_head(&spec, &ends_well(&admin, HEAD).await).unwrap();
    until_heard(&place).await;
    let mut rng = system::rng().unwrap();
    let all = [format!("coordinator={}", study.address().unwrap())];
    let asking = Asking::begin(&study.kit("asker"), &all, HEAD, &mut rng).await.unwrap();
    let mut drawn = ChaCha20Rng::seed_from_u64(9);
    for number in 0..12 {
        match number {
            4 => study.kill_worker(0),
            6 => server.kill(),
            8 => {
                server.again();
                study.start_worker(0).unwrap();
            }
            _ => {}
        }
        let tokens: Vec<Vec<f64>> =
            (0..3).map(|k| row(k, &mut drawn).into_iter().map(f64::from).collect()).collect();
        let (found, clear) = (asking.ask(&tokens, &mut rng).await.unwrap(), head.logits(&tokens).unwrap());
        for (found, clear) in found.iter().flatten().zip(clear.iter().flatten()) {
            assert!((found - clear).abs() < 1.0 / 1024.0, "question {number}: {found} for {clear}");
        }
    }
    let answered: usize =
        ["worker-0", "worker-1"].iter().map(|name| said(&place, name).matches("answering").count()).sum();
    println!("{answered} questions were begun by workers");
    assert!(answered >= 5, "workers did nothing");
    let quotas = admin.quotas().await.unwrap();
    println!("tokens counted: {}", quotas.study.life);
    assert_eq!(quotas.study.life % 12, 0, "each question is counted once");
    stop.stop();
}
