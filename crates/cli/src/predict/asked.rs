//! What `predict` asks about: features from a file, or tiles that go through the study's model first.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{bail, ensure};

use super::PredictOptions;
use crate::progress::Bar;
use blindscope_learn::features::{self, CsvColumns, ExtractOptions, Features, TileList};
use blindscope_node::asker;
use blindscope_node::kit::Kit;

/// Rows to be asked about, and the file that each came from.
pub(super) struct Asked {
    pub(super) features: Features,
    pub(super) files: Vec<PathBuf>,
}

const IMAGES: [&str; 5] = ["jpg", "jpeg", "png", "tif", "tiff"];

pub(super) fn asked(options: &PredictOptions, kit: &Kit) -> anyhow::Result<Asked> {
    let input = &options.input;
    if let Some(model) = &options.model {
        return through(options, model, kit);
    }
    let extension = input.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let image = extension.is_some_and(|e| IMAGES.contains(&e.as_str()));
    ensure!(!image, "{} is an image: name the study's model with --model", input.display());
    match asker::features(input) {
        Ok(features) => {
            let files = vec![input.clone(); features.len()];
            Ok(Asked { features, files })
        }
        Err(e) if input.is_dir() => {
            bail!("{e}; a folder of tiles takes --model, the study's model")
        }
        Err(e) => Err(e.into()),
    }
}

/// Tiles through the model, which has to be the study's.
fn through(options: &PredictOptions, model: &str, kit: &Kit) -> anyhow::Result<Asked> {
    // Ctrl-C ends the program at once: nothing is kept here that could be lost.
    let cancel = AtomicBool::new(false);
    let backbone = options.details.load(model)?;
    asker::check_model(kit, &backbone)?;
    let columns = CsvColumns { path: options.path_column.clone(), ..CsvColumns::default() };
    let dataset = TileList { path: options.input.clone(), columns }.open_unlabelled()?;
    let mut bar = Bar::new("tiles");
    let mut show =
        |now: &features::Progress| bar.show(now.done as u64, now.total as u64, "through the model");
    let made = features::extract(&dataset, &backbone, &ExtractOptions::default(), &mut show, &cancel)?;
    drop(bar);
    for tile in &made.rejected {
        // A reader that is gone is no reason to stop.
        let _ = writeln!(io::stderr(), "set aside {}: {}", tile.id, tile.reason);
    }
    let paths: HashMap<&str, &PathBuf> = dataset.samples.iter().map(|s| (s.id.as_str(), &s.path)).collect();
    let file = |id: &String| paths.get(id.as_str()).map(|path| (*path).clone()).unwrap_or_default();
    let files = made.features.ids.iter().map(file).collect();
    Ok(Asked { features: made.features, files })
}
