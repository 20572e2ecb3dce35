//! Predictions drawn on a slide: the right tiles in the right colour, polygons that `QuPath` reads, one answer a slide.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/slides.rs"]
mod made;

use std::collections::BTreeMap;

use blindscope_pixels::{Limits, tile};
use blindscope_vision::slides::{SlideRecord, TilePrediction, draw_predictions, write_slide_answers};
use made::{Picture, put, tiff};

const SIDE: u64 = 512;

fn tile_at(x: u64, y: u64, logits: [f64; 2], attention: Option<f64>) -> TilePrediction {
    TilePrediction { corner: [x, y], logits: logits.into(), attention }
}

fn classes() -> Vec<String> {
    vec!["calm, or so".into(), "wild".into()]
}

#[test]
fn tiles_are_shaded_where_they_lie_and_as_sure_as_they_are() {
    let folder = common::folder("heatmap");
    let path = folder.join("s.tif");
    put(&path, &tiff(&[Picture::of(2048, 1024, 64, |_, _| [200; 3])], false));
    let record = SlideRecord { slide: "s".into(), path, tile_level0: Some(SIDE), ..SlideRecord::default() };
    let tiles = [
        tile_at(0, 0, [9.0, 0.0], None),
        tile_at(SIDE, 0, [0.2, 0.0], None),
        tile_at(0, SIDE, [0.0, 9.0], None),
        tile_at(SIDE, SIDE, [0.0, 9.0], Some(0.0)),
    ];
    let [png, geojson] = draw_predictions(&record, &tiles, &classes(), &folder.join("drawn")).unwrap();
    let picture = tile::decode(&std::fs::read(png).unwrap(), Limits::default()).unwrap();
    assert!(picture.width >= 800, "a picture of {} pixels is a stamp", picture.width);
    let scale = 2048 / picture.width as u64;
    assert_eq!(picture.height as u64, 1024 / scale);
    // The middle of a tile, so that no edge is looked at.
    let pixel = |x: u64, y: u64| {
        let at = 3 * ((y / scale) as usize * picture.width + (x / scale) as usize);
        [picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2]]
    };
    let half = SIDE / 2;
    let [sure, unsure, other, ignored, outside] =
        [(0, 0), (1, 0), (0, 1), (1, 1), (3, 1)].map(|(x, y)| pixel(x * SIDE + half, y * SIDE + half));
    assert_eq!(
        (outside, ignored),
        ([200; 3], [200; 3]),
        "nothing where nothing was said, or nothing counted"
    );
    let away = |a: [u8; 3]| a.iter().map(|v| u32::from(v.abs_diff(200))).sum::<u32>();
    assert!(away(sure) > away(unsure) && away(unsure) > 0, "{sure:?} {unsure:?}");
    // Class 0 is vermilion, class 1 blue.
    assert!(sure[0] > sure[2] && other[2] > other[0], "{sure:?} {other:?}");

    let drawn: serde_json::Value = serde_json::from_slice(&std::fs::read(geojson).unwrap()).unwrap();
    let features = drawn["features"].as_array().unwrap();
    assert_eq!((drawn["type"].as_str(), features.len()), (Some("FeatureCollection"), 4));
    let ring = features[1]["geometry"]["coordinates"][0].as_array().unwrap();
    assert_eq!((ring.len(), &ring[0]), (5, &ring[4]), "a ring ends where it begins");
    assert_eq!(ring[2], serde_json::json!([2 * SIDE, SIDE]), "in pixels of level 0");
    let properties = &features[2]["properties"];
    assert_eq!(properties["classification"]["name"], "wild");
    assert_eq!(properties["classification"]["color"], serde_json::json!([0, 114, 178]));
    let measured: f64 =
        classes().iter().map(|class| properties["measurements"][class].as_f64().unwrap()).sum();
    assert!((measured - 1.0).abs() < 1e-9);
    assert_eq!(features[3]["properties"]["measurements"]["attention"], 0.0);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_slides_answer_is_the_mean_over_its_tiles() {
    let folder = common::folder("slide-answers");
    let ln = |p: f64| [p.ln(), (1.0 - p).ln()];
    let slides = BTreeMap::from([
        ("a", vec![tile_at(0, 0, ln(0.9), None), tile_at(1, 0, ln(0.3), None)]),
        ("b", vec![tile_at(0, 0, ln(0.25), None)]),
    ]);
    let path = write_slide_answers(&slides, &classes(), &folder).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        text,
        "slide,class,tiles,\"calm, or so\",wild\na,\"calm, or so\",2,0.600000,0.400000\nb,wild,1,0.250000,0.750000\n"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
