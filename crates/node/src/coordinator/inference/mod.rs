//! Encrypted predictions: released heads, askers' keys, questions, and how many tokens were answered.

mod asked;
mod evaluating;
mod heads;
mod kept;
mod oracle;
mod places;
mod questions;
mod usage;

pub(super) use asked::{misplaced, wish};
pub(super) use evaluating::Evaluating;
#[cfg(feature = "scale")]
pub(crate) use heads::Offered;
pub use heads::{HeadReader, Served};
pub(super) use oracle::Oracle;
pub(super) use questions::Questions;
