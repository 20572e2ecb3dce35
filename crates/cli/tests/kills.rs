//! Processes are killed with SIGKILL at random times: nothing that was acknowledged is lost, nothing is counted twice, and the
//! results are the same bytes.
//!
//! Of two coordinators that share a place either is killed, leading or not.
//!
//! `BLINDSCOPE_KILLS` says how often (8 unless given), `BLINDSCOPE_SEED` which times.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

mod common;

use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{expected, project, sums};
use common::ends::{ends_well, verified};
use common::places::Place;

on_both!(kills_at_random_times_change_nothing);

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Kills and restarts one process.
async fn strike(study: &mut Processes, rng: &mut ChaCha20Rng) {
    tokio::time::sleep(Duration::from_millis(rng.next_u64() % 400)).await;
    let target = (rng.next_u64() % (study.sites() + study.coordinators()) as u64) as usize;
    let coordinator = target.checked_sub(study.sites());
    match coordinator {
        Some(which) => study.kill_coordinator(which),
        None => study.kill_site(target),
    }
    tokio::time::sleep(Duration::from_millis(rng.next_u64() % 100)).await;
    if coordinator.is_some() { study.start_coordinator().unwrap() } else { study.start_site(target).unwrap() }
}

async fn kills_at_random_times_change_nothing(place: &Place) {
    let (kills, seed) = (number("BLINDSCOPE_KILLS", 8), number("BLINDSCOPE_SEED", 1));
    println!("kills {kills}, seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut study = place.processes(project(3, 2, 3));
    study.start().await.unwrap();
    let mut specs = Vec::new();
    let mut struck = 0;
    while struck < kills {
        let spec = sums(&format!("job-{}", specs.len()), 2000, 3);
        study.ready().await.unwrap();
        study.admin().unwrap().submit(&spec).await.unwrap();
        specs.push(spec);
        for _ in 0..4.min(kills - struck) {
            strike(&mut study, &mut rng).await;
            struck += 1;
        }
    }
    study.ready().await.unwrap();
    let admin = study.admin().unwrap();
    for spec in &specs {
        let result = ends_well(&admin, &spec.name).await;
        assert!(result == expected(spec, 0..3), "{}: another sum", spec.name);
    }
    assert_eq!(study.ended(), None, "nothing ended by itself");
    let verdict = verified(&mut study, specs.len()).await;
    // Openings are counted by attempt: one a round where no share was lost.
    assert!(verdict.opened >= specs.len() as u64 * 3);
}
