//! Encrypted predictions: released heads, askers' keys, questions, and how many tokens were answered.

mod heads;
mod kept;
mod oracle;
mod questions;
mod usage;

pub use heads::HeadReader;
pub(super) use oracle::{Oracle, wish};
pub(super) use questions::Questions;
