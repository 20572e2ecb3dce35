//! Tiles to CLS tokens: list them, join their copies, take them through a backbone, split the result.
//!
//! ```no_run
//! use blindscope_learn::features::{self, Backbone, BackboneSource, ExtractOptions, TileList};
//! use std::sync::atomic::AtomicBool;
//!
//! # fn main() -> Result<(), features::Error> {
//! let dataset = TileList::new("tiles").open()?;
//! let backbone = Backbone::load(&BackboneSource::new("model.safetensors"))?;
//! let options = ExtractOptions { cache: Some("cache".into()), ..ExtractOptions::default() };
//! let cancel = AtomicBool::new(false);
//! let extracted = features::extract(&dataset, &backbone, &options, &mut |_| {}, &cancel)?;
//! extracted.features.save("features.safetensors".as_ref())?;
//! # Ok(())
//! # }
//! ```

mod backbone;
mod extract;
mod slides;
mod split;
mod summary;
mod tiles;

pub use backbone::{Backbone, BackboneSource};
pub use extract::{ExtractOptions, Extracted, extract};
pub use slides::{SlideOptions, SlidesExtracted, draw_predictions, extract_slides, merge_slides};
pub use split::{SplitRequest, SplitWays, hold_out, part_files, split, write_parts};
pub use summary::{ClassRows, Skipped, Summary};
pub use tiles::{TileList, independent_groups, join_copies, open_tiles, synthesise};

pub use blindscope_vision::data::{
    Centre, Copies, CsvColumns, Dataset, Limits, Preprocess, Rejected, Resize, Split,
};
pub use blindscope_vision::features::{Features, ImportOptions, Imported, Progress, hex, import, unhex};
pub use blindscope_vision::slides::{
    Bags, Grid, Opener, Pooled, Scale, SlideProgress, SlideRecord, SlideSettings, SlideTable, TissueLevel,
    TissueRule, TissueSource,
};
pub use blindscope_vision::synth::SyntheticPlan;
pub use blindscope_vision::vit::card::Pooling;
pub use blindscope_vision::vit::{Device, Mlp, Vit};

use std::path::{Path, PathBuf};

/// Why features could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vision layer refused; it names what and the repair.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// The model is neither a file or folder nor a name that was fetched.
    #[error(
        "model `{name}`: no such file or folder{}; `blindscope model fetch {name}` brings a model from a hub",
        not_fetched(models)
    )]
    NoModel {
        /// As asked for.
        name: String,
        /// Where fetched models lie; empty where none were looked for.
        models: PathBuf,
    },
    /// A row's name does not tell where on a slide it lies.
    #[error(
        "`{id}` names no tile of a slide of this run: rows are called SLIDE/X_Y by `features import RUN`, and the run's slides.json \
         lists its slides"
    )]
    NoPlace {
        /// The row's or slide's name.
        id: String,
    },
    /// Shares or numbers that make no split.
    #[error("splitting: {reason}")]
    Range {
        /// The numbers and what they have to be.
        reason: String,
    },
    /// A folder holds parts that this split does not make.
    #[error("{} is of another split and would pass for a part of this one; name an empty folder, or empty this one", path.display())]
    OtherSplit {
        /// The file.
        path: PathBuf,
    },
    /// The file to be written is the one that is read.
    #[error("{} would be written over itself; name another file to write", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

fn not_fetched(models: &Path) -> String {
    if models.as_os_str().is_empty() {
        return String::new();
    }
    format!(", and nothing was fetched under that name into {}", models.display())
}

impl Error {
    /// Whether the caller named or asked for something wrong, and the machine did nothing wrong.
    pub fn is_callers(&self) -> bool {
        match self {
            // What the machine did not do: files, other processes, graphics processors, a request to stop.
            Self::Vision(e) => !e.is_machines(),
            Self::Write { .. } => false,
            _ => true,
        }
    }

    /// Every tile with its reason, when none could be used.
    pub fn no_tile(&self) -> Option<&[Rejected]> {
        match self {
            Self::Vision(blindscope_vision::Error::NoTile { rejected }) => Some(rejected),
            _ => None,
        }
    }

    /// How many of how many tiles were done when the caller's cancel flag stopped the work; none for any other error.
    pub fn stopped(&self) -> Option<(usize, usize)> {
        match self {
            Self::Vision(blindscope_vision::Error::Cancelled { done, total, .. }) => Some((*done, *total)),
            _ => None,
        }
    }
}

/// Whether an error, of features or of what lies below them, is the caller's to correct: a file that is not what it should be, say.
pub fn is_callers(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_callers)
        || error.downcast_ref::<blindscope_vision::Error>().is_some_and(|e| !e.is_machines())
}

/// Refuses to write over what is read, under whatever name.
///
/// # Errors
/// [`Error::SameFile`] where both are one file, under one name or through a link.
pub fn refuse_same(input: &Path, output: &Path) -> Result<(), Error> {
    let same = matches!((input.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same { Err(Error::SameFile { path: output.to_owned() }) } else { Ok(()) }
}
