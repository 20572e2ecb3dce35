//! Processes are killed with SIGKILL at random times: nothing that was acknowledged is lost, nothing is counted twice, and the
//! results are the same bytes.
//!
//! Of two coordinators that share a place either is killed, leading or not; and so are workers, NATS and PostgreSQL, and every site.
//!
//! `BLINDSCOPE_KILLS` says how often (8 unless given), `BLINDSCOPE_SEED` which times.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

mod common;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use blindscope_node::processes::{Kills, Processes};
use blindscope_node::rehearsal::{expected, project, sums};
use common::ends::{ends_well, verified};
use common::places::Place;

/// Values of a sum whose uploads are in the log, and of one whose are beside it and are gone over in portions where there are workers.
const VALUES: [u64; 2] = [2_000, 2_000_000];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_times_change_nothing() {
    let place = Place::embedded();
    let mut study = place.processes(project(3, 2, 3));
    study.start().await.unwrap();
    killed(&mut study, &VALUES[..1]).await;
}

#[cfg(feature = "scale")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_servers_and_workers_too_change_nothing() {
    let Some((place, servers)) = Place::with_servers().await else { return };
    let mut study = place.processes(project(3, 2, 3));
    study.found_workers(2).unwrap();
    for server in servers {
        study.lean_on(server);
    }
    study.recovered().await.unwrap();
    killed(&mut study, &VALUES).await;
}

async fn killed(study: &mut Processes, values: &[u64]) {
    let (kills, seed) = (number("BLINDSCOPE_KILLS", 8), number("BLINDSCOPE_SEED", 1));
    println!("kills {kills}, seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut specs, mut struck) = (Vec::new(), Kills::new());
    while struck.values().sum::<u64>() < kills {
        let spec = sums(&format!("job-{}", specs.len()), values[specs.len() % values.len()], 3);
        study.submit(&spec).await.unwrap();
        specs.push(spec);
        for _ in 0..4.min(kills - struck.values().sum::<u64>()) {
            study.strike(&mut rng, &mut struck).await.unwrap();
        }
    }
    println!("killed: {struck:?}");
    let kinds = if study.workers() > 0 { 5 } else { 2 };
    assert_eq!(struck.len() as u64, kinds.min(kills), "some kind of process was never killed");
    study.recovered().await.unwrap();
    let admin = study.admin().unwrap();
    for spec in &specs {
        let result = ends_well(&admin, &spec.name).await;
        assert!(result == expected(spec, 0..3), "{}: another sum", spec.name);
    }
    // Of several, one ends by itself that cannot hold its lease.
    let ended = study.ended();
    let leads_no_more = |name: &String| study.coordinators() > 1 && name.starts_with("coordinator");
    assert!(ended.as_ref().is_none_or(leads_no_more), "{ended:?} ended by itself");
    let verdict = verified(study, specs.len()).await;
    // Openings are counted by attempt: one a round where no share was lost.
    assert!(verdict.opened >= specs.len() as u64 * 3);
}
