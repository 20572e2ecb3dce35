//! Tiles to features to a head, as a machine without data or weights can do it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use blindscope_learn::features::{
    self, Backbone, BackboneSource, ExtractOptions, Features, SplitRequest, SplitWays, Summary,
    SyntheticPlan, TileList,
};
use blindscope_learn::training::{
    Activation, FitPlan, HeadKind, HeadRequest, TuneRequest, Tuning, train_head, tune,
};

const PLAN: SyntheticPlan = SyntheticPlan { side: 64, patients: 3, tiles: 2, sites: 2, seed: 3 };

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("blindscope-app-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn an_extraction_stopped_by_its_flag_takes_up_from_the_cache() {
    let folder = folder("extract");
    features::synthesise(&PLAN, &folder).unwrap();
    let dataset = TileList::new(folder.join("tiles.csv")).open().unwrap();
    let backbone = Backbone::small(1).unwrap();
    let options = ExtractOptions { cache: Some(folder.join("cache")), batch: 4, ..ExtractOptions::default() };
    let cancel = AtomicBool::new(false);
    let mut steps = 0;
    let stopped = features::extract(
        &dataset,
        &backbone,
        &options,
        &mut |now| {
            steps += 1;
            cancel.store(now.done >= 12, Ordering::Relaxed);
        },
        &cancel,
    );
    assert_eq!(stopped.unwrap_err().stopped(), Some((12, 36)));
    assert_eq!(steps, 3);

    let go_on = AtomicBool::new(false);
    let extracted = features::extract(&dataset, &backbone, &options, &mut |_| {}, &go_on).unwrap();
    assert_eq!((extracted.cached, extracted.features.len()), (12, 36));
    let file = folder.join("features.safetensors");
    extracted.features.save(&file).unwrap();
    let back = Features::load(&file).unwrap();
    assert_eq!(back, extracted.features);
    assert_eq!(back.sites.iter().flatten().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(back.backbone, Some(backbone.digest()));

    let summary = Summary::of_extraction(&extracted);
    assert_eq!((summary.groups, summary.patients, summary.warnings.len()), (18, 18, 0));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!((json["rows"].as_u64(), json["cached"].as_u64()), (Some(36), Some(12)));

    let split = features::split(&back, &SplitRequest { ways: SplitWays::NamedSites, seed: 1 }).unwrap();
    let parts = features::write_parts(&back, &split, &folder.join("parts")).unwrap();
    let one = Features::load(&parts[0]).unwrap();
    assert!(one.len() == 18 && one.sites.iter().all(|site| site.as_deref() == Some("site-1")));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_saved_backbone_comes_back_with_heads_and_preprocessing() {
    let folder = folder("backbone");
    let backbone = Backbone::small(2).unwrap();
    let weights = folder.join("model.safetensors");
    backbone.save(&weights).unwrap();
    for path in [&weights, &folder] {
        let back = Backbone::load(&BackboneSource::new(path.to_string_lossy())).unwrap();
        assert_eq!(back.digest(), backbone.digest());
        assert_eq!(back.model.config().heads, 3);
    }
    let missing = Backbone::load(&BackboneSource::new("owner/name")).unwrap_err();
    assert!(matches!(missing, features::Error::NoModel { .. }), "{missing}");
    assert!(missing.to_string().contains("blindscope model fetch owner/name"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// A class with one image cannot be on both sides; a copy of a tile must not be.
#[test]
fn a_lone_tile_is_warned_of_and_copies_are_joined() {
    let folder = folder("copies");
    features::synthesise(&PLAN, &folder).unwrap();
    std::fs::create_dir(folder.join("lone")).unwrap();
    let tile = |name: &str| folder.join(format!("glands/site-1-patient-1-{name}.png"));
    std::fs::copy(tile("1"), folder.join("lone/only.png")).unwrap();
    std::fs::copy(tile("2"), tile("9")).unwrap();
    let mut dataset = TileList::new(&folder).open().unwrap();
    let cancel = AtomicBool::new(false);
    let copies =
        features::join_copies(&mut dataset, ExtractOptions::default().limits, &mut |_, _| {}, &cancel)
            .unwrap();
    assert!(copies.sets >= 2 && copies.across_labels >= 1, "{copies:?}");
    // One image under two classes is set aside, so the lone tile becomes one of its own.
    let other = folder.join("other");
    features::synthesise(&SyntheticPlan { seed: 9, ..PLAN }, &other).unwrap();
    std::fs::rename(other.join("glands/site-1-patient-1-1.png"), folder.join("lone/only.png")).unwrap();
    std::fs::remove_dir_all(other).unwrap();
    let dataset = TileList::new(&folder).open().unwrap();
    let (backbone, options) = (Backbone::small(1).unwrap(), ExtractOptions::default());
    let extracted = features::extract(&dataset, &backbone, &options, &mut |_| {}, &cancel).unwrap();
    let summary = Summary::of_extraction(&extracted);
    let first = &summary.warnings[0];
    assert!(first.starts_with("class `lone` has 1 tile(s) of 1 independent group(s)"), "{first}");
    let ways = SplitWays::Shares([0.5, 0.0, 0.5]);
    let refused = features::split(&extracted.features, &SplitRequest { ways, seed: 1 }).unwrap_err();
    assert!(refused.to_string().contains("has 1 independent group(s) for 2 parts"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn heads_of_every_form_are_trained_as_they_are_evaluated() {
    let folder = folder("heads");
    let dataset = features::synthesise(&PLAN, &folder).unwrap();
    let (backbone, options) = (Backbone::small(1).unwrap(), ExtractOptions::default());
    let cancel = AtomicBool::new(false);
    let rows = features::extract(&dataset, &backbone, &options, &mut |_| {}, &cancel).unwrap().features;
    let polynomial = |activation| HeadKind::Polynomial { hidden: 8, activation };
    for kind in [
        HeadKind::Linear,
        polynomial(Activation::Trained { degree: 2 }),
        polynomial(Activation::Fixed { degree: 4 }),
    ] {
        let request = HeadRequest { kind, epochs: 40, ..HeadRequest::default() };
        let trained = train_head(&rows, Some(&rows), &request).unwrap();
        let (epochs, seen) = (&trained.report.epochs, trained.report.held_out.as_ref().unwrap());
        assert_eq!(epochs.len(), 40);
        assert!(epochs[39].loss < epochs[0].loss, "{kind:?}: {epochs:?}");
        // The encrypted head's clear twin on the training rows against the accuracy that training saw.
        let gap = (seen.accuracy - f64::from(epochs[39].accuracy)).abs();
        assert!(gap < 0.15, "{kind:?}: {} against {}", seen.accuracy, epochs[39].accuracy);
        if let Some([argument, bound]) = trained.report.polynomial_range {
            assert!(argument <= bound, "{argument} {bound}");
        }
        if kind != HeadKind::Linear {
            let heads = &trained.report.chosen.as_ref().unwrap().heads;
            assert!(heads[0].accuracy >= heads[1].accuracy, "below the linear head: {heads:?}");
            assert!(trained.report.trained_on < rows.len() && trained.report.trained_on > rows.len() / 2);
        }
        let json = trained.head.to_json().unwrap();
        assert_eq!(blindscope_classify::Head::from_json(&json).unwrap(), trained.head);
    }
    let request = HeadRequest { kind: HeadKind::Auto { halves: false }, ..HeadRequest::default() };
    let chosen = train_head(&rows, Some(&rows), &request).unwrap().report;
    let (tried, seen) = (chosen.chosen.unwrap(), chosen.held_out.unwrap());
    assert_eq!(tried.heads.len(), 2, "ridge and LDA");
    // On the rows that it was trained on, it does no worse than on those that it was not.
    assert!(seen.accuracy >= tried.heads[0].accuracy, "{seen:?} {tried:?}");
    let odd = HeadRequest { kind: polynomial(Activation::Trained { degree: 3 }), ..HeadRequest::default() };
    let message = train_head(&rows, None, &odd).unwrap_err().to_string();
    assert!(message.contains("only 2 and 4 are served"), "{message}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_backbone_is_tuned_in_every_way() {
    let folder = folder("tune");
    let dataset = features::synthesise(&PLAN, &folder).unwrap();
    let (train, test) = features::hold_out(&dataset, 0.3, 1).unwrap();
    let before = Backbone::small(1).unwrap();
    for tuning in [Tuning::LastBlocks(1), Tuning::Lora { rank: 4, scale: 2.0 }, Tuning::Whole] {
        let request = TuneRequest {
            head: HeadRequest { epochs: 10, ..HeadRequest::default() },
            plan: FitPlan { tuning, epochs: 3, rate: 1e-3, ..FitPlan::default() },
            extraction: ExtractOptions::default(),
        };
        let cancel = AtomicBool::new(false);
        let mut heard = 0;
        let tuned = tune(
            before.clone(),
            &train,
            Some(&test),
            &request,
            &mut |epoch| {
                heard += 1;
                assert_eq!(epoch.epoch, heard);
            },
            &cancel,
        )
        .unwrap();
        assert_eq!((heard, tuned.head.report.epochs.len()), (3, 3));
        assert_ne!(tuned.backbone.digest(), before.digest(), "{tuning:?}");
        assert_eq!(tuned.head.report.trained_on + test.samples.len(), 36);
        assert!(tuned.before.is_some() && tuned.head.report.held_out.is_some());
        // Adapters are folded in, so that the saved weights are the trained model.
        let weights = folder.join("tuned.safetensors");
        tuned.backbone.save(&weights).unwrap();
        let back = Backbone::load(&BackboneSource::new(weights.to_string_lossy())).unwrap();
        assert_eq!(back.digest(), tuned.backbone.digest());
    }
    std::fs::remove_dir_all(folder).unwrap();
}
