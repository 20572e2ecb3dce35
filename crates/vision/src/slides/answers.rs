//! Predictions of tiles as one answer a slide: the mean probability over its tiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::TilePrediction;
use crate::error::{Error, Result};
use crate::replace::replace;

/// Writes `slides.csv` into `folder`, `slide,class,tiles` and the probability of each class under its name; returns its path. Where tiles
/// carry the logits of their slide (attention), that is what their mean is.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_slide_answers(
    slides: &BTreeMap<&str, Vec<TilePrediction>>,
    classes: &[String],
    folder: &Path,
) -> Result<PathBuf> {
    let path = folder.join("slides.csv");
    let bad = |e: csv::Error| Error::format("slides CSV", &path, e.to_string());
    let mut out = csv::Writer::from_writer(Vec::new());
    let head = ["slide", "class", "tiles"].into_iter().chain(classes.iter().map(String::as_str));
    out.write_record(head).map_err(bad)?;
    for (slide, tiles) in slides {
        let mean = mean(tiles, classes.len());
        let class = (0..classes.len()).max_by(|a, b| mean[*a].total_cmp(&mean[*b]));
        let class = class.map_or("", |class| classes[class].as_str());
        let cells = [(*slide).to_owned(), class.to_owned(), tiles.len().to_string()];
        out.write_record(cells.into_iter().chain(mean.iter().map(|p| format!("{p:.6}")))).map_err(bad)?;
    }
    let bytes = out.into_inner().map_err(|e| Error::format("slides CSV", &path, e.to_string()))?;
    std::fs::create_dir_all(folder).map_err(Error::io("creating", folder))?;
    replace(&path, &bytes)?;
    Ok(path)
}

/// The mean probability of each class.
fn mean(tiles: &[TilePrediction], classes: usize) -> Vec<f64> {
    let mut mean = vec![0.0; classes];
    for tile in tiles {
        mean.iter_mut().zip(tile.probabilities()).for_each(|(sum, p)| *sum += p / tiles.len() as f64);
    }
    mean
}
