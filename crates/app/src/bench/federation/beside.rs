//! Four jobs at once against the same four one after the other: a coordinator that may have four at work, and one that may have one.

use super::{AREA, FederationOptions, finish, records};
use crate::bench::{Better, Figure};
use blindscope_federation::{Event, JobId, Record};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const JOBS: u32 = 4;
const SITES: usize = 3;
/// Of each job: integers, about those of a head of one layer over 768 features, and rounds.
const VALUES: u64 = 2_000;
const ROUNDS: u64 = 5;
/// Repetitions, the first of which warms up.
const RUNS: u32 = 6;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let (one, four) = (times(options, 1).await?, times(options, JOBS).await?);
    let ratios: Vec<f64> = one.iter().zip(&four).map(|(one, four)| four / one.max(1.0)).collect();
    let wall = |name: &str, times: &[f64]| Figure::of(AREA, name, "ms", Better::Lower, times);
    Ok(vec![
        wall("four-jobs-one-after-another", &one),
        wall("four-jobs-at-once", &four),
        Figure::of(AREA, "four-jobs-at-once-over-one-after-another", "x", Better::Lower, &ratios)
            .must(0.6, 0.4),
    ])
}

/// Milliseconds that four jobs take from the first one's submission to the last one's end, by the coordinator's records, with so many
/// at work at a time.
async fn times(options: &FederationOptions, at_once: u32) -> Result<Vec<f64>> {
    let folder = options.folder.join(format!("beside-{at_once}"));
    let (project, learning) = (rehearsal::project(SITES, 2, 3), rehearsal::learning(SITES));
    let study = Processes::provision(&options.binary, &folder, project, &learning)?;
    study.allow_jobs(at_once)?;
    let study = super::begin(study).await?;
    let admin = study.admin()?;
    let mut jobs = Vec::new();
    for run in 0..RUNS {
        let names: Vec<String> = (0..JOBS).map(|job| format!("run-{run}-job-{job}")).collect();
        let mut ids = Vec::new();
        for name in &names {
            ids.push(admin.submit(&rehearsal::sums(name, VALUES, ROUNDS)).await?);
        }
        for name in &names {
            finish(&admin, name).await?;
        }
        jobs.push(ids);
    }
    let log = records(&admin).await?;
    let span = |ids: &Vec<JobId>| {
        let of_these = |job: &JobId| ids.contains(job);
        let mut submitted = u64::MAX;
        let mut done = 0;
        for Record { body, .. } in &log {
            match &body.event {
                Event::Submitted { job, .. } if of_these(job) => submitted = submitted.min(body.at_ms),
                Event::Done { job, .. } if of_these(job) => done = done.max(body.at_ms),
                _ => {}
            }
        }
        done.saturating_sub(submitted) as f64
    };
    Ok(jobs.iter().skip(1).map(span).collect())
}
