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
use blindscope_vision::vit::card::Pooling;

/// Sites that learn together.
pub(super) const SITES: usize = 3;

/// CLS tokens of the real tiles and the means of their patch tokens behind them, with the groups that the tiles are copies of. Kept in the
/// folder for temporary files.
pub(super) fn tokens(data: &Path) -> Result<Features> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns)?;
    let weights = data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors");
    let vit::Described { weights, config, .. } = vit::describe(&weights, None, None)?;
    let model = vit::load_with(&weights, vit::Config { pooling: Pooling::ClsMean, ..config })?;
    let (preprocess, limits) = (Preprocess::imagenet(model.config().image), Limits::default());
    let cache = std::env::temp_dir().join("blindscope-bench-features");
    let extraction = Extraction { model: &model, preprocess, limits, batch: 8, cache: Some(&cache) };
    Ok(extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?.0)
}

/// The CLS tokens alone.
pub(super) fn cls(both: &Features) -> Result<Features> {
    let (width, half) = (both.width, both.width / 2);
    let all = both.values.whole()?;
    let values: Vec<f32> = all.chunks_exact(width).flat_map(|row| &row[..half]).copied().collect();
    Ok(Features { width: half, values: values.into(), backbone: None, ..both.clone() })
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
pub(super) struct Answers {
    groups: BTreeMap<usize, (u64, u64)>,
    /// The probability of each answer, and whether it is right.
    sure: Vec<(f64, bool)>,
}

/// Bins of probabilities that are compared with shares of right answers.
const BINS: usize = 15;

impl Answers {
    pub(super) fn add(&mut self, group: usize, logits: &[f64], right: bool) {
        let of = self.groups.entry(group).or_default();
        *of = (of.0 + 1, of.1 + u64::from(!right));
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.sure.push((1.0 / logits.iter().map(|v| (v - most).exp()).sum::<f64>(), right));
    }

    /// Shares in percent, where answers of less than this probability go to a person: of rows that are answered, and of wrong answers
    /// among them.
    pub(super) fn beyond(&self, least: f64) -> [f64; 2] {
        let left: Vec<bool> =
            self.sure.iter().filter(|(p, _)| *p >= least).map(|(_, right)| *right).collect();
        let wrong = left.iter().filter(|right| !**right).count();
        let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        [share(left.len(), self.sure.len()), share(wrong, left.len())]
    }

    /// Expected calibration error in percent: how far probabilities and shares of right answers lie apart, over bins of equal width.
    pub(super) fn calibration_error(&self) -> f64 {
        let mut bins = [(0.0f64, 0.0f64); BINS];
        for (p, right) in &self.sure {
            let bin = &mut bins[((p * BINS as f64) as usize).min(BINS - 1)];
            *bin = (bin.0 + p, bin.1 + f64::from(u8::from(*right)));
        }
        let apart: f64 = bins.iter().map(|(p, right)| (p - right).abs()).sum();
        100.0 * apart / self.sure.len().max(1) as f64
    }

    /// Share of right answers in percent, and its 95 % interval: normal, with groups as the units that were drawn.
    pub(super) fn accuracy(&self) -> (f64, [f64; 2]) {
        let (n, wrong) = self.groups.values().fold((0, 0), |(n, w), of| (n + of.0, w + of.1));
        let (n, g) = (n.max(1) as f64, self.groups.len() as f64);
        let rate = wrong as f64 / n;
        let squares: f64 = self.groups.values().map(|of| (of.1 as f64 - rate * of.0 as f64).powi(2)).sum();
        let half = 196.0 * (squares * g / (g - 1.0).max(1.0)).sqrt() / n;
        let accuracy = 100.0 * (1.0 - rate);
        (accuracy, [accuracy - half, accuracy + half])
    }
}
