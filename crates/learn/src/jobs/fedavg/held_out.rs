//! What a site holds out to choose on, and what its sums say of heads that had no part in it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::jobs::calibration;
use crate::jobs::choice::HeadFigures;
use crate::jobs::folds::fold_of;
use crate::jobs::settings::FedAvgSettings;
use crate::jobs::tally::{self, Tally};
use crate::jobs::{Examples, Result};
use blindscope_vision::head::{LinearHead, PolynomialHead};

/// The fold that is held out.
const HELD: usize = 0;

/// A site's rows.
pub(super) struct Parted<'a> {
    /// What it learns from.
    pub learned: Cow<'a, Examples>,
    /// What it holds out; each row with the name of its group.
    pub held: Examples,
}

/// Deals the rows as `statistics` deals them: whole groups, by the job's seed.
pub(super) fn parted<'a>(s: &FedAvgSettings, rows: &'a Examples) -> Result<Parted<'a>> {
    if !s.chooses() {
        return Ok(Parted { learned: Cow::Borrowed(rows), held: Examples::default() });
    }
    let (mut learned, mut held, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    for block in rows.rows.blocks() {
        for row in block?.chunks_exact(s.width) {
            let name = rows.group(at, row);
            if fold_of(s.seed, s.folds, &name) == HELD {
                held.push(at);
                names.push(name);
            } else {
                learned.push(at);
            }
            at += 1;
        }
    }
    let held = Examples { groups: names, ..rows.select(s.width, &held) };
    Ok(Parted { learned: Cow::Owned(rows.select(s.width, &learned)), held })
}

/// A head on standardised, shortened rows.
pub(super) enum Asked<'a> {
    Linear(&'a LinearHead),
    Polynomial(&'a PolynomialHead),
}

/// Counts of what `heads` answer to rows, of which `z` makes standardised and shortened ones: groups, the sum of their squared sizes, each
/// head's.
pub(super) fn measured(
    s: &FedAvgSettings,
    held: &Examples,
    heads: &[Asked<'_>],
    z: &dyn Fn(Vec<f32>) -> Vec<f32>,
) -> Result<Vec<u64>> {
    let mut tally = Tally::new(heads.len(), s.classes);
    let mut rows = held.groups.iter().zip(&held.labels);
    for block in held.rows.blocks() {
        let z = z(block?.into_owned());
        let logits = |head: &Asked<'_>| match head {
            Asked::Linear(head) => head.logits(&z),
            Asked::Polynomial(head) => head.logits(&z),
        };
        let logits = heads.iter().map(logits).collect::<std::result::Result<Vec<_>, _>>()?;
        for (at, (group, label)) in (0..z.len() / s.width).zip(&mut rows) {
            let of = |all: &Vec<f32>| -> Vec<f64> {
                all[at * s.classes..][..s.classes].iter().map(|v| f64::from(*v)).collect()
            };
            tally.add(*group, *label, &logits.iter().map(of).collect::<Vec<_>>());
        }
    }
    Ok(tally.into_values())
}

/// Integers that heads' measures are.
pub(super) fn values(heads: usize, classes: usize) -> usize {
    2 + heads * tally::each(classes)
}

/// Which of two heads did better, from their opened integers: by the share of errors, then by the least loss that a factor of the logits
/// reaches. Shares, since a site may be missing in one round and not in another; heads that nothing was counted of did the same.
pub(super) fn compare(a: &[u64], b: &[u64], classes: usize) -> Ordering {
    let [a, b] = [a, b].map(|sums| (asked(sums, classes), errors(sums, classes), loss(sums, classes)));
    let share = |of: u64, rows: u64| u128::from(of) * u128::from(rows);
    share(a.1, b.0).cmp(&share(b.1, a.0)).then(share(a.2, b.0).cmp(&share(b.2, a.0)))
}

/// How many rows a head was asked about.
pub(super) fn asked(sums: &[u64], classes: usize) -> u64 {
    sums[..classes * classes].iter().fold(0, |all, n| all.saturating_add(*n))
}

/// How many of its answers were wrong.
pub(super) fn errors(sums: &[u64], classes: usize) -> u64 {
    let wrong =
        sums[..classes * classes].iter().enumerate().filter(|(at, _)| !at.is_multiple_of(classes + 1));
    wrong.fold(0, |all, (_, n)| all.saturating_add(*n))
}

/// The least loss that a factor of the logits reaches, as it is summed.
pub(super) fn loss(sums: &[u64], classes: usize) -> u64 {
    calibration::least(&sums[classes * classes + 2..])
}

/// A head's figures; `held` are the groups and the sum of their squared sizes.
pub(super) fn figures(name: &str, held: [u64; 2], sums: &[u64], classes: usize) -> HeadFigures {
    let (rows, errors) = (asked(sums, classes), errors(sums, classes));
    let ([groups, squares], over_groups) = (held, &sums[classes * classes..]);
    HeadFigures::of(name, [rows, groups, rows - errors], [squares, over_groups[0], over_groups[1]])
}
