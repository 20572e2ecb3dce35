//! Real tiles as rows, and how they are dealt: folds of whole groups, three sites, or at random.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom as _;

use super::Result;
use blindscope_learn::features::{Features, SplitRequest, SplitWays, split};
use blindscope_learn::jobs::{EpochFigures, Examples, SiteData, SiteLearner, group_names};
use blindscope_vision::data::{CsvColumns, Limits, Preprocess, read_csv};
use blindscope_vision::features::{Extraction, extract};
use blindscope_vision::vit;

/// Sites that learn together.
pub(super) const SITES: usize = 3;

/// CLS tokens of the real tiles, with the groups that the tiles are copies of.
pub(super) fn tokens(data: &Path) -> Result<Features> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns)?;
    let model = vit::load(&data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"))?;
    let (preprocess, limits) = (Preprocess::imagenet(model.config().image), Limits::default());
    let extraction = Extraction { model: &model, preprocess, limits, batch: 8, cache: None };
    Ok(extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?.0)
}

/// For each row, which fold it is held out in; no group is in two.
pub(super) fn folds(all: &Features, count: usize, seed: u64) -> Result<Vec<usize>> {
    Ok(split(all, &SplitRequest { ways: SplitWays::Folds(count), seed })?.part)
}

/// For each row, whether it is held out, at random: copies of one tile are on both sides.
pub(super) fn leaky(all: &Features, share: f64, seed: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    let mut held = vec![false; all.len()];
    let count = (share * all.len() as f64).round() as usize;
    order.iter().take(count).for_each(|row| held[*row] = true);
    held
}

/// These rows at three sites, whole groups each; where groups are not to be known, row by row.
pub(super) fn sites(rows: &Features, grouped: bool, seed: u64) -> Result<Vec<SiteLearner>> {
    let mut rows = rows.clone();
    if !grouped {
        rows.groups = (0..rows.len()).collect();
    }
    let dealt = split(&rows, &SplitRequest { ways: SplitWays::Sites(SITES), seed })?;
    let site = |site: usize| {
        let own = rows.select(&dealt.members(site));
        let (labels, groups) = (own.known_labels()?, group_names(&own));
        let train = Examples { rows: own.values, labels, groups, ..Examples::default() };
        Ok(SiteLearner::new(SiteData { train, ..SiteData::default() }, |_: &EpochFigures| {}))
    };
    (0..SITES).map(site).collect()
}

/// Right answers, by group.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<usize, (u64, u64)>);

impl Answers {
    pub(super) fn add(&mut self, group: usize, right: bool) {
        let of = self.0.entry(group).or_default();
        *of = (of.0 + 1, of.1 + u64::from(!right));
    }

    /// Share of right answers in percent, and its 95 % interval: normal, with groups as the units that were drawn.
    pub(super) fn accuracy(&self) -> (f64, [f64; 2]) {
        let (n, wrong) = self.0.values().fold((0, 0), |(n, w), of| (n + of.0, w + of.1));
        let (n, g) = (n.max(1) as f64, self.0.len() as f64);
        let rate = wrong as f64 / n;
        let squares: f64 = self.0.values().map(|of| (of.1 as f64 - rate * of.0 as f64).powi(2)).sum();
        let half = 196.0 * (squares * g / (g - 1.0).max(1.0)).sqrt() / n;
        let accuracy = 100.0 * (1.0 - rate);
        (accuracy, [accuracy - half, accuracy + half])
    }
}
