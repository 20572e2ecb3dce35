//! Vision for Blindscope: tiles and honest splits, Vision Transformers, CLS features, encryption-friendly heads.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`data`] | folders of tiles with classes and patients, splits that keep a patient together, preprocessing |
//! | [`slides`] | runs over whole slides: which tiles, in which order, what is kept of a run that stops |
//! | [`vit`] | transformers: forward, backward, weights of several namings, model cards |
//! | [`features`] | CLS tokens of many tiles: extraction, cache, files, import |
//! | [`values`] | rows that need not fit into memory |
//! | [`head`] | classifiers on tokens, in forms that can be evaluated under encryption |
//! | [`train`] | training of head and backbone: losses, optimiser, augmentation, adapters |
//! | [`metrics`] | accuracy, F1, AUC, intervals by patient |
//! | [`mod@bench`], [`synth`] | what benchmarks of vision share; drawn tiles for demos and tests |
//! | `kernels` | products, normalisation, softmax, GELU over SIMD lanes |
//! | `tensorfile`, `replace` | safetensors with bounds; files that are there in whole or not at all |

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
