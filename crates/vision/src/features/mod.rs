//! CLS tokens of tiles: extracted, cached, stored and imported.

mod cache;
mod extract;
mod file;
pub(crate) mod hdf5;
mod import;
mod labelled;
mod npy;
mod table;

pub use blindscope_wire::{hex, unhex};
pub use cache::FeatureCache;
pub use extract::{Extraction, Progress, backbone_digest, extract, extract_on};
pub use import::{ImportOptions, Imported, import};
pub use labelled::Features;
