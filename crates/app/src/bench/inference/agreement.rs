//! Real tokens: a head trained on class tokens of real tiles, asked under encryption about tiles it has not seen.

use super::{AREA, Case};
use crate::bench::{BenchError, Better, Figure, Report};
use crate::heads;
use blindscope_classify::{Head, Packing, Policy, class};
use blindscope_vision::data::{CsvColumns, Limits, Preprocess, k_fold, read_csv};
use blindscope_vision::features::{Extraction, Features, extract};
use blindscope_vision::head::{HeadPlan, train_polynomial};
use blindscope_vision::vit;
use chacha20::ChaCha20Rng;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Tiles of a group that are used: 1,554 of 518 groups.
const TILES: usize = 3;

/// What was asked and how it ended.
struct Asked {
    agree: usize,
    /// Answers: every token is asked in both packings.
    answers: usize,
    worst: f64,
    accuracy: f64,
}

pub(super) fn run(data: &Path, rng: &mut ChaCha20Rng, report: &mut Report) -> Result<(), BenchError> {
    let features = features(data)?;
    let asked = cross_validated(&features, rng)?;
    let put = |name: &str, unit, value: f64| Figure::of(AREA, name, unit, Better::Higher, &[value]);
    let share = 100.0 * asked.agree as f64 / asked.answers as f64;
    report.figures.push(put("class_agreement_real_tokens", "%", share).must(100.0, 100.0));
    report.figures.push(put("real_tokens_asked", "tokens", asked.answers as f64 / 2.0).must(1e3, 1e4));
    report.figures.push(put("logit_bits_real_tokens", "bits", -asked.worst.log2()));
    report.figures.push(put("accuracy_real_tokens", "%", 100.0 * asked.accuracy));
    Ok(())
}

/// Class tokens of real tiles; the manifest's groups hold augmented copies of one tile.
fn features(data: &Path) -> Result<Features, BenchError> {
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
    let cache = std::env::temp_dir().join("blindscope-bench-features");
    let extraction = Extraction {
        model: &model,
        preprocess: Preprocess::imagenet(224),
        limits: Limits::default(),
        batch: 8,
        cache: Some(&cache),
    };
    Ok(extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?.0)
}

/// Every tile is asked of the head that saw no copy of it.
fn cross_validated(features: &Features, rng: &mut ChaCha20Rng) -> Result<Asked, BenchError> {
    const FOLDS: usize = 3;
    let labels = features.known_labels()?;
    let folds = k_fold(&labels, &features.groups, FOLDS, 7)?;
    let mut asked = Asked { agree: 0, answers: 0, worst: 0.0, accuracy: 0.0 };
    for fold in 0..FOLDS {
        let (train, test) = (folds.others(fold), folds.members(fold));
        let y: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
        let classes = features.classes.len();
        let plan = HeadPlan::default();
        let trained = train_polynomial(&features.rows(&train), features.width, &y, classes, &plan, None)?;
        let head = heads::polynomial(&trained.head)?;
        let rows = |at: &[usize]| -> Vec<Vec<f64>> {
            at.iter().map(|&i| features.row(i).iter().map(|&x| f64::from(x)).collect()).collect()
        };
        // Twice what the training tokens reach.
        let head = head.calibrated(&rows(&train), 2.0)?;
        let tokens = rows(&test);
        for packing in [Packing::Token, Packing::Feature] {
            let truth: Vec<usize> = test.iter().map(|&i| labels[i]).collect();
            ask(&head, packing, &tokens, &truth, rng, &mut asked)?;
        }
    }
    asked.accuracy /= asked.answers as f64;
    Ok(asked)
}

fn ask(
    head: &Head,
    packing: Packing,
    tokens: &[Vec<f64>],
    truth: &[usize],
    rng: &mut ChaCha20Rng,
    asked: &mut Asked,
) -> Result<(), BenchError> {
    let policy = Policy { packing: Some(packing), ..Policy::new(tokens.len()) };
    let case = Case::new(head, policy, rng)?;
    let answer = case.server.answer_bytes(&case.keys, &case.ask(tokens, rng)?)?;
    asked.worst = asked.worst.max(case.worst(head, tokens, &answer)?);
    let got = case.asker.open(tokens.len(), &answer, &case.secret)?;
    for ((got, want), truth) in got.iter().zip(&head.logits(tokens)?).zip(truth) {
        asked.agree += usize::from(class(got) == class(want));
        asked.accuracy += f64::from(u8::from(class(got) == *truth));
        asked.answers += 1;
    }
    Ok(())
}
