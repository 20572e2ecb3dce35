//! Work in portions: most of a large sum's work is going over its uploads one by one, and several may go over some each.

use serde::{Deserialize, Serialize};

use super::run::judged;
use super::{Combining, Job};
use crate::{Advance, Advanced, Blob, Blobs, Error, Input, LearnError, Result, SiteId, Study, Work};

/// Some of the uploads of a work, gone over by somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portion {
    /// Whose uploads, in order.
    pub sites: Vec<SiteId>,
    /// What became of them: what was read of each where uploads come in, their sum where they are added up.
    pub made: Blob,
}

/// The uploads that a work goes over one by one, in the sites' order; none where its kind or step has none, or where its outcome does not need them.
///
/// # Errors
/// As [`combine`](crate::combine), which says which site's payload it is.
pub fn divisible(study: &Study, work: &Work, blobs: &dyn Blobs) -> Result<Vec<(SiteId, Blob)>> {
    let combining = Combining { study, work, learning: &Nothing, blobs, portions: &[] };
    Job::of(work.spec())?.kind().divisible(&combining)
}

/// Goes over the uploads of these sites, some of [`divisible`] in its order. One chunk of each is in memory. The same bytes, whoever does it.
///
/// # Errors
/// [`Error::Portions`] for sites that are none of the work's; as [`divisible`].
pub fn portion(study: &Study, work: &Work, sites: &[SiteId], blobs: &dyn Blobs) -> Result<Portion> {
    let combining = Combining { study, work, learning: &Nothing, blobs, portions: &[] };
    let made = Job::of(work.spec())?.kind().portion(&combining, sites)?;
    Ok(Portion { sites: sites.to_vec(), made })
}

/// As [`combine`](crate::combine), from portions that have all of [`divisible`] among them, in its order: the same input, of the same bytes. The
/// uploads themselves need not be there.
///
/// # Errors
/// [`Error::Portions`] for other portions, or work that has none; as [`combine`](crate::combine).
pub fn combine_portions(
    study: &Study,
    work: &Work,
    portions: &[Portion],
    (learning, blobs): (&dyn Advance, &dyn Blobs),
) -> Result<Input> {
    if !matches!(work, Work::Intake { .. } | Work::Name { .. }) {
        return Err(Error::Portions);
    }
    let combining = Combining { study, work, learning, blobs, portions };
    judged(work.step(), Job::of(work.spec())?.kind().combine(&combining))
}

/// The uploads of these sites, each of which is there.
pub(super) fn of_sites(uploads: &[(SiteId, Blob)], sites: &[SiteId]) -> Result<Vec<(SiteId, Blob)>> {
    let some: Vec<_> = uploads.iter().filter(|(site, _)| sites.contains(site)).copied().collect();
    if some.iter().map(|(site, _)| site).eq(sites) && !some.is_empty() {
        Ok(some)
    } else {
        Err(Error::Portions)
    }
}

/// Refuses portions that do not have exactly these sites, in their order.
pub(super) fn check_whole(portions: &[Portion], uploads: &[(SiteId, Blob)]) -> Result<()> {
    let sites = portions.iter().flat_map(|portion| &portion.sites);
    let empty = portions.iter().any(|portion| portion.sites.is_empty());
    if sites.eq(uploads.iter().map(|(site, _)| site)) && !empty { Ok(()) } else { Err(Error::Portions) }
}

/// Going over uploads takes no learning.
struct Nothing;

impl Advance for Nothing {
    fn advance(
        &self,
        spec: &crate::JobSpec,
        _round: u64,
        _input: &[u8],
        _sum: &[u64],
        _contributions: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        Err(format!("{}: uploads are gone over, and nothing follows", spec.name).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_of_these_uploads_once_and_in_order() {
        let blob = Blob::of(b"upload");
        let uploads: Vec<_> = [1, 2, 5].map(|site| (SiteId(site), blob)).into();
        let of = |all: &[&[u16]]| {
            let one =
                |sites: &&[u16]| Portion { sites: sites.iter().map(|s| SiteId(*s)).collect(), made: blob };
            check_whole(&all.iter().map(one).collect::<Vec<_>>(), &uploads)
        };
        of(&[&[1, 2], &[5]]).unwrap();
        let wrong: [&[&[u16]]; 6] =
            [&[], &[&[1, 2]], &[&[1, 2], &[2, 5]], &[&[5], &[1, 2]], &[&[1, 2], &[], &[5]], &[&[1, 2, 5, 6]]];
        for wrong in wrong {
            assert!(matches!(of(wrong), Err(Error::Portions)), "{wrong:?}");
        }
        let some = |sites: &[u16]| of_sites(&uploads, &sites.iter().map(|s| SiteId(*s)).collect::<Vec<_>>());
        assert_eq!(some(&[1, 5]).unwrap(), [uploads[0], uploads[2]]);
        let wrong: [&[u16]; 5] = [&[], &[3], &[5, 1], &[1, 1], &[1, 2, 5, 6]];
        for wrong in wrong {
            assert!(matches!(some(wrong), Err(Error::Portions)), "{wrong:?}");
        }
    }
}
