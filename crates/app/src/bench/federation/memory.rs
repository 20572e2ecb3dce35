//! The coordinator's memory while many sites send 10 MB each.

use super::{AREA, FederationOptions, finish, round, wrong};
use crate::bench::{Better, Figure};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const BYTES: u64 = 10_000_000;
const MEGABYTE: f64 = 1e6;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let sites = options.sites;
    let project = rehearsal::project(sites, 2, sites as u32);
    let mut study = Processes::provision(
        &options.binary,
        &options.folder.join("memory"),
        project,
        &rehearsal::learning(sites),
    )?;
    study.start_coordinator()?;
    study.ready().await?;
    // Sites run within this process: the figure is the coordinator's.
    let (stop, mut running) = (blindscope_node::Stop::new(), tokio::task::JoinSet::new());
    for site in 0..sites {
        let (kit, stop) = (study.kit(&format!("site-{site}")), stop.clone());
        let learning = std::sync::Arc::new(blindscope_node::plain::Plain::Seed(site as u64));
        running.spawn(async move { blindscope_node::site::run(&kit, &[], learning, 1 << 40, stop).await });
    }
    let admin = study.admin()?;
    let spec = round::of_bytes(&study.study()?, "update", 1, BYTES)?;
    admin.submit(&spec).await?;
    finish(&admin, "update").await?;
    let peak = peak(study.coordinator_id(0)).ok_or_else(|| wrong("the reading of a process's memory"))?;
    stop.stop();
    while running.join_next().await.is_some() {}
    Ok(vec![
        Figure::of(AREA, format!("coordinator-memory-{sites}-sites"), "MB", Better::Lower, &[peak])
            .must(300.0, 200.0),
    ])
}

/// The most memory that the process ever held, megabytes.
pub(super) fn peak(process: Option<u32>) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / MEGABYTE)
}
