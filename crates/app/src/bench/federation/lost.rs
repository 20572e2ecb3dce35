//! Eight sites, five of which open; three are killed before they contribute, and three in each phase after it.
//!
//! Sites on one machine are faster than whoever wants to kill them in the middle of a round. So the others are held back: a phase stays
//! open for the one that is held, until the three have answered it and are gone, and they are missing from the next one.

use std::process::Command;
use std::time::Duration;

use super::{AREA, FederationOptions, finish, records, wrong};
use crate::bench::{Better, Figure};
use blindscope_federation::{Deadlines, Event, Header, JobId, JobSpec, JobStatus, Phase, Record, SiteId};
use blindscope_node::Result;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const DEADLINE_SECONDS: u64 = 3;
/// Too many to be added up by everybody: each site evaluates its own.
const VALUES: u64 = 600_000;

/// Those who are killed, and two of those who are held back.
const LOST: [usize; 3] = [1, 4, 6];
const HELD: [usize; 2] = [0, 3];
const SITES: usize = 8;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let mut project = rehearsal::project(SITES, 5, 5);
    let (upload_seconds, opening_seconds) = (4 * DEADLINE_SECONDS, DEADLINE_SECONDS);
    project.deadlines = Deadlines { ceremony_seconds: 600, upload_seconds, opening_seconds };
    let mut study = options.study("lost", project).await?;
    let mut figures = Vec::new();
    for phase in [Phase::Upload, Phase::Findings, Phase::Agree, Phase::Open] {
        let over = lose(&mut study, phase).await?;
        let name = format!("lost-sites-{}", phase.name());
        figures.push(Figure::of(AREA, name, "s", Better::Lower, &[over]).must(2.0, 0.5));
    }
    Ok(figures)
}

/// Seconds from the deadline of the phase that lacks the lost sites to the end of the round; zero where it did not have to wait for them.
async fn lose(study: &mut Processes, phase: Phase) -> Result<f64> {
    let spec = rehearsal::sums(phase.name(), VALUES, 1);
    let admin = study.admin()?;
    let job = match phase {
        Phase::Upload => {
            strike(study);
            admin.submit(&spec).await?
        }
        Phase::Findings => before_findings(study, &admin, &spec).await?,
        Phase::Agree => before_agree(study, &admin, &spec).await?,
        _ => before_open(study, &admin, &spec).await?,
    };
    finish(&admin, &spec.name).await?;
    let (result, _) = admin.download(&spec.name, Vec::new()).await?;
    let lost = |site: &usize| phase == Phase::Upload && LOST.contains(site);
    if result != rehearsal::expected(&spec, (0..SITES).filter(|site| !lost(site))) {
        return Err(wrong("a sum that is not the committed sites'"));
    }
    LOST.iter().try_for_each(|&site| study.start_site(site))?;
    overshoot(&records(&admin).await?, job, phase)
}

/// The lost ones have uploaded, and nobody else.
async fn before_findings(study: &mut Processes, admin: &Admin, spec: &JobSpec) -> Result<JobId> {
    let others = all_but(&LOST);
    hold(study, &others, true)?;
    let job = admin.submit(spec).await?;
    answered(admin, spec, Phase::Upload, &LOST).await?;
    strike(study);
    hold(study, &others, false)?;
    Ok(job)
}

/// All have uploaded, and one is held before its findings.
async fn before_agree(study: &mut Processes, admin: &Admin, spec: &JobSpec) -> Result<JobId> {
    let held = &HELD[..1];
    hold(study, &all_but(held), true)?;
    let job = admin.submit(spec).await?;
    answered(admin, spec, Phase::Upload, held).await?;
    hold(study, held, true)?;
    hold(study, &all_but(held), false)?;
    answered(admin, spec, Phase::Findings, &LOST).await?;
    strike(study);
    hold(study, held, false)?;
    Ok(job)
}

/// All have uploaded and said what they found, and one is held before it signs.
async fn before_open(study: &mut Processes, admin: &Admin, spec: &JobSpec) -> Result<JobId> {
    let (first, second) = HELD.split_at(1);
    hold(study, &all_but(&HELD), true)?;
    let job = admin.submit(spec).await?;
    answered(admin, spec, Phase::Upload, &HELD).await?;
    hold(study, &HELD, true)?;
    hold(study, &all_but(&HELD), false)?;
    answered(admin, spec, Phase::Findings, &all_but(&HELD)).await?;
    hold(study, first, false)?;
    answered(admin, spec, Phase::Findings, first).await?;
    hold(study, first, true)?;
    hold(study, second, false)?;
    answered(admin, spec, Phase::Agree, &LOST).await?;
    strike(study);
    hold(study, first, false)?;
    Ok(job)
}

fn all_but(out: &[usize]) -> Vec<usize> {
    (0..SITES).filter(|site| !out.contains(site)).collect()
}

fn strike(study: &mut Processes) {
    for site in LOST {
        study.kill_site(site);
    }
}

/// Stops processes where they are, or lets them go on.
fn hold(study: &Processes, sites: &[usize], stop: bool) -> Result<()> {
    let signal = if stop { "-STOP" } else { "-CONT" };
    for id in sites.iter().filter_map(|&site| study.site_id(site)) {
        let done = Command::new("kill").args([signal, &id.to_string()]).status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(wrong("holding a process back with the command kill"));
        }
    }
    Ok(())
}

/// Waits until these sites have answered a phase that is still open.
async fn answered(admin: &Admin, spec: &JobSpec, phase: Phase, sites: &[usize]) -> Result<()> {
    loop {
        let status = admin.status(&spec.name).await?.status;
        if let JobStatus::Asking(view) = &status
            && view.step.phase == phase
            && sites.iter().all(|&site| view.answered.contains(&SiteId(site as u16)))
        {
            return Ok(());
        }
        if matches!(status, JobStatus::Done { .. } | JobStatus::Failed { .. }) {
            return Err(wrong("a round that ended while a site was held back"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn overshoot(records: &[Record], job: JobId, phase: Phase) -> Result<f64> {
    let (mut deadline, mut passed) = (0, None);
    let is_late = |header: &Header| {
        let step = header.step;
        (step.job, step.phase) == (job, phase) && LOST.contains(&usize::from(header.site.0))
    };
    for record in records {
        match &record.body.event {
            Event::Opened { step, deadline_ms, .. } if step.job == job => deadline = *deadline_ms,
            Event::Accepted { answer } if is_late(&answer.header) => {
                return Err(wrong("a site that answered after it was killed"));
            }
            Event::Closed { step, missing, .. } if step.job == job && !missing.is_empty() => {
                passed = Some(deadline);
            }
            Event::Done { job: done, .. } if *done == job => {
                let over = passed.map_or(0, |at| record.body.at_ms.saturating_sub(at));
                return Ok(over as f64 / 1000.0);
            }
            _ => {}
        }
    }
    Err(wrong("a job without an end"))
}
