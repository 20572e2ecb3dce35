//! What the log alone says of a job's rounds.

use blindscope_federation::{Event, JobId, Phase, Record, SiteId};

/// The committed sites of each round of a job, by the log alone.
pub(crate) fn committed(log: &[Record], job: JobId) -> Vec<Vec<SiteId>> {
    let mut rounds: Vec<Vec<SiteId>> = Vec::new();
    for record in log {
        match &record.body.event {
            Event::Closed { step, committed, .. } if step.job == job && step.phase == Phase::Upload => {
                assert_eq!(step.round, rounds.len() as u64, "a round that closed twice");
                rounds.push(committed.clone());
            }
            Event::Excluded { step, missing } if step.job == job && step.phase == Phase::Upload => {
                rounds.last_mut().unwrap().retain(|s| missing.iter().all(|m| m.site != *s));
            }
            Event::Combined { step, output } if step.job == job => {
                if let Some(named) = &output.named {
                    rounds.last_mut().unwrap().clone_from(&named.sites);
                }
            }
            _ => {}
        }
    }
    rounds
}
