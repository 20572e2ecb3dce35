//! Joining near-duplicate tiles into groups, so that no split can part them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rayon::prelude::*;

use super::dataset::Dataset;
use super::duplicates::{Duplicates, Fingerprint};
use super::groups::{DisjointSets, connected_groups};
use super::{Limits, decode, read_image};
use crate::error::{Error, Result};

/// What was found among the tiles of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Sets of two or more near-duplicate tiles.
    pub sets: usize,
    /// Tiles in them.
    pub tiles: usize,
    /// Sets that lie in more than one of the listed groups: splitting by those would have leaked.
    pub across_groups: usize,
    /// Sets with more than one label: at least one of those labels is wrong, or two tiles look alike by chance.
    pub across_labels: usize,
    /// Tiles that could not be read; they stay alone.
    pub unread: usize,
}

/// Most tiles that are compared: every pair is, so time grows with the square of their number.
pub const MOST_COMPARED: usize = 100_000;

/// Tiles read between two calls of `progress`.
const STRIDE: usize = 64;

/// Compares every pair of tiles and joins near-duplicates, together with the groups and patients that are listed, into
/// [`super::Sample::group`]. `progress` is told how many of how many tiles have been read; when it breaks, the data set stays as it
/// was.
///
/// # Errors
/// [`Error::Cancelled`] when `progress` breaks, [`Error::Data`] for more than [`MOST_COMPARED`] tiles.
pub fn group_duplicates(
    dataset: &mut Dataset,
    limits: Limits,
    rule: Duplicates,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Copies> {
    let total = dataset.samples.len();
    let operation = "looking for near-duplicates";
    if total > MOST_COMPARED {
        let reason =
            format!("{total} tiles are more than the {MOST_COMPARED} whose pairs are compared; list groups");
        return Err(Error::data(operation, reason));
    }
    let mut prints = Vec::with_capacity(total);
    for samples in dataset.samples.chunks(STRIDE) {
        let print = |path: &std::path::Path| {
            let image = read_image(path, limits).and_then(|bytes| decode(&bytes, limits)).ok()?;
            Some(Fingerprint::new(&image))
        };
        prints.par_extend(samples.par_iter().map(|sample| print(&sample.path)));
        if progress(prints.len(), total).is_break() {
            return Err(Error::Cancelled { operation, done: prints.len(), total });
        }
    }
    let at: Vec<usize> = (0..total).filter(|i| prints[*i].is_some()).collect();
    let readable: Vec<Fingerprint> = prints.into_iter().flatten().collect();
    let sets = rule.groups(&readable);
    Ok(join(dataset, &at, &sets))
}

/// Joins the listed groups with the sets that the tiles `at` fall into, and counts.
fn join(dataset: &mut Dataset, at: &[usize], sets: &[usize]) -> Copies {
    let total = dataset.samples.len();
    let listed = connected_groups(dataset);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (sample, set) in at.iter().zip(sets) {
        members.entry(*set).or_default().push(*sample);
    }
    let mut copies = Copies { unread: total - at.len(), ..Copies::default() };
    let mut joined = DisjointSets::new(total);
    for set in members.values().filter(|set| set.len() > 1) {
        copies.sets += 1;
        copies.tiles += set.len();
        let distinct =
            |of: &dyn Fn(usize) -> usize| set.iter().map(|i| of(*i)).collect::<BTreeSet<_>>().len();
        let grouped = set.iter().any(|i| {
            let sample = &dataset.samples[*i];
            sample.group.is_some() || sample.patient.is_some()
        });
        copies.across_groups += usize::from(grouped && distinct(&|i| listed[i]) > 1);
        copies.across_labels += usize::from(distinct(&|i| dataset.samples[i].label) > 1);
        set.iter().for_each(|i| joined.join(*i, set[0]));
    }
    let mut first = BTreeMap::new();
    for (i, group) in listed.iter().enumerate() {
        joined.join(i, *first.entry(*group).or_insert(i));
    }
    for (sample, number) in dataset.samples.iter_mut().zip(joined.numbers()) {
        sample.group = Some(format!("joined-{number}"));
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Sample;

    fn sample(id: &str, label: usize, group: Option<&str>) -> Sample {
        let group = group.map(str::to_owned);
        Sample { id: id.into(), path: id.into(), label, group, patient: None, site: None }
    }

    #[test]
    fn copies_join_listed_groups_and_leaks_are_counted() {
        let samples = vec![
            sample("a", 0, Some("1")),
            sample("b", 0, Some("1")),
            sample("c", 0, Some("2")),
            sample("d", 1, None),
            sample("e", 1, None),
            sample("f", 0, None),
        ];
        let mut dataset = Dataset { classes: vec!["x".into(), "y".into()], samples, rejected: Vec::new() };
        // b and c are copies in two listed groups; e and f carry two labels; d could not be read.
        let copies = join(&mut dataset, &[0, 1, 2, 4, 5], &[0, 1, 1, 2, 2]);
        let expected = Copies { sets: 2, tiles: 4, across_groups: 1, across_labels: 1, unread: 1 };
        assert_eq!(copies, expected);
        assert_eq!(connected_groups(&dataset), [0, 0, 0, 1, 2, 2]);
    }
}
