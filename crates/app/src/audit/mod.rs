//! `blindscope audit`: attacks the study's own model and data, and says in figures and pictures what got out.

mod closed;
mod error;
mod tiles;

pub use closed::{ClosedForm, ClosedTarget, closed_form};
pub use error::AuditError;
pub use tiles::{Source, Tile, Tiles};
