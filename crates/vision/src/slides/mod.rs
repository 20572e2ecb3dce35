//! Features of whole slides: which slides, tiled how, and what became of each. The readers are those of `pixels`.
//!
//! | room | what |
//! | --- | --- |
//! | `list` | the slides of a folder or a CSV |
//! | `run` | a folder of results: journal, features, records |
//! | `bags` | the features of each slide, read again |
//! | `rows` | the slide of a row, from its name |
//! | `geojson`, `heatmap`, `answers` | outlines of tissue from other tools; predictions drawn on a slide; one answer a slide |

mod answers;
mod bags;
mod geojson;
mod h5;
mod heatmap;
mod list;
mod rows;
mod run;

pub use answers::write_slide_answers;
pub use bags::{Bag, Bags, Pooled};
pub use blindscope_pixels::slides::{
    Container, DicomSlide, Grid, Level, Mpp, MppSource, Opener, Outline, Overview, OverviewPlan, Scale,
    Slide, SlideProblem, TiffSlide, TilePlan, TileProblem, TissueRule, magnification_of,
};
pub use geojson::{read_outlines, write_outlines};
pub use heatmap::{TilePrediction, draw_predictions};
pub use list::{SlideEntry, SlideFacts, SlideList, SlideTable, list_slides};
pub use rows::{slide_of_row, slides_of_rows};
pub use run::{
    Prepared, RunFolder, SlideProgress, SlideRecord, SlideRun, SlideSettings, TissueLevel, TissueSource,
    extract_slides, merge_records, prepare, read_records, read_tile,
};
