//! Real CLS tokens, asked under encryption: every predicted class is the clear head's.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Head, Packing, Plan, Policy, Server, class};
use blindscope_learn::heads;
use blindscope_testkit::rng;
use blindscope_vision::data::{CsvColumns, Dataset, Limits, Preprocess, k_fold, read_csv};
use blindscope_vision::features::{Extraction, Features, extract};
use blindscope_vision::head::{HeadPlan, train_polynomial};
use blindscope_vision::vit::{Config, load_with};

/// Tokens that are asked, each of another tile.
const ASKED: usize = 1008;
/// Tiles are shrunk to this side, so that the test is quick; the backbone's positions are resampled for it.
const SIDE: usize = 64;

fn data() -> Option<PathBuf> {
    let path = std::env::var_os("BLINDSCOPE_DATA").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: BLINDSCOPE_DATA is not set");
    }
    path
}

/// Every third tile or so: all classes and groups.
fn tiles(data: &Path) -> Dataset {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let mut tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns).unwrap();
    let step = tiles.samples.len() / ASKED;
    let mut place = 0;
    tiles.samples.retain(|_| {
        place += 1;
        place % step == 0
    });
    tiles.samples.truncate(ASKED);
    tiles
}

fn cls_tokens(data: &Path) -> Features {
    let weights = data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors");
    let config = Config { image: SIDE, classes: 0, ..Config::deit_tiny() };
    let extraction = Extraction {
        model: &load_with(&weights, config).unwrap(),
        preprocess: Preprocess::imagenet(SIDE),
        limits: Limits::default(),
        batch: 48,
        cache: None,
    };
    extract(&tiles(data), &extraction, &mut |_| ControlFlow::Continue(())).unwrap().0
}

fn ask(head: &Head, policy: Policy, tokens: &[Vec<f64>], r: &mut chacha20::ChaCha20Rng) -> f64 {
    let plan = Plan::new(head, policy).unwrap();
    let secret = AskerSecret::generate(&plan, r).unwrap();
    let keys = EvaluationKeys::generate(&plan, &secret, r).unwrap();
    let (asker, server) = (Asker::new(&plan), Server::new(head, &plan).unwrap());
    let question = asker.encrypt(tokens, &secret, r).unwrap();
    let answer = server.answer_bytes(&keys, &question, r).unwrap();
    let got = asker.open(tokens.len(), &answer, &secret).unwrap();
    let mut worst = 0f64;
    for (got, want) in got.iter().zip(head.logits(tokens).unwrap()) {
        assert_eq!(class(got), class(&want), "{got:?} for {want:?}");
        worst = got.iter().zip(&want).fold(worst, |w, (g, l)| w.max((g - l).abs()));
    }
    assert!(worst <= plan.literal().error_bound);
    worst
}

#[test]
fn a_thousand_real_tokens_get_their_clear_class() {
    let Some(data) = data() else { return };
    let mut r = rng(81);
    let features = cls_tokens(&data);
    let labels = features.known_labels().unwrap();
    let folds = k_fold(&labels, &features.groups, 2, 7).unwrap();
    let rows = |at: &[usize]| -> Vec<Vec<f64>> {
        at.iter().map(|&i| features.row(i).unwrap().iter().map(|&x| f64::from(x)).collect()).collect()
    };
    let mut asked = 0;
    for fold in 0..2 {
        // Asked of the head that saw no copy of the tile.
        let (train, test) = (folds.others(fold), folds.members(fold));
        let y: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
        let (classes, plan) = (features.classes.len(), HeadPlan { epochs: 15, ..HeadPlan::default() });
        let trained =
            train_polynomial(&features.rows(&train).unwrap(), features.width, &y, classes, &plan, None)
                .unwrap();
        let head = heads::polynomial(&trained.head).unwrap().within(&rows(&train), 1.25).unwrap();
        let tokens = rows(&test);
        let many = Policy { packing: Some(Packing::Feature), ..Policy::new(tokens.len()) };
        let worst = ask(&head, many, &tokens, &mut r);
        let few = Policy { packing: Some(Packing::Token), ..Policy::new(64) };
        let lone = ask(&head, few, &tokens[..64], &mut r);
        println!(
            "fold {fold}: {} tokens, worst 2^{:.1} and 2^{:.1}",
            tokens.len(),
            worst.log2(),
            lone.log2()
        );
        asked += tokens.len();
    }
    assert_eq!(asked, ASKED);
}
