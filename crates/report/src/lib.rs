//! Reports: plain data in, one self-contained HTML page out.
//!
//! A [`Report`] is sections of paragraphs, tables and figures, with the provenance of every number. [`Report::to_html`]
//! writes a page that loads nothing from anywhere, follows the reader's light or dark setting, prints, and can be read
//! without seeing: each drawing names itself and has its table beside it. All text is escaped; nothing of the input is
//! taken as markup. The crate knows nothing of what it reports on and reads no clock.

mod card;
mod chart;
mod document;
mod error;
mod html;
mod image;
mod markup;
mod table;

pub use card::ModelCard;
pub use chart::{Bar, BarChart, BarSeries, ConfusionMatrix, Drawing, LineChart, LineSeries, ReferenceLine};
pub use document::{Block, Fact, Figure, Headline, Provenance, Report, Section};
pub use error::{Error, Result};
pub use html::STYLE;
pub use image::{ImageCell, ImageGrid, Png};
pub use table::Table;
