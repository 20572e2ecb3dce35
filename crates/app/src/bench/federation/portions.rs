//! Sums of large uploads by one worker, and in portions by two: milliseconds from the last answer of a step to what was made of them all.

use std::time::Duration;

use super::{finish, records, round, wrong};
use crate::bench::{Better, Figure};
use blindscope_federation::{Event, JobId, Phase, Record};
use blindscope_node::processes::Processes;
use blindscope_node::{Error, Result, rehearsal};

const AREA: &str = "scale";
/// Bytes of an upload, about.
const BYTES: u64 = 16_000_000;
/// Measurements with each number of workers, by turns.
const RUNS: usize = 5;
/// Until a leader counts a worker that has begun, or has not been heard for a while.
const KNOWN: Duration = Duration::from_secs(12);

/// Measures in a study with two workers, whose sites run as processes.
pub(super) async fn figures(study: &mut Processes) -> Result<Vec<Figure>> {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    study.recovered().await?;
    let went_over = |study: &Processes| Ok::<_, Error>(study.portions_of(0)? + study.portions_of(1)?);
    for run in 0..RUNS {
        study.kill_worker(1);
        tokio::time::sleep(KNOWN).await;
        let before = went_over(study)?;
        one.push(combining(study, &format!("one-worker-{run}")).await?);
        let alone = went_over(study)?;
        study.start_worker(1)?;
        tokio::time::sleep(KNOWN).await;
        two.push(combining(study, &format!("two-workers-{run}")).await?);
        if alone != before || went_over(study)? == alone {
            return Err(wrong("the division of work among two workers, and not one"));
        }
    }
    let ratios: Vec<f64> = one.iter().zip(&two).map(|(one, two)| one / two.max(1.0)).collect();
    let wall = |name: &str, times: &[f64]| Figure::of(AREA, name, "ms", Better::Lower, times);
    Ok(vec![
        wall("large-sum-one-worker", &one),
        wall("large-sum-two-workers", &two),
        Figure::of(AREA, "large-sum-two-workers-over-one", "x", Better::Higher, &ratios),
    ])
}

/// Milliseconds in which what came in of one round was read, and added up.
async fn combining(study: &Processes, name: &str) -> Result<f64> {
    let admin = study.admin()?;
    let spec = round::of_bytes(&study.study()?, name, 1, BYTES)?;
    let job = admin.submit(&spec).await?;
    finish(&admin, name).await?;
    let (found, _) = admin.download(name, Vec::new()).await?;
    if found != rehearsal::expected(&spec, 0..study.sites()) {
        return Err(wrong("a sum in portions"));
    }
    Ok(between(&records(&admin).await?, job))
}

/// Milliseconds from the closing of the steps whose answers are large to what was made of these.
fn between(records: &[Record], job: JobId) -> f64 {
    let (mut closed, mut all) = (None, 0);
    for record in records {
        let at = record.body.at_ms;
        match &record.body.event {
            Event::Closed { step, .. } if step.job == job => closed = Some((step.phase, at)),
            Event::Combined { step, .. } if step.job == job => {
                if let Some((Phase::Upload | Phase::Findings, from)) = closed.take() {
                    all += at.saturating_sub(from);
                }
            }
            _ => {}
        }
    }
    all as f64
}
