//! A listing whose every tile was opened.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::dataset::{Dataset, Rejected};
use super::groups::{DisjointSets, connected_groups};
use super::{Limits, decode, read_image};
use crate::error::{Error, Result};

/// Tiles opened between two calls of `progress`.
const STRIDE: usize = 64;

/// Opens every tile and moves those that are no whole image to the rejected ones, and with them tiles that are the same file
/// under two labels: at least one of those labels is wrong. Returns how many independent groups the others make; tiles that are the
/// same file are of one, as in features.
///
/// # Errors
/// [`Error::Cancelled`] when `progress` breaks; the data set then stays as it was.
pub fn open_all(
    dataset: &mut Dataset,
    limits: Limits,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<usize> {
    let total = dataset.samples.len();
    let mut opened: Vec<std::result::Result<[u8; 32], String>> = Vec::with_capacity(total);
    for samples in dataset.samples.chunks(STRIDE) {
        let open = |path: &std::path::Path| {
            let bytes = read_image(path, limits).map_err(|e| e.to_string())?;
            decode(&bytes, limits).map_err(|e| e.to_string())?;
            Ok(Sha256::digest(&bytes).into())
        };
        opened.par_extend(samples.par_iter().map(|sample| open(&sample.path)));
        if progress(opened.len(), total).is_break() {
            let operation = "opening tiles";
            return Err(Error::Cancelled { operation, done: opened.len(), total });
        }
    }
    let known = dataset.samples.iter().zip(&opened).filter_map(|(s, o)| Some((s.label, *o.as_ref().ok()?)));
    let conflicts = conflicts(known);
    let (mut kept, mut digests) = (Vec::with_capacity(total), Vec::with_capacity(total));
    for (sample, opened) in std::mem::take(&mut dataset.samples).into_iter().zip(opened) {
        match opened {
            Ok(digest) if conflicts.contains(&digest) => {
                dataset.rejected.push(Rejected { id: sample.id, reason: SEVERAL_LABELS.into() });
            }
            Ok(digest) => {
                kept.push(sample);
                digests.push(digest);
            }
            Err(reason) => dataset.rejected.push(Rejected { id: sample.id, reason }),
        }
    }
    dataset.samples = kept;
    let mut joined = DisjointSets::new(digests.len());
    let (mut by_group, mut by_image) = (HashMap::new(), HashMap::new());
    for (at, (group, digest)) in connected_groups(dataset).into_iter().zip(digests).enumerate() {
        joined.join(at, *by_group.entry(group).or_insert(at));
        joined.join(at, *by_image.entry(digest).or_insert(at));
    }
    Ok(joined.numbers().into_iter().max().map_or(0, |last| last + 1))
}

/// Why a tile is set aside whose bytes lie under another label too.
pub(crate) const SEVERAL_LABELS: &str =
    "the same image is listed under another label too; only one of them can be right";

/// Digests that carry more than one label.
pub(crate) fn conflicts(tiles: impl Iterator<Item = (usize, [u8; 32])>) -> BTreeSet<[u8; 32]> {
    let mut first: HashMap<[u8; 32], usize> = HashMap::new();
    tiles
        .filter(|(label, digest)| first.entry(*digest).or_insert(*label) != label)
        .map(|(_, digest)| digest)
        .collect()
}
