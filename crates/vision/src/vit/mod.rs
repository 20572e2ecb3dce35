//! Vision Transformers (Dosovitskiy et al., arXiv 2010.11929) in the forms that pathology uses.
//!
//! To read it: `forward` is a block with its shapes, `attention` and `linear` are what it calls, `tokens` puts blocks between patches
//! and CLS tokens; `backward` and `recording` are the derivatives of both, `model` is the value that they are methods of. What else is
//! here reads weights and their names.
//!
//! Dimension letters: `b` images, `t` tokens, `d` width, `h` heads, `e = d/h` head width, `f` hidden width.

mod attention;
mod backward;
mod block;
pub mod card;
mod config;
mod engine;
mod forward;
#[cfg(feature = "gpu")]
mod gpu;
mod linear;
mod locate;
mod model;
mod names;
mod norm;
mod parameters;
mod position;
mod recording;
mod tokens;
mod weights;

pub use block::BlockParameters;
pub use config::{Config, Mlp};
pub use engine::{Device, Engine};
#[cfg(feature = "gpu")]
pub use gpu::GpuVit;
pub use linear::{Adapter, Linear};
pub(crate) use locate::CONVERT;
pub use locate::locate;
pub use model::Vit;
pub use norm::Norm;
pub(crate) use parameters::fill_normal;
pub use parameters::{Parameters, TensorSpec};
pub use position::Interpolation;
pub use recording::Recording;
pub use weights::{Described, describe, load, load_with, save};
