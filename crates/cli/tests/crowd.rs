//! A coordinator process under many sites at once, of which some hold: what `bench scale` measures with a thousand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helper functions of tests")]

use std::path::Path;
use std::time::Duration;

use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Crowd;
use blindscope_node::rehearsal::{expected, on_loopback, project, sums};
use blindscope_node::{JobSpec, Stop};

/// The sum of one round over so many sites, the first four of which hold.
async fn summed(sites: usize, spec: &JobSpec) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let all = project(sites, 3, sites as u32);
    let holders = all.sites.iter().take(4).cloned().collect();
    let project = on_loopback(Project { holders, ..all }).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_blindscope"));
    let (mut study, crowd) = Crowd::found(binary, folder.path(), &project).unwrap();
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    let stop = Stop::new();
    let running = tokio::spawn(crowd.run(stop.clone()));
    let admin = study.admin().unwrap();
    admin.submit(spec).await.unwrap();
    let last = tokio::time::timeout(Duration::from_mins(3), admin.watch(&spec.name, |_| {})).await;
    blindscope_node::admin::jobs::result(admin.study(), &last.expect("the round ends").unwrap()).unwrap();
    stop.stop();
    running.await.unwrap().unwrap();
    admin.download(&spec.name, Vec::new()).await.unwrap().0
}

/// Holders alone sign a small set; of a large one each site evaluates its own upload, and makes what the next round starts from of its root.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_sites_hold_for_all_of_them() {
    for (name, values, rounds) in [("small", 500, 1), ("large", 60_000, 1), ("rounds", 60_000, 2)] {
        let spec = sums(name, values, rounds);
        assert!(summed(16, &spec).await == expected(&spec, 0..16), "{name}");
    }
}
