//! One run over many slides: decoded ahead of the model, resumable to the batch, one bad slide never stopping the rest.

mod journal;
mod layout;
mod pipeline;
mod prepare;
mod record;

pub use self::layout::RunFolder;
pub use self::pipeline::{SlideProgress, SlideRun, extract_slides, read_tile};
pub use self::prepare::{Prepared, SlideSettings, TissueLevel, TissueSource, prepare};
pub use self::record::{SlideRecord, merge_records, read_records};
