//! A site's data as its kit names it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::seen::unseen;
use super::{EpochFigures, Error, Examples, Models, Result, SiteData, SiteLearner, Terms, Tiles, in_classes};
use crate::documented;
use crate::features::{Backbone, BackboneSource, Features, TileList};
use blindscope_vision::data::{Dataset, Limits, decode, read_image};
use blindscope_vision::train::TrainingTile;

documented! {
    /// What a site learns from: `[learning]` of its settings. Paths are relative to the kit's folder.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct SiteSettings {
        /// Features to learn from, as `blindscope features extract` writes them.
        pub train: PathBuf,
        /// Features held back to measure on. Rows that are in `train` as well are left out.
        /// Default: nothing is held back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub validation: Option<PathBuf>,
        /// Folder or list of the tiles themselves. Jobs may train the backbone only where this is given.
        /// Default: no job trains the backbone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tiles: Option<PathBuf>,
        /// The backbone that `tiles` go through.
        /// Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub backbone: Option<PathBuf>,
        /// Folder of model files that jobs may ask the site to measure; a file may be put there at any time.
        /// Default: no job measures a model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub models: Option<PathBuf>,
        /// File that loss and accuracy of every epoch of local training are appended to, a JSON object a line.
        /// Default: nothing is written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub history: Option<PathBuf>,
    }
}

/// One line of a site's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The kind of job.
    pub job: String,
    /// Its round.
    pub round: u64,
    /// Epochs done over all rounds, from 1.
    pub epoch: u64,
    /// Mean loss.
    pub loss: f32,
    /// Accuracy on the local training data.
    pub accuracy: f32,
}

/// Opens what a site learns from, under the terms of its study: labels by name, features and tiles of its backbone.
///
/// # Errors
/// [`Error::Data`] for what [`Terms::examples`] refuses, with the file; [`Error::Features`] or [`Error::Vision`] for files that are
/// not what they should be; [`Error::File`] for one that cannot be read.
pub fn open_site(kit: &Path, settings: &SiteSettings, terms: &Terms) -> Result<SiteLearner> {
    let at = |path: &PathBuf| kit.join(path);
    let tiles = match (&settings.tiles, &settings.backbone) {
        (Some(tiles), Some(backbone)) => Some(open_tiles(&at(tiles), &at(backbone), terms)?),
        (Some(_), None) => {
            let (operation, what, found) = ("opening a site", "backbone", "not named".to_owned());
            let expected = "`backbone` beside `tiles` in [learning]".to_owned();
            return Err(Error::Data { operation, what, found, expected });
        }
        (None, _) => None,
    };
    let train_path = at(&settings.train);
    let train = Features::load(&train_path)?;
    let validation = match &settings.validation {
        Some(path) => held_back(&at(path), &train, terms)?,
        None => Examples::default(),
    };
    let data = SiteData {
        terms: Some(terms.clone()),
        train: examples("the rows of train", &train_path, &train, terms)?,
        validation,
        tiles,
        models: settings.models.as_ref().map(|p| Models::in_folder(&at(p))).transpose()?.unwrap_or_default(),
    };
    let history = settings.history.as_ref().map(|p| History::open(&at(p))).transpose()?;
    Ok(SiteLearner::new(data, move |figures| {
        if let Some(history) = &history {
            history.write(figures);
        }
    })
    .under(terms.clone()))
}

fn examples(operation: &'static str, path: &Path, features: &Features, terms: &Terms) -> Result<Examples> {
    let refused = |cause: Error| Error::In { path: path.to_owned(), cause: Box::new(cause) };
    let examples = terms.examples(operation, features).map_err(refused)?;
    Ok(Examples { file: Some(path.to_owned()), ..examples })
}

/// What a site measures on: rows that it learns from as well are left out, and its log says how many.
fn held_back(path: &Path, train: &Features, terms: &Terms) -> Result<Examples> {
    const OPERATION: &str = "the rows of validation";
    let unseen = unseen(OPERATION, train, Features::load(path)?);
    let unseen = unseen.map_err(|cause| Error::In { path: path.to_owned(), cause: Box::new(cause) })?;
    if unseen.seen > 0 {
        tracing::warn!(
            file = %path.display(), left_out = unseen.seen, of = unseen.seen + unseen.features.len(),
            "rows of validation that are among those of train as well are left out"
        );
    }
    examples(OPERATION, path, &unseen.features, terms)
}

fn open_tiles(tiles: &Path, backbone: &Path, terms: &Terms) -> Result<Tiles> {
    const OPERATION: &str = "the tiles";
    let refused = |cause: Error| Error::In { path: tiles.to_owned(), cause: Box::new(cause) };
    let dataset = TileList::new(tiles).open()?;
    let backbone = Backbone::load(&BackboneSource::new(backbone.display().to_string()))?;
    terms.check_backbone(OPERATION, Some(backbone.digest())).map_err(refused)?;
    let named = Features {
        labels: dataset.labels().into_iter().map(Some).collect(),
        ids: dataset.samples.iter().map(|s| s.id.clone()).collect(),
        classes: dataset.classes.clone(),
        ..Features::default()
    };
    let labels = in_classes(OPERATION, &named, &terms.classes).map_err(refused)?;
    let mut train = decode_all(&dataset)?;
    train.iter_mut().zip(labels).for_each(|(tile, label)| tile.label = label);
    Ok(Tiles { model: backbone.model, preprocess: backbone.preprocess, train })
}

/// Every tile of a data set; one that cannot be read is an error here, since it was read when features were extracted.
///
/// # Errors
/// [`Error::Data`] with the first tile that cannot be read, and why.
pub fn decode_all(dataset: &Dataset) -> Result<Vec<TrainingTile>> {
    let limits = Limits::default();
    let one = |sample: &blindscope_vision::data::Sample| {
        let image = read_image(&sample.path, limits).and_then(|bytes| decode(&bytes, limits));
        let image = image.map_err(|problem| Error::Data {
            operation: "opening tiles",
            what: "a tile",
            found: format!("{}: {problem}", sample.path.display()),
            expected: "readable images".into(),
        })?;
        Ok(TrainingTile { image, label: sample.label })
    };
    dataset.samples.iter().map(one).collect()
}

/// Where epochs are written down.
struct History(Mutex<File>);

impl History {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.map_err(Error::file("opening", path))?)))
    }

    /// A line that cannot be written is lost: the history is for people, and no round waits for it.
    fn write(&self, figures: &EpochFigures) {
        let EpochFigures { job, round, epoch, loss, accuracy } = *figures;
        let line = HistoryLine { job: job.to_owned(), round, epoch, loss, accuracy };
        if let (Ok(mut file), Ok(json)) = (self.0.lock(), serde_json::to_string(&line)) {
            let _ = writeln!(file, "{json}");
        }
    }
}

impl From<crate::features::Error> for Error {
    fn from(e: crate::features::Error) -> Self {
        match e {
            crate::features::Error::Vision(e) => Self::Vision(e),
            e => Self::Features(Box::new(e)),
        }
    }
}
