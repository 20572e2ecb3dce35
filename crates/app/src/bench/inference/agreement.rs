//! Real tokens: a head trained on CLS tokens of real tiles, asked under encryption about tiles it has not seen.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use chacha20::ChaCha20Rng;

use super::{AREA, Case, turned};
use crate::bench::part::Parts;
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
/// Tokens of a question.
const BATCHES: [usize; 4] = [1, 8, 64, 4096];
/// Questions to one head in one packing, where fewer do for all its tokens not all are asked.
const QUESTIONS: usize = 48;
const PACKINGS: [Packing; 2] = [Packing::Token, Packing::Feature];
/// Tokens of given and of turned tiles, what plans promise by default, and each packing and batch of both.
pub(super) const PARTS: u64 = 3 + 2 * (PACKINGS.len() * BATCHES.len()) as u64;

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

    /// With what else was asked.
    fn and(self, other: &Self) -> Self {
        Self {
            agree: self.agree + other.agree,
            answers: self.answers + other.answers,
            worst: self.worst.max(other.worst),
            right: self.right + other.right,
            bound: self.bound.max(other.bound),
        }
    }
}

/// How precise plans are made.
#[derive(Clone, Copy)]
enum Precision {
    Default,
    /// Fourteen bits, or as much as any plan promises.
    Finest,
}

/// A head, and tokens that it has not seen copies of.
struct Fold {
    head: Head,
    tokens: Vec<Vec<f64>>,
    truth: Vec<usize>,
}

/// How a fold is asked.
#[derive(Clone, Copy)]
struct Way {
    packing: Packing,
    batch: usize,
    precision: Precision,
    path: Arithmetic,
}

pub(super) fn run(
    data: &Path,
    path: Arithmetic,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
    parts: &mut Parts<'_>,
) -> Result<(), Error> {
    let cache = std::env::temp_dir().join("blindscope-bench-features");
    parts.begin("CLS tokens of real tiles (kept for the next run)", &report.figures);
    let given = folds(&features(data, &cache)?)?;
    by_default(&given, path, rng, report, parts)?;
    let finest_of_given = finest("real_tokens", &given, path, rng, report, parts)?;
    rows("real_tokens_finest", &finest_of_given, report);
    parts.begin("CLS tokens of turned tiles (kept for the next run)", &report.figures);
    let turned = folds(&turned::features(data, &cache)?)?;
    let finest_of_turned = finest("turned_tiles", &turned, path, rng, report, parts)?;
    rows("turned_tiles", &finest_of_turned, report);
    let tokens = turned.iter().map(|fold| fold.tokens.len()).sum::<usize>() as f64;
    let count = Figure::of(AREA, "turned_tiles_asked", "tokens", Better::Higher, &[tokens]);
    report.figures.push(count.must(1e3, 1e4));
    Ok(())
}

/// Every token in one question, of plans as they come.
fn by_default(
    given: &[Fold],
    path: Arithmetic,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
    parts: &mut Parts<'_>,
) -> Result<(), Error> {
    parts.begin("real tokens, all at once", &report.figures);
    let mut asked = Asked::default();
    for packing in PACKINGS {
        let batch = given.iter().map(|fold| fold.tokens.len()).max().unwrap_or(1);
        let way = Way { packing, batch, precision: Precision::Default, path };
        asked = asked.and(&all(given, way, rng)?);
    }
    let figure = |name: &str, unit, value: f64| Figure::of(AREA, name, unit, Better::Higher, &[value]);
    report.figures.extend([
        figure("class_agreement_real_tokens", "%", asked.share(asked.agree)).must(100.0, 100.0),
        // Every token is asked in both packings.
        figure("real_tokens_asked", "tokens", asked.answers as f64 / 2.0).must(1e3, 1e4),
        figure("logit_bits_real_tokens", "bits", -asked.worst.log2()),
        figure("accuracy_real_tokens", "%", asked.share(asked.right)),
    ]);
    Ok(())
}

/// What holds for all that was asked of some tokens.
fn rows(name: &str, asked: &Asked, report: &mut Report) {
    let figure = |what: &str, unit, value: f64| {
        Figure::of(AREA, format!("{what}_{name}"), unit, Better::Higher, &[value])
    };
    report.figures.extend([
        figure("class_agreement", "%", asked.share(asked.agree)).must(100.0, 100.0),
        figure("logit_bits", "bits", -asked.worst.log2()).must(12.0, 14.0),
        figure("logit_bits_promised", "bits", -asked.bound.log2()).must(12.0, 14.0),
    ]);
}

/// Agreement and promised bits by packing and batch, of plans as exact as they get; all of it together. The largest batch asks every token.
fn finest(
    name: &str,
    folds: &[Fold],
    path: Arithmetic,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
    parts: &mut Parts<'_>,
) -> Result<Asked, Error> {
    let mut total = Asked::default();
    let figure = |name: String, unit, value: f64| Figure::of(AREA, name, unit, Better::Higher, &[value]);
    for packing in PACKINGS {
        for batch in BATCHES {
            parts.begin(&format!("{name}, {packing}, questions of {batch}"), &report.figures);
            let asked = all(folds, Way { packing, batch, precision: Precision::Finest, path }, rng)?;
            let of = format!("{name}_{packing}_of_{batch}");
            report.figures.extend([
                figure(format!("class_agreement_{of}"), "%", asked.share(asked.agree)).must(100.0, 100.0),
                figure(format!("logit_bits_promised_{of}"), "bits", -asked.bound.log2()).must(12.0, 14.0),
            ]);
            total = total.and(&asked);
        }
    }
    Ok(total)
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

/// Every tile is for the head that saw no copy of it.
fn folds(features: &Features) -> Result<Vec<Fold>, Error> {
    const FOLDS: usize = 3;
    let labels = features.known_labels()?;
    let folds = k_fold(&labels, &features.groups, FOLDS, 7)?;
    let rows = |at: &[usize]| -> Result<Vec<Vec<f64>>, Error> {
        let values = features.rows(at)?;
        let rows = values.chunks_exact(features.width.max(1));
        Ok(rows.map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect())
    };
    let one = |fold: usize| -> Result<Fold, Error> {
        let (train, test) = (folds.others(fold), folds.members(fold));
        let y: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
        let (classes, plan) = (features.classes.len(), HeadPlan::default());
        let trained = train_polynomial(&features.rows(&train)?, features.width, &y, classes, &plan, None)?;
        // No range is stated: tokens stay within a ball a quarter larger than the training tokens', whatever is asked.
        let head = heads::polynomial(&trained.head)?.within(&rows(&train)?, 1.25)?;
        Ok(Fold { head, tokens: rows(&test)?, truth: test.iter().map(|&i| labels[i]).collect() })
    };
    (0..FOLDS).map(one).collect()
}

/// Fourteen bits, or as much as any plan promises.
fn as_fine_as_any(head: &Head, policy: Policy) -> Result<Policy, Error> {
    match Plan::new(head, policy.precise(14)) {
        // A hair above: the search takes primes for powers of two.
        Err(blindscope_classify::Error::TooCoarse { found, .. }) => {
            Ok(Policy { max_error: Some(1.02 * found), ..policy })
        }
        other => Ok(other.map(|_| policy.precise(14))?),
    }
}

fn all(folds: &[Fold], way: Way, rng: &mut ChaCha20Rng) -> Result<Asked, Error> {
    folds.iter().try_fold(Asked::default(), |asked, fold| Ok(asked.and(&ask(fold, way, rng)?)))
}

fn ask(fold: &Fold, way: Way, rng: &mut ChaCha20Rng) -> Result<Asked, Error> {
    let Fold { head, tokens, truth } = fold;
    let policy = Policy { packing: Some(way.packing), ..Policy::new(way.batch) };
    let policy = match way.precision {
        Precision::Default => policy,
        Precision::Finest => as_fine_as_any(head, policy)?,
    };
    let case = Case::new(head, policy, way.path, rng)?;
    let mut asked = Asked { bound: case.plan.literal().error_bound, ..Asked::default() };
    for (tokens, truth) in tokens.chunks(way.batch).zip(truth.chunks(way.batch)).take(QUESTIONS) {
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
    Ok(asked)
}
