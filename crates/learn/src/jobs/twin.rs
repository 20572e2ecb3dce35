//! The clear twin: the same job without encryption.

use super::job::learning;
use super::{Error, Result, SiteData, Watch};
use blindscope_federation::{Advanced, JobSpec};

/// The result of a job over all `sites` with their integers added in the clear. The encrypted job has to end in the same
/// bytes.
///
/// # Errors
/// As contributions and sums have them.
pub fn clear_twin(job: &JobSpec, sites: &[&SiteData], watch: Watch<'_>) -> Result<Vec<u8>> {
    let learning = learning(job)?;
    let mut input = Vec::new();
    for round in 0..job.rounds {
        let mut sums = vec![0u64; job.values as usize];
        for site in sites {
            let values = learning.contribute(site, round, &input, watch)?;
            sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
        }
        match learning.advance(round, &input, &sums, sites.len())? {
            Advanced::Next(next) => input = next,
            Advanced::Final(result) => return Ok(result),
        }
    }
    let reason = format!("no result after {} rounds", job.rounds);
    Err(Error::Sums { operation: "clear twin", reason })
}
