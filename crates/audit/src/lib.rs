//! Attacks on what a federated study sends, stores and releases, and the figures that judge them.
//!
//! Every attack here is meant to succeed where it can: its result, good or bad for the system, is what the report
//! shows. Attackers are given more than they would have (the model, the code, the labels' number), never less.

#![allow(clippy::doc_markdown, reason = "the field's proper names: DeiT, LayerNorm, ImageNet")]
#![allow(clippy::needless_pass_by_value, reason = "conversions read best by value")]
#![allow(clippy::needless_range_loop, reason = "index arithmetic over several arrays at once")]

mod adam;
pub mod closed;
pub mod error;
pub mod extraction;
pub mod label;
mod linear;
pub mod matching;
pub mod membership;
pub mod metrics;
mod picture;
pub mod sealed;
pub mod spans;
pub mod token;

pub use error::{Error, Result};
pub use picture::Picture;
