//! A durable round: three sites, 100,000 values each, from the question to the opened sum, by the coordinator's records.

use super::{AREA, FederationOptions, finish, records};
use crate::bench::{Better, Figure};
use blindscope_federation::{Event, JobId, JobSpec, Phase, Record, Sizes, Study};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const VALUES: u64 = 100_000;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let study = options.study("round", rehearsal::project(3, 2, 3)).await?;
    let (times, upload) = durable(&study, options.rounds).await?;
    let figure = Figure::of(AREA, "durable-round", "ms", Better::Lower, &times).must(60.0, 25.0);
    let bytes = Figure::of(AREA, "durable-round-upload", "bytes", Better::Lower, &[upload as f64]);
    Ok(vec![figure, bytes])
}

/// Milliseconds of each round but the first, and bytes of an upload, in a study of three sites.
pub(super) async fn durable(study: &Processes, rounds: u64) -> Result<(Vec<f64>, u64)> {
    let admin = study.admin()?;
    let spec = rehearsal::sums("rounds", VALUES, rounds.max(3));
    let sizes = Sizes::of(&study.study()?, &spec)?;
    let job = admin.submit(&spec).await?;
    finish(&admin, "rounds").await?;
    Ok((times(&records(&admin).await?, job), sizes.upload))
}

/// A job whose uploads have about `bytes` bytes.
pub(super) fn of_bytes(study: &Study, name: &str, rounds: u64, bytes: u64) -> Result<JobSpec> {
    let probe = Sizes::of(study, &rehearsal::sums(name, bytes / 4, rounds))?;
    let values = u128::from(bytes) * u128::from(bytes / 4) / u128::from(probe.upload.max(1));
    Ok(rehearsal::sums(name, (values as u64).max(1), rounds))
}

/// Milliseconds of each round but the first, which warms up.
pub(super) fn times(records: &[Record], job: JobId) -> Vec<f64> {
    let mut begun = None;
    let mut times = Vec::new();
    for record in records {
        match &record.body.event {
            Event::Opened { step, .. } if step.job == job && step.phase == Phase::Upload => {
                begun = Some(record.body.at_ms);
            }
            Event::Advanced { job: done, .. } | Event::Done { job: done, .. } if *done == job => {
                times.extend(begun.take().map(|from| record.body.at_ms.saturating_sub(from) as f64));
            }
            _ => {}
        }
    }
    if times.len() > 1 {
        times.remove(0);
    }
    times
}
