//! The clear twin: the same job without encryption.

use super::job::learning;
use super::{Error, Integers, Result, SiteData, Watch};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_federation::{Advanced, JobSpec};

/// The result of a job over all `sites` with their integers added in the clear. The encrypted job has to end in the same
/// bytes.
///
/// # Errors
/// As contributions and sums have them.
pub fn clear_twin(job: &JobSpec, sites: &[&SiteData], watch: Watch<'_>) -> Result<Vec<u8>> {
    let learning = learning(job)?;
    let contribute = |site: usize, round, input: &[u8]| learning.contribute(sites[site], round, input, watch);
    let mut ends = ends(job, sites.len(), &contribute)?;
    Ok(ends.pop().unwrap_or_default())
}

/// What each round of a job with noise ends in, its result last, over all `sites` with their integers added in the clear; `key` is a site's
/// key of the noise of a round. For attacks on what such a job opens.
///
/// # Errors
/// As contributions and sums have them; [`Error::Unbounded`] for a kind without noise.
pub fn noised_twin(
    job: &JobSpec,
    sites: &[&SiteData],
    key: &dyn Fn(usize, u64) -> NoiseKey,
) -> Result<Vec<Vec<u8>>> {
    let learning = learning(job)?;
    let contribute =
        |site: usize, round, input: &[u8]| learning.noised(sites[site], round, input, &key(site, round));
    ends(job, sites.len(), &contribute)
}

type Contribute<'c> = &'c dyn Fn(usize, u64, &[u8]) -> Result<Integers>;

fn ends(job: &JobSpec, sites: usize, contribute: Contribute<'_>) -> Result<Vec<Vec<u8>>> {
    let (learning, mut ends) = (learning(job)?, Vec::<Vec<u8>>::new());
    for round in 0..job.rounds {
        let input = ends.last().map_or(&[][..], Vec::as_slice);
        let mut sums = vec![0u64; job.values as usize];
        for site in 0..sites {
            sums.iter_mut().zip(contribute(site, round, input)?).for_each(|(s, v)| *s += v);
        }
        match learning.advance(round, input, &sums, sites)? {
            Advanced::Next(next) => ends.push(next),
            Advanced::Final(result) => {
                ends.push(result);
                return Ok(ends);
            }
        }
    }
    let reason = format!("no result after {} rounds", job.rounds);
    Err(Error::Sums { operation: "clear twin", reason })
}
