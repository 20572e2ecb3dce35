//! Arguments that name tiles and the model that reads them, shared by the commands that take both.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};

use crate::progress::Bar;
use blindscope_learn::features::{
    self, Backbone, BackboneSource, Copies, CsvColumns, Dataset, Limits, Pooling, Preprocess, TileList,
};
use blindscope_learn::models::Store;

#[derive(Debug, Args)]
pub(crate) struct TileOptions {
    /// A folder with one sub-folder a class, or a CSV file with columns `path,label` and, if known, `group`, `patient`, `site`
    /// (commas, semicolons or tabs; other usual names are known).
    pub(crate) tiles: PathBuf,
    /// The CSV file's column of paths.
    #[arg(long, default_value = "path")]
    path_column: String,
    /// The CSV file's column of class names.
    #[arg(long, default_value = "label")]
    label_column: String,
    /// The CSV file's column of groups: tiles that are copies or neighbours of each other.
    #[arg(long, default_value = "group")]
    group_column: String,
    /// Groups are numbered anew in each class.
    #[arg(long)]
    groups_within_label: bool,
    /// Look for near-duplicate tiles and let each set of them be one group. Every pair is compared.
    #[arg(long)]
    group_duplicates: bool,
}

impl TileOptions {
    /// Lists the tiles, joined by copies where that was asked for.
    pub(crate) fn open(&self, cancel: &AtomicBool) -> Result<(Dataset, Option<Copies>), features::Error> {
        let columns = CsvColumns {
            path: self.path_column.clone(),
            label: self.label_column.clone(),
            group: self.group_column.clone(),
            groups_within_label: self.groups_within_label,
            ..CsvColumns::default()
        };
        let mut dataset = TileList { path: self.tiles.clone(), columns }.open()?;
        if !self.group_duplicates {
            return Ok((dataset, None));
        }
        let mut bar = Bar::new("comparing");
        let mut show = |done: usize, total: usize| bar.show(done as u64, total as u64, "tiles read");
        let copies = features::join_copies(&mut dataset, Limits::default(), &mut show, cancel)?;
        Ok((dataset, Some(copies)))
    }
}

/// What was found among copies, in a sentence.
pub(crate) fn copies_line(copies: &Copies) -> String {
    let Copies { sets, tiles, across_groups, across_labels, unread } = copies;
    let mut line = format!("near-duplicates: {sets} sets with {tiles} tiles");
    for (count, what) in [
        (across_groups, "join listed groups"),
        (across_labels, "carry more than one label"),
        (unread, "tiles could not be read"),
    ] {
        if *count > 0 {
            let _ = write!(line, ", {count} {what}");
        }
    }
    line
}

/// Statistics of the input.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Normalisation {
    /// Mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225.
    Imagenet,
    /// Mean and deviation one half.
    Half,
}

/// Which tokens make a feature.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pool {
    /// The CLS token.
    Cls,
    /// The mean of the patch tokens.
    Mean,
    /// The CLS token, then the mean of the patch tokens: twice the width.
    #[value(name = "cls+mean")]
    ClsMean,
}

impl From<Pool> for Pooling {
    fn from(pool: Pool) -> Self {
        match pool {
            Pool::Cls => Self::Cls,
            Pool::Mean => Self::Mean,
            Pool::ClsMean => Self::ClsMean,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ModelOptions {
    /// A safetensors file, a folder that holds one (whole or in shards), or the name of a fetched model.
    #[arg(long, required_unless_present = "small")]
    model: Option<String>,
    /// A small transformer with random weights instead, for trying things on synthetic tiles.
    #[arg(long, conflicts_with = "model")]
    small: bool,
    #[command(flatten)]
    details: ModelDetails,
}

/// What a model's files do not tell, or tell otherwise.
#[derive(Debug, Args)]
pub(crate) struct ModelDetails {
    /// The model's config.json, when it does not lie beside the weights.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Attention heads, when nothing else tells.
    #[arg(long)]
    heads: Option<usize>,
    /// Side of the input in pixels, when it is not the checkpoint's.
    #[arg(long)]
    image: Option<usize>,
    /// Statistics of the input, when they are not those beside the weights.
    #[arg(long)]
    normalise: Option<Normalisation>,
    /// Which tokens make a feature: the CLS token, the mean of the patch tokens, or both one after the other. Part of the
    /// backbone's digest. Without it, what the model's configuration tells, else the CLS token.
    #[arg(long)]
    pool: Option<Pool>,
    #[command(flatten)]
    store: StoreOptions,
}

impl ModelOptions {
    /// As it was named.
    pub(crate) fn name(&self) -> &str {
        self.model.as_deref().unwrap_or("small")
    }

    /// The model; `seed` draws a small one.
    pub(crate) fn load(&self, seed: u64) -> Result<Backbone, features::Error> {
        self.model.as_ref().map_or_else(|| Backbone::small(seed), |model| self.details.load(model))
    }
}

impl ModelDetails {
    /// The model of this name or path.
    pub(crate) fn load(&self, model: &str) -> Result<Backbone, features::Error> {
        let statistics = self.normalise.map(|n| match n {
            Normalisation::Imagenet => Preprocess::imagenet(0),
            Normalisation::Half => Preprocess::half(0),
        });
        Backbone::load(&BackboneSource {
            model: model.to_owned(),
            config: self.config.clone(),
            heads: self.heads,
            image: self.image,
            statistics: statistics.map(|p| [p.mean, p.std]),
            pooling: self.pool.map(Pooling::from),
            models: Some(self.store.open()),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct StoreOptions {
    /// Folder of fetched models.
    #[arg(long, env = "BLINDSCOPE_MODELS", default_value = ".blindscope-models")]
    models: PathBuf,
}

impl StoreOptions {
    pub(crate) fn open(&self) -> Store {
        Store::new(&self.models)
    }
}
