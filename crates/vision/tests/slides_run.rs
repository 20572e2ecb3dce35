//! A run over slides: bad ones are named and stop nothing, an interrupted run ends in the same bytes, shards join.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/slides.rs"]
mod made;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use blindscope_vision::Error;
use blindscope_vision::data::Preprocess;
use blindscope_vision::features::Features;
use blindscope_vision::slides::{
    Bags, Pooled, SlideProgress, SlideRecord, SlideRun, SlideSettings, SlideTable, TissueSource,
    extract_slides, list_slides, merge_records, read_records,
};
use blindscope_vision::vit::{Config, Engine, Parameters, Vit};
use made::{Picture, dicom, put, tiff};

fn model() -> Vit {
    let config = Config { hidden: 32, ..Config::plain(32, 8, 16, 1, 2) };
    let parameters = Parameters::random(&config, &mut StdRng::seed_from_u64(3));
    Vit::new(config, parameters).unwrap()
}

/// Pink with a gradient, white to the right.
fn stained(column: u64, row: u64) -> [u8; 3] {
    if column < 12 { [200 - 5 * column as u8, 90 + 9 * row as u8, 160] } else { [250; 3] }
}

/// Four slides that can be read and six that cannot, for six reasons.
fn slides(folder: &Path) {
    let sound = Picture::of(1024, 768, 64, stained);
    put(&folder.join("a.tif"), &tiff(std::slice::from_ref(&sound), false));
    let mut holed = sound.clone();
    holed.tiles[17] = None;
    put(&folder.join("b.tif"), &tiff(&[holed], true));
    put(&folder.join("c.dcm"), &dicom(1024, 640, 64, 0.5, "1.2.9", |f| [180, 80 + f as u8 / 2, 150]));
    put(
        &folder.join("d.svs"),
        &tiff(&[Picture { description: Some("Aperio x|MPP = 0.5|".into()), ..sound.clone() }], false),
    );
    put(&folder.join("e-unknown.tif"), b"no slide at all");
    put(&folder.join("f-no-mpp.tif"), &tiff(&[Picture { resolution: None, ..sound.clone() }], false));
    put(&folder.join("g-xr.tif"), &tiff(&[Picture { compression: 22_610, ..sound.clone() }], false));
    let whole = tiff(std::slice::from_ref(&sound), false);
    put(&folder.join("h-cut.tif"), &whole[..whole.len() - 200]);
    put(&folder.join("i-coarse.tif"), &tiff(&[Picture { resolution: Some(2000), ..sound.clone() }], false));
    put(&folder.join("j-empty.tif"), &tiff(&[Picture::of(1024, 768, 64, |_, _| [255; 3])], false));
}

fn settings() -> SlideSettings {
    SlideSettings { side: 64, ..SlideSettings::default() }
}

/// Runs until the end or until `progress` breaks.
fn run(
    slides: &Path,
    out: &Path,
    shard: Option<(usize, usize)>,
    settings: SlideSettings,
    progress: &mut dyn FnMut(&SlideProgress) -> ControlFlow<()>,
) -> Result<Vec<SlideRecord>, Error> {
    let model = model();
    let list = list_slides(slides, None).unwrap();
    let run = SlideRun {
        slides: &list.slides,
        settings,
        out,
        encoder: "tiny",
        model: &model,
        preprocess: Preprocess::half(32),
        batch: 16,
        shard,
    };
    extract_slides(&Engine::Cpu, &run, progress)
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            out.extend(contents(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            out.insert(name, std::fs::read(&path).unwrap());
        }
    }
    out
}

fn go_on(_: &SlideProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn bad_slides_are_named_and_stop_nothing() {
    let (folder, out) = (common::folder("run-slides"), common::folder("run-out"));
    slides(&folder);
    let records = run(&folder, &out, None, settings(), &mut go_on).unwrap();
    let status: Vec<(&str, &str)> = records.iter().map(|r| (r.slide.as_str(), r.status.as_str())).collect();
    assert_eq!(
        status,
        [
            ("a", "done"),
            ("b", "done"),
            ("c", "done"),
            ("d", "done"),
            ("e-unknown", "unknown-format"),
            ("f-no-mpp", "no-mpp"),
            ("g-xr", "unsupported"),
            ("h-cut", "truncated"),
            ("i-coarse", "too-coarse"),
            ("j-empty", "no-tissue"),
        ]
    );
    assert!(out.join("thumbnails/j-empty.png").is_file(), "a person can look at what was set aside");
    assert_eq!(records[1].set_aside.len(), 1, "the tile that the scanner left out");
    assert_eq!((records[1].set_aside[0].x, records[1].set_aside[0].y), (64, 64));
    assert_eq!(records[1].tiles + 1, records[0].tiles);
    assert_eq!(records[3].mpp_source.as_deref(), Some("vendor"));
    let table = folder.join("cases.csv");
    put(&table, b"slide_id,case_id,label\na.tif,p1,x\nb,p1,x\nc,p2,y\nd,p3,y\n");
    let table = SlideTable::read(&table).unwrap();
    let bags = Bags::open(&out).unwrap();
    let (pooled, rejected) = bags.collect(Pooled::Mean, Some(&table), &mut |_| {}).unwrap();
    assert_eq!((pooled.len(), pooled.ids.join(" ").as_str(), rejected.len()), (4, "a b c d", 0));
    assert_eq!((pooled.groups[0], pooled.classes.len()), (pooled.groups[1], 2));
    assert_ne!(pooled.groups[2], pooled.groups[3]);
    let (tiles, _) = bags.collect(Pooled::Tiles, Some(&table), &mut |_| {}).unwrap();
    assert_eq!(tiles.len(), records.iter().map(|r| r.tiles).sum::<usize>());
    assert_mean(&pooled, &tiles);
}

/// Each slide's row is the mean of the rows that carry its name.
fn assert_mean(pooled: &Features, tiles: &Features) {
    for (i, slide) in pooled.ids.iter().enumerate() {
        let of: Vec<usize> =
            (0..tiles.len()).filter(|t| tiles.ids[*t].starts_with(&format!("{slide}/"))).collect();
        for column in 0..pooled.width {
            let mean =
                of.iter().map(|t| f64::from(tiles.row(*t).unwrap()[column])).sum::<f64>() / of.len() as f64;
            assert!((mean - f64::from(pooled.row(i).unwrap()[column])).abs() < 1e-6, "{slide} {column}");
        }
        assert!(of.iter().all(|t| tiles.groups[*t] == pooled.groups[i]));
    }
}

/// Stopped after every single batch, a run computes no tile twice and ends in the bytes of one that was not stopped.
#[test]
fn a_run_stopped_after_every_batch_ends_in_the_same_bytes() {
    let folder = common::folder("run-stopped-slides");
    slides(&folder);
    let (whole, stopped) = (common::folder("run-whole"), common::folder("run-stopped"));
    let mut computed = 0;
    run(&folder, &whole, None, settings(), &mut |now| {
        computed = now.computed;
        ControlFlow::Continue(())
    })
    .unwrap();
    let (mut again, mut calls) = (0, 0);
    loop {
        calls += 1;
        let mut of_call = 0;
        let done = run(&folder, &stopped, None, settings(), &mut |now| {
            of_call = now.computed;
            if now.computed > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        again += of_call;
        match done {
            Ok(_) => break,
            Err(Error::Cancelled { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert!(calls > 20, "{calls}");
    assert_eq!(again, computed, "no tile was computed twice");
    assert_eq!(contents(&stopped), contents(&whole));
}

#[test]
fn shards_join_to_the_whole() {
    let folder = common::folder("run-shard-slides");
    slides(&folder);
    let (whole, parts) = (common::folder("run-shard-whole"), common::folder("run-shards"));
    run(&folder, &whole, None, settings(), &mut go_on).unwrap();
    for shard in [2, 3] {
        run(&folder, &parts, Some((shard, 3)), settings(), &mut go_on).unwrap();
    }
    let missing = merge_records(&parts).unwrap_err().to_string();
    assert!(missing.contains("shards 1/3 have not run"), "{missing}");
    run(&folder, &parts, Some((1, 3)), settings(), &mut go_on).unwrap();
    merge_records(&parts).unwrap();
    let mut joined = contents(&parts);
    joined.retain(|name, _| !name.contains("-of-"));
    assert_eq!(joined, contents(&whole));
}

#[test]
fn a_folder_of_other_settings_is_left_alone() {
    let (folder, out) = (common::folder("run-other-slides"), common::folder("run-other"));
    put(&folder.join("a.tif"), &tiff(&[Picture::of(128, 128, 64, stained)], false));
    let everything = SlideSettings { tissue: TissueSource::Everything, ..settings() };
    run(&folder, &out, None, everything.clone(), &mut go_on).unwrap();
    let before = contents(&out);
    let refused = run(&folder, &out, None, settings(), &mut go_on).unwrap_err().to_string();
    assert!(refused.contains("begun with other settings"), "{refused}");
    assert_eq!(contents(&out), before);
    // The same settings find everything done.
    run(&folder, &out, None, everything, &mut |now| {
        assert_eq!(now.computed, 0);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(contents(&out), before);
}

/// Whatever else can be wrong with a slide is a status of it; the run goes on, and what was kept of others is kept.
#[test]
fn every_other_fault_is_a_status_of_its_slide() {
    let folder = common::folder("run-faults");
    let sound = Picture::of(1024, 768, 64, stained);
    put(&folder.join("a.tif"), &tiff(std::slice::from_ref(&sound), false));
    let mut looped = tiff(std::slice::from_ref(&sound), false);
    let (first, end) = (looped[4..8].to_vec(), looped.len() - 4);
    looped[end..].copy_from_slice(&first);
    put(&folder.join("b-loop.tif"), &looped);
    put(&folder.join("c-claim.tif"), &tiff(&[Picture { width: 1 << 31, ..sound.clone() }], true));
    let none = sound.tiles.iter().map(|_| None).collect();
    put(&folder.join("d-holes.tif"), &tiff(&[Picture { tiles: none, ..sound.clone() }], false));
    // A million tiles and more, of a file of one tile: every place names it.
    put(&folder.join("e-many.tif"), &many(70_000));
    // A MIRAX slide whose folder of companions was not copied.
    put(&folder.join("f-alone.mrxs"), b"\xff\xd8\xff\xe0\x00\x10JFIF");
    std::os::unix::fs::symlink(folder.join("gone.tif"), folder.join("g-gone.tif")).unwrap();
    let list = folder.join("slides.csv");
    let names = ["a.tif", "b-loop.tif", "c-claim.tif", "d-holes.tif", "e-many.tif", "f-alone.mrxs"];
    put(&list, format!("path\n{}\n", names.join("\n")).as_bytes());
    let everything = SlideSettings { tissue: TissueSource::Everything, ..settings() };
    let (out, whole) = (common::folder("run-faults-out"), common::folder("run-faults-alone"));
    // The sound slide first, alone: what is kept of it stays as it is when the others come.
    let alone = folder.join("alone.csv");
    put(&alone, b"path\na.tif\n");
    for out in [&out, &whole] {
        run(&alone, out, None, everything.clone(), &mut go_on).unwrap();
    }
    let kept = contents(&whole);
    let records = run(&list, &out, None, everything.clone(), &mut go_on).unwrap();
    let status: Vec<(&str, &str)> = records.iter().map(|r| (r.slide.as_str(), r.status.as_str())).collect();
    assert_eq!(
        status,
        [
            ("a", "done"),
            ("b-loop", "damaged"),
            ("c-claim", "too-large"),
            ("d-holes", "no-tiles"),
            ("e-many", "too-many-tiles"),
            ("f-alone", "missing-companions"),
        ]
    );
    assert!(records[1].reason.contains("loop"), "{}", records[1].reason);
    assert!(records[4].reason.contains("--max-tiles"), "{}", records[4].reason);
    let after = contents(&out);
    for (name, bytes) in kept.iter().filter(|(name, _)| name.contains("/a") && !is_json(name)) {
        assert!(after.get(name) == Some(bytes), "{name} has changed");
    }
    // A file that is gone, as one that cannot be read; the run's own list says so.
    put(&folder.join("gone.csv"), b"path\na.tif\ng-gone.tif\n");
    let records = run(&folder.join("gone.csv"), &out, None, everything.clone(), &mut go_on).unwrap();
    assert_eq!(records[1].status, "unreadable");
    assert_eq!(read_records(&out.join("slides.json")).unwrap(), records);
    // Outlines that were asked for and are not there.
    let outlines = common::folder("run-faults-outlines");
    let drawn = SlideSettings { tissue: TissueSource::Outlines(outlines), ..settings() };
    let records = run(&alone, &common::folder("run-faults-drawn"), None, drawn, &mut go_on).unwrap();
    assert_eq!(records[0].status, "no-contours");
}

/// A slide of `extent` pixels each way in native tiles of 64 that are all one tile of the file.
fn many(extent: u64) -> Vec<u8> {
    let mut bytes =
        tiff(&[Picture { width: extent, height: extent, ..Picture::of(64, 64, 64, stained) }], true);
    let places = extent.div_ceil(64).pow(2);
    let field = |bytes: &[u8], tag: u16| {
        let wanted = [tag.to_le_bytes(), 16u16.to_le_bytes()].concat();
        bytes.windows(4).rposition(|w| w == wanted).unwrap()
    };
    for (tag, value) in [(324u16, 16u64), (325, 64 * 64 * 3)] {
        let (at, list) = (field(&bytes, tag), bytes.len() as u64);
        bytes[at + 4..at + 12].copy_from_slice(&places.to_le_bytes());
        bytes[at + 12..at + 20].copy_from_slice(&list.to_le_bytes());
        bytes.extend((0..places).flat_map(|_| value.to_le_bytes()));
    }
    bytes
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}
