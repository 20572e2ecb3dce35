//! What moved, read off the coordinator's records: the audit log is the only witness.

use std::collections::{BTreeMap, BTreeSet};

use super::results::TrafficFigures;
use blindscope_federation::{Event, JobId, JobSpec, Phase, Record, Step};

#[derive(Default)]
struct Sum {
    rounds: BTreeSet<u64>,
    messages: u64,
    bytes: u64,
    /// First and last record of each step, milliseconds.
    times: BTreeMap<Step, (u64, u64)>,
}

/// The figures of every job and phase, in the order in which they began.
pub(super) fn figures(records: &[Record]) -> Vec<TrafficFigures> {
    let mut specs: BTreeMap<JobId, &JobSpec> = BTreeMap::new();
    let mut order: Vec<(JobId, Phase)> = Vec::new();
    let mut sums: BTreeMap<(JobId, Phase), Sum> = BTreeMap::new();
    for record in records {
        let at = record.body.at_ms;
        match &record.body.event {
            Event::Submitted { job, spec, .. } => drop(specs.insert(*job, spec)),
            Event::Opened { step, .. } => {
                let key = (step.job, step.phase);
                if !order.contains(&key) {
                    order.push(key);
                }
                sums.entry(key).or_default().times.insert(*step, (at, at));
            }
            Event::Accepted { answer } => {
                let step = answer.header.step;
                let sum = sums.entry((step.job, step.phase)).or_default();
                sum.rounds.insert(step.round);
                sum.messages += 1;
                sum.bytes += answer.payload().map_or(0, |blob| blob.len);
                sum.times.entry(step).and_modify(|t| t.1 = at);
            }
            _ => {}
        }
    }
    let figure = |key: &(JobId, Phase)| {
        let (spec, sum) = (specs.get(&key.0)?, sums.get(key)?);
        Some(TrafficFigures {
            job: spec.name.clone(),
            phase: key.1.name().to_owned(),
            rounds: sum.rounds.len() as u64,
            messages: sum.messages,
            bytes_each: sum.bytes / sum.messages.max(1),
            bytes: sum.bytes,
            seconds: sum.times.values().map(|(a, b)| b - a).sum::<u64>() as f64 / 1e3,
            values: if key.1 == Phase::Upload { spec.values } else { 0 },
        })
    };
    order.iter().filter_map(figure).collect()
}
