//! Real tokens: a head trained on CLS tokens of real tiles, asked under encryption about tiles it has not seen.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use chacha20::ChaCha20Rng;

use super::{AREA, Case, turned};
use crate::bench::{Better, Error, Figure, Report};
use blindscope_classify::{Head, Packing, Plan, Policy, class};
use blindscope_learn::heads;
use blindscope_ring::Arithmetic;
use blindscope_vision::data::{CsvColumns, Limits, Preprocess, k_fold, read_csv};
use blindscope_vision::features::{Extraction, Features, extract};
use blindscope_vision::head::{HeadPlan, train_polynomial};
use blindscope_vision::vit;

/// Tiles of a group that are used: 1,554 of 518 groups.
const TILES: usize = 3;
/// Tokens of one question about turned tiles.
const GROUP: usize = 4096;

/// What was asked and how it ended.
#[derive(Default)]
struct Asked {
    agree: usize,
    answers: usize,
    worst: f64,
    right: usize,
    /// The largest error that a plan promised.
    bound: f64,
}

impl Asked {
    fn share(&self, of: usize) -> f64 {
        100.0 * of as f64 / self.answers.max(1) as f64
    }
}

/// How precise plans are made.
#[derive(Clone, Copy)]
enum Precision {
    Default,
    /// Fourteen bits, or as much as any plan promises.
    Finest,
}

pub(super) fn run(
    data: &Path,
    path: Arithmetic,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<(), Error> {
    let cache = std::env::temp_dir().join("blindscope-bench-features");
    let features = features(data, &cache)?;
    let both = [Packing::Token, Packing::Feature];
    let asked = cross_validated(&features, &both, (path, Precision::Default), rng)?;
    let mut put = |name: &str, unit, value: f64, must: Option<(f64, f64)>| {
        let figure = Figure::of(AREA, name, unit, Better::Higher, &[value]);
        report.figures.push(figure.must_if(must));
    };
    put("class_agreement_real_tokens", "%", asked.share(asked.agree), Some((100.0, 100.0)));
    // Every token is asked in both packings.
    put("real_tokens_asked", "tokens", asked.answers as f64 / 2.0, Some((1e3, 1e4)));
    put("logit_bits_real_tokens", "bits", -asked.worst.log2(), None);
    put("accuracy_real_tokens", "%", asked.share(asked.right), None);
    let finest = cross_validated(&features, &both, (path, Precision::Finest), rng)?;
    put("class_agreement_real_tokens_finest", "%", finest.share(finest.agree), Some((100.0, 100.0)));
    put("logit_bits_real_tokens_finest", "bits", -finest.worst.log2(), Some((12.0, 14.0)));
    put("logit_bits_promised_real_tokens_finest", "bits", -finest.bound.log2(), Some((12.0, 14.0)));
    let turned =
        cross_validated(&turned::features(data, &cache)?, &both[1..], (path, Precision::Finest), rng)?;
    put("class_agreement_turned_tiles", "%", turned.share(turned.agree), Some((100.0, 100.0)));
    put("turned_tiles_asked", "tokens", turned.answers as f64, Some((1e3, 1e4)));
    put("logit_bits_turned_tiles", "bits", -turned.worst.log2(), Some((12.0, 14.0)));
    Ok(())
}

/// CLS tokens of real tiles; the manifest's groups hold augmented copies of one tile.
fn features(data: &Path, cache: &Path) -> Result<Features, Error> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let mut tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns)?;
    let mut taken = HashMap::new();
    tiles.samples.retain(|s| {
        let n = taken.entry(s.group.clone()).or_insert(0);
        *n += 1;
        *n <= TILES
    });
    let model = vit::load(&data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"))?;
    let extraction = Extraction {
        model: &model,
        preprocess: Preprocess::imagenet(224),
        limits: Limits::default(),
        batch: 8,
        cache: Some(cache),
    };
    Ok(extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?.0)
}

/// Every tile is asked of the head that saw no copy of it.
fn cross_validated(
    features: &Features,
    packings: &[Packing],
    (path, precision): (Arithmetic, Precision),
    rng: &mut ChaCha20Rng,
) -> Result<Asked, Error> {
    const FOLDS: usize = 3;
    let labels = features.known_labels()?;
    let folds = k_fold(&labels, &features.groups, FOLDS, 7)?;
    let mut asked = Asked::default();
    for fold in 0..FOLDS {
        let (train, test) = (folds.others(fold), folds.members(fold));
        let y: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
        let classes = features.classes.len();
        let plan = HeadPlan::default();
        let trained = train_polynomial(&features.rows(&train)?, features.width, &y, classes, &plan, None)?;
        let head = heads::polynomial(&trained.head)?;
        let rows = |at: &[usize]| -> Result<Vec<Vec<f64>>, Error> {
            let values = features.rows(at)?;
            let rows = values.chunks_exact(features.width.max(1));
            Ok(rows.map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect())
        };
        // No range is stated: tokens stay within a ball a quarter larger than the training tokens', whatever is asked.
        let head = head.within(&rows(&train)?, 1.25)?;
        let tokens = rows(&test)?;
        let truth: Vec<usize> = test.iter().map(|&i| labels[i]).collect();
        for &packing in packings {
            ask(&head, (packing, path, precision), &tokens, &truth, rng, &mut asked)?;
        }
    }
    Ok(asked)
}

/// Fourteen bits, or as much as any plan promises.
fn finest(head: &Head, policy: Policy) -> Result<Policy, Error> {
    match Plan::new(head, policy.precise(14)) {
        // A hair above: the search takes primes for powers of two.
        Err(blindscope_classify::Error::TooCoarse { found, .. }) => {
            Ok(Policy { max_error: Some(1.02 * found), ..policy })
        }
        other => Ok(other.map(|_| policy.precise(14))?),
    }
}

fn ask(
    head: &Head,
    (packing, path, precision): (Packing, Arithmetic, Precision),
    tokens: &[Vec<f64>],
    truth: &[usize],
    rng: &mut ChaCha20Rng,
    asked: &mut Asked,
) -> Result<(), Error> {
    let policy = Policy { packing: Some(packing), ..Policy::new(tokens.len().min(GROUP)) };
    let policy = match precision {
        Precision::Default => policy,
        Precision::Finest => finest(head, policy)?,
    };
    let case = Case::new(head, policy, path, rng)?;
    asked.bound = asked.bound.max(case.plan.literal().error_bound);
    for (tokens, truth) in tokens.chunks(GROUP).zip(truth.chunks(GROUP)) {
        let question = case.ask(tokens, rng)?;
        let answer = case.server.answer_bytes(&case.keys, &question, rng)?;
        asked.worst = asked.worst.max(case.worst(head, tokens, &answer)?);
        let got = case.asker.open(tokens.len(), &answer, &case.secret)?;
        for ((got, want), truth) in got.iter().zip(&head.logits(tokens)?).zip(truth) {
            asked.agree += usize::from(class(got) == class(want));
            asked.right += usize::from(class(got) == *truth);
            asked.answers += 1;
        }
    }
    Ok(())
}
