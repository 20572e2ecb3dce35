//! Which of the sites that uploaded may be summed together, where the same values were summed before.
//!
//! Sums of one input over two sets would tell the sites apart that are in one of them alone. So a site that was in a set is in this set
//! again or in none; whoever was in none is free.

use crate::SiteId;

/// The largest set of these sites that may be summed: one of the earlier sets, or those that are in none of them.
pub fn summable(uploaded: &[SiteId], earlier: &[Vec<SiteId>]) -> Vec<SiteId> {
    let here = |set: &&Vec<SiteId>| set.iter().all(|site| uploaded.contains(site));
    let again = earlier.iter().filter(here).max_by_key(|set| set.len()).cloned().unwrap_or_default();
    let in_none = |site: &SiteId| !earlier.iter().any(|set| set.contains(site));
    let fresh: Vec<_> = uploaded.iter().copied().filter(in_none).collect();
    if fresh.len() > again.len() { fresh } else { again }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(numbers: &[u16]) -> Vec<SiteId> {
        numbers.iter().copied().map(SiteId).collect()
    }

    #[test]
    fn a_site_is_in_its_earlier_set_or_in_none() {
        for (uploaded, earlier, expected) in [
            (&[0, 1, 2][..], &[][..], &[0, 1, 2][..]),
            (&[0, 1, 2], &[sites(&[0, 1])], &[0, 1]),
            (&[0, 1, 2], &[sites(&[0, 1, 2])], &[0, 1, 2]),
            (&[0, 1], &[sites(&[0, 1, 2])], &[]),
            (&[0, 2, 3], &[sites(&[0, 1])], &[2, 3]),
            (&[0, 1, 2, 3, 4], &[sites(&[0, 1])], &[2, 3, 4]),
            (&[0, 1, 2, 3, 4], &[sites(&[0, 1]), sites(&[2, 3, 4])], &[2, 3, 4]),
        ] {
            assert_eq!(summable(&sites(uploaded), earlier), sites(expected), "{uploaded:?} {earlier:?}");
        }
    }
}
