//! A thousand sites, of which some hold: one round of sums of a megabyte each, from the moment at which all uploads are ready.
//!
//! The sites are simulated in this process; what is measured is the coordinator's, another one: its memory, its processor time, and the wall time
//! of the round, in which both processes share the machine.

use std::time::Instant;

use tokio::sync::watch;

use super::{FederationOptions, finish, records, round, wrong};
use crate::bench::{Better, Figure};
use blindscope_federation::{Event, JobId, Record, Sizes};
use blindscope_node::kit::provision::Project;
use blindscope_node::processes::{Crowd, Processes};
use blindscope_node::{Deadlines, Result, Stop, rehearsal};

const AREA: &str = "scale";
/// Bytes of each upload, about.
const BYTES: u64 = 1_000_000;
/// Holders, and how many of them open.
const HOLDERS: (usize, u32) = (32, 17);
/// Bytes a second that the sum of all uploads is held against.
const RATE: f64 = 1e9;
const MEGABYTE: f64 = 1e6;
/// Ticks a second of `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// What a process has taken.
struct Taken {
    /// The most memory ever, megabytes.
    peak: f64,
    /// Seconds on processors.
    processor: f64,
}

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let folder = options.folder.join("many");
    let project = rehearsal::on_loopback(project(options.many))?;
    let (mut study, crowd) = Crowd::found(&options.binary, &folder, &project)?;
    study.start_coordinator()?;
    study.ready().await?;
    let (begun, stop) = (crowd.begun(), Stop::new());
    let mut running = tokio::spawn(crowd.run(stop.clone()));
    let summed = tokio::select! {
        summed = summed(&study, begun) => summed,
        ended = &mut running => ended.map_err(|_| wrong("the crowd of sites"))?.and(Err(wrong("the crowd of sites"))),
    };
    stop.stop();
    // What it comes to after that is not measured.
    let _ = running.await;
    summed
}

/// A project of so many sites, of which the first hold.
fn project(sites: usize) -> Project {
    let holders = sites.min(HOLDERS.0);
    let threshold = HOLDERS.1.min(holders as u32);
    let all = rehearsal::project(sites, threshold, sites as u32);
    Project {
        holders: all.sites.iter().take(holders).cloned().collect(),
        deadlines: Deadlines { ceremony_seconds: 600, upload_seconds: 3600, opening_seconds: 1800 },
        ..all
    }
}

/// One round over all of them, measured.
async fn summed(study: &Processes, mut begun: watch::Receiver<Option<Instant>>) -> Result<Vec<Figure>> {
    let admin = study.admin()?;
    let spec = round::of_bytes(&study.study()?, "many", 1, BYTES)?;
    let upload = Sizes::of(&study.study()?, &spec)?.upload;
    let job = admin.submit(&spec).await?;
    let began = *begun.wait_for(Option::is_some).await.map_err(|_| wrong("the crowd of sites"))?;
    let before = taken(study).ok_or_else(|| wrong("the reading of a process"))?;
    finish(&admin, "many").await?;
    let wall = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    let after = taken(study).ok_or_else(|| wrong("the reading of a process"))?;
    let sites = study.study()?.members().len();
    let (result, _) = admin.download("many", Vec::new()).await?;
    if result != rehearsal::expected(&spec, 0..sites) {
        return Err(wrong("the sum of many sites"));
    }
    let bytes = upload as f64 * sites as f64;
    let mut figures = of_coordinator((sites, bytes), wall, (&before, &after));
    figures.extend(of_steps(&records(&admin).await?, job));
    Ok(figures)
}

fn of_coordinator((sites, bytes): (usize, f64), wall: f64, (before, after): (&Taken, &Taken)) -> Vec<Figure> {
    let processor = after.processor - before.processor;
    let figure = |name: &str, unit, value: f64| {
        Figure::of(AREA, format!("{name}-{sites}-sites"), unit, Better::Lower, &[value])
    };
    vec![
        figure("coordinator-memory", "MB", after.peak).must(400.0, 200.0),
        figure("round-wall-over-bytes-at-1-GB-a-second", "x", wall * RATE / bytes).must(20.0, 5.0),
        figure("coordinator-processor-over-bytes-at-1-GB-a-second", "x", processor * RATE / bytes),
        figure("uploads-together", "MB", bytes / MEGABYTE),
    ]
}

/// Milliseconds of each step, from its question to what was made of its answers.
fn of_steps(records: &[Record], job: JobId) -> Vec<Figure> {
    let (mut opened, mut figures) = (None, Vec::new());
    for record in records {
        let at = record.body.at_ms;
        match &record.body.event {
            Event::Opened { step, .. } if step.job == job => opened = Some((step.phase, at, at)),
            Event::Closed { step, .. } if step.job == job => {
                opened = opened.map(|(phase, from, _)| (phase, from, at));
            }
            Event::Combined { .. } | Event::Done { .. } => {
                let Some((phase, from, closed)) = opened.take() else { continue };
                let of = |what, ms: u64| {
                    let name = format!("step-{}-{what}", phase.name());
                    Figure::of(AREA, name, "ms", Better::Lower, &[ms as f64])
                };
                figures.push(of("answers", closed.saturating_sub(from)));
                figures.push(of("combined", at.saturating_sub(closed)));
            }
            _ => {}
        }
    }
    figures
}

/// What the coordinator has taken until now.
fn taken(study: &Processes) -> Option<Taken> {
    let id = study.coordinator_id(0)?;
    let peak = super::memory::peak(Some(id))?;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // After the name, which may have spaces: state is the third field, user and system time are the 14th and 15th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(Taken { peak, processor: (ticks()? + ticks()?) / TICKS })
}
