//! One run over many slides: decoded ahead of the model, resumable to the batch, one bad slide never stopping the rest.

mod journal;
mod layout;
mod pace;
mod pipeline;
mod prepare;
mod reading;
mod record;
mod writing;

pub use self::layout::RunFolder;
pub use self::pace::SlideProgress;
pub use self::pipeline::{SlideRun, extract_slides};
pub use self::prepare::{Prepared, SlideSettings, TissueLevel, TissueSource, prepare};
pub use self::reading::read_tile;
pub use self::record::{SlideRecord, merge_records, read_records};
