//! Vision for Blindscope: tiles and honest splits, Vision Transformers, CLS features, encryption-friendly heads.

#![allow(clippy::doc_markdown, reason = "the field's proper names: PyTorch, DeiT, SwiGLU, LoRA")]
#![allow(
    clippy::needless_for_each,
    clippy::needless_range_loop,
    reason = "index arithmetic over several arrays at once"
)]
#![allow(clippy::needless_pass_by_value, reason = "matrix views and conversions read best by value")]

pub mod bench;
pub mod data;
pub mod error;
pub mod features;
pub mod head;
mod kernels;
pub mod metrics;
mod replace;
pub mod slides;
pub mod synth;
mod tensorfile;
pub mod train;
pub mod values;
pub mod vit;

pub use error::{Error, Result};
