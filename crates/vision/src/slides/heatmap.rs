//! Predictions of tiles drawn on their slide: a picture, and GeoJSON that QuPath opens.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::run::SlideRecord;
use super::{Opener, OverviewPlan, Slide};
use crate::error::{Error, Result};
use crate::replace::replace;
use blindscope_pixels::slides::Thumbnail;

/// Colours of classes (Okabe and Ito 2008): told apart by people who see few colours.
const COLOURS: [[u8; 3]; 8] = [
    [213, 94, 0],
    [0, 114, 178],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [240, 228, 66],
    [60, 60, 60],
];
/// Pixels of level 0 for one of a picture, at first.
const DOWNSAMPLE: f64 = 32.0;

/// One tile's prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct TilePrediction {
    /// How much the tile counts for its slide's class, as a share of the tile that counts most; none where each tile has a class of its own.
    pub attention: Option<f64>,
    /// Its corner at level 0.
    pub corner: [u64; 2],
    /// Logits in the order of classes.
    pub logits: Vec<f64>,
}

impl TilePrediction {
    /// The corner of a row's name `SLIDE/X_Y`, with the slide's name.
    pub fn place(id: &str) -> Option<(&str, [u64; 2])> {
        let (slide, corner) = id.rsplit_once('/')?;
        let (x, y) = corner.split_once('_')?;
        Some((slide, [x.parse().ok()?, y.parse().ok()?]))
    }

    /// Probabilities of the classes: softmax of the logits.
    pub fn probabilities(&self) -> Vec<f64> {
        let most = self.logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = self.logits.iter().map(|v| (v - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|p| p / sum).collect()
    }

    fn class(&self) -> usize {
        (0..self.logits.len()).max_by(|a, b| self.logits[*a].total_cmp(&self.logits[*b])).unwrap_or(0)
    }
}

/// Draws a slide's predictions into `folder`: `NAME.png`, each tile in its class's colour and the stronger the surer, and
/// `NAME.geojson` with probabilities as measurements. Returns both paths.
///
/// # Errors
/// [`Error::Data`] when the slide cannot be opened any more, or its record does not tell the size of tiles; [`Error::Io`] where the
/// picture cannot be written.
pub fn draw_predictions(
    record: &SlideRecord,
    tiles: &[TilePrediction],
    classes: &[String],
    folder: &Path,
) -> Result<[PathBuf; 2]> {
    let bad = |reason: String| Error::data("drawing predictions", format!("{}: {reason}", record.slide));
    let side = record.tile_level0.ok_or_else(|| bad("its record has no size of tiles".into()))?;
    let slide = Slide::open(&record.path, Opener::Auto).map_err(|e| bad(e.to_string()))?;
    let overview = OverviewPlan::near(slide.levels(), DOWNSAMPLE).make(&slide);
    // A small slide would be a stamp at that scale.
    let finer = OverviewPlan::for_picture(slide.levels(), &overview).map(|plan| plan.make(&slide));
    let mut picture = Thumbnail::new(finer.as_ref().unwrap_or(&overview));
    for tile in tiles {
        let class = tile.class();
        let sure = || tile.probabilities().get(class).copied().unwrap_or(0.0);
        let strength = tile.attention.unwrap_or_else(sure).clamp(0.0, 1.0);
        picture.shade(tile.corner, side, COLOURS[class % COLOURS.len()], (160.0 * strength) as u16);
    }
    std::fs::create_dir_all(folder).map_err(Error::io("creating", folder))?;
    let paths = ["png", "geojson"].map(|end| folder.join(format!("{}.{end}", record.slide)));
    replace(&paths[0], &picture.png().map_err(bad)?)?;
    replace(&paths[1], geojson(tiles, classes, side).to_string().as_bytes())?;
    Ok(paths)
}

fn geojson(tiles: &[TilePrediction], classes: &[String], side: u64) -> Value {
    let name = |class: usize| classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    let feature = |tile: &TilePrediction| {
        let [x, y] = tile.corner;
        let (right, bottom) = (x + side, y + side);
        let mut measurements: serde_json::Map<String, Value> =
            tile.probabilities().iter().enumerate().map(|(class, p)| (name(class), json!(p))).collect();
        if let Some(attention) = tile.attention {
            measurements.insert("attention".into(), json!(attention));
        }
        json!({
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]],
            },
            "properties": {
                "objectType": "tile",
                "classification": { "name": name(tile.class()), "color": COLOURS[tile.class() % COLOURS.len()] },
                "measurements": measurements,
            },
        })
    };
    json!({ "type": "FeatureCollection", "features": tiles.iter().map(feature).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_tell_where_they_lie() {
        assert_eq!(TilePrediction::place("b/17/512_768"), Some(("b/17", [512, 768])));
        assert_eq!(TilePrediction::place("slide"), None);
        assert_eq!(TilePrediction::place("slide/12"), None);
    }

    #[test]
    fn probabilities_survive_large_logits() {
        let logits = vec![1000.0, 1000.0 + 3f64.ln()];
        let tile = TilePrediction { corner: [0, 0], logits, attention: None };
        let p = tile.probabilities();
        assert!((p[0] - 0.25).abs() < 1e-9 && (p[1] - 0.75).abs() < 1e-9);
        let drawn = geojson(&[tile], &["a".into(), "b".into()], 256);
        assert_eq!(drawn["features"][0]["properties"]["classification"]["name"], "b");
        assert_eq!(drawn["features"][0]["geometry"]["coordinates"][0][2], json!([256, 256]));
    }
}
