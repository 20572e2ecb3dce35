//! Eight sites, five of which open; three are killed before they contribute, and three in each phase after it.

use std::time::Duration;

use super::{AREA, FederationOptions, finish, records, wrong};
use crate::bench::{Better, Figure};
use blindscope_federation::{Deadlines, Event, JobId, JobSpec, JobStatus, Phase, Record};
use blindscope_node::Result;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::processes::Processes;
use blindscope_node::trial;

const DEADLINE_SECONDS: u64 = 3;
/// Enough that a site is a while at its share.
const VALUES: u64 = 600_000;
/// A kill comes too late where the sites are faster; then another round is tried.
const TRIES: usize = 8;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let mut project = trial::project(8, 5, 5);
    let (upload_seconds, opening_seconds) = (4 * DEADLINE_SECONDS, DEADLINE_SECONDS);
    project.deadlines = Deadlines { ceremony_seconds: 600, upload_seconds, opening_seconds };
    let mut study = options.study("lost", project).await?;
    let mut figures = Vec::new();
    for (phase, sites, committed) in [
        (Phase::Upload, [1, 4, 6], vec![0, 2, 3, 5, 7]),
        (Phase::Findings, [0, 1, 2], (0..8).collect()),
        (Phase::Agree, [0, 1, 2], (0..8).collect()),
        (Phase::Open, [0, 1, 2], (0..8).collect()),
    ] {
        let mut over = None;
        for attempt in 0..TRIES {
            let spec = trial::sums(&format!("{}-{attempt}", phase.name()), VALUES, 1);
            over = lose(&mut study, &spec, phase, &sites, &committed).await?;
            if over.is_some() {
                break;
            }
        }
        let over = over.ok_or_else(|| wrong("rounds whose sites were all faster than the kill"))?;
        let name = format!("lost-sites-{}", phase.name());
        figures.push(Figure::of(AREA, name, "s", Better::Lower, &[over]).must(2.0, 0.5));
    }
    Ok(figures)
}

/// Seconds from the last deadline that passed to the end of the round; none where no deadline passed.
async fn lose(
    study: &mut Processes,
    spec: &JobSpec,
    phase: Phase,
    sites: &[usize],
    committed: &[usize],
) -> Result<Option<f64>> {
    let admin = study.admin()?;
    if phase == Phase::Upload {
        strike(study, sites);
    }
    let job = admin.submit(spec).await?;
    if phase != Phase::Upload {
        come_to(&admin, &spec.name, |status| asks(status, phase)).await?;
        strike(study, sites);
    }
    finish(&admin, &spec.name).await?;
    let (result, _) = admin.download(&spec.name, Vec::new()).await?;
    if result != trial::expected(spec, committed.iter().copied()) {
        return Err(wrong("a sum that is not the committed sites'"));
    }
    sites.iter().try_for_each(|&site| study.start_site(site))?;
    Ok(overshoot(&records(&admin).await?, job))
}

fn strike(study: &mut Processes, sites: &[usize]) {
    for &site in sites {
        study.kill_site(site);
    }
}

/// Waits until the job is there, or over.
async fn come_to(admin: &Admin, job: &str, there: impl Fn(&JobStatus) -> bool) -> Result<()> {
    loop {
        let status = admin.status(job).await?.status;
        if there(&status) || matches!(status, JobStatus::Done { .. } | JobStatus::Failed { .. }) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn asks(status: &JobStatus, phase: Phase) -> bool {
    matches!(status, JobStatus::Asking(step) if step.step.phase == phase)
}

fn overshoot(records: &[Record], job: JobId) -> Option<f64> {
    let (mut deadline, mut passed) = (None, None);
    for record in records {
        match &record.body.event {
            Event::Opened { step, deadline_ms, .. } if step.job == job => deadline = Some(*deadline_ms),
            Event::Closed { step, missing, .. } if step.job == job && !missing.is_empty() => {
                passed = deadline;
            }
            Event::Done { job: done, .. } if *done == job => {
                return passed.map(|at| record.body.at_ms.saturating_sub(at) as f64 / 1000.0);
            }
            _ => {}
        }
    }
    None
}
