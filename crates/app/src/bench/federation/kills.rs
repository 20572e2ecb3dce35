//! Processes killed with SIGKILL at random times while jobs run: what was lost, what was counted twice, what came out otherwise.

use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::{AREA, FederationOptions, finish, records};
use crate::bench::{Better, Figure};
use blindscope_federation::{Event, JobSpec, Record};
use blindscope_node::Result;
use blindscope_node::admin::log;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const SITES: usize = 3;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let mut study = options.study("kills", rehearsal::project(SITES, 2, 3)).await?;
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let mut specs: Vec<JobSpec> = Vec::new();
    let mut struck = 0;
    while struck < options.kills {
        let spec = rehearsal::sums(&format!("job-{}", specs.len()), 2000, 3);
        study.ready().await?;
        study.admin()?.submit(&spec).await?;
        specs.push(spec);
        for _ in 0..4.min(options.kills - struck) {
            strike(&mut study, &mut rng).await?;
            struck += 1;
        }
    }
    study.ready().await?;
    let other = results(&study, &specs).await?;
    let log = records(&study.admin()?).await?;
    let (lost, twice) = held_against(&mut study, &log).await?;
    let exact = |name, value: usize| {
        let mut figure = Figure::of(AREA, name, "count", Better::Lower, &[value as f64]).must(0.0, 0.0);
        figure.runs = options.kills as usize;
        figure
    };
    Ok(vec![
        exact("kills-acknowledged-lost", lost),
        exact("kills-counted-twice", twice),
        exact("kills-other-result", other),
    ])
}

/// Kills a process at a random time and starts it again.
async fn strike(study: &mut Processes, rng: &mut ChaCha20Rng) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(rng.next_u64() % 400)).await;
    let target = (rng.next_u64() % (SITES as u64 + 1)) as usize;
    if target == SITES {
        study.kill_coordinator();
    } else {
        study.kill_site(target);
    }
    tokio::time::sleep(Duration::from_millis(rng.next_u64() % 100)).await;
    if target == SITES { study.start_coordinator() } else { study.start_site(target) }
}

/// How many jobs did not end in the bytes that they end in without kills.
async fn results(study: &Processes, specs: &[JobSpec]) -> Result<usize> {
    let admin = study.admin()?;
    let mut other = 0;
    for spec in specs {
        finish(&admin, &spec.name).await?;
        let (found, _) = admin.download(&spec.name, Vec::new()).await?;
        other += usize::from(found != rehearsal::expected(spec, 0..SITES));
    }
    Ok(other)
}

/// Receipts of sites that the log does not hold, and answers that it holds twice.
async fn held_against(study: &mut Processes, log: &[Record]) -> Result<(usize, usize)> {
    let mut lost = 0;
    for site in 0..SITES {
        study.kill_site(site);
        let receipts = log::receipts(&study.kit(&format!("site-{site}"))).await?;
        let held = |receipt: &&Record| log.get(receipt.body.seq as usize) == Some(*receipt);
        lost += receipts.iter().filter(|receipt| !held(receipt)).count();
    }
    let answers: Vec<_> = log
        .iter()
        .filter_map(|record| match &record.body.event {
            Event::Accepted { answer } => Some((answer.header.step, answer.header.site)),
            _ => None,
        })
        .collect();
    let once: BTreeSet<_> = answers.iter().collect();
    Ok((lost, answers.len() - once.len()))
}
