//! Class tokens of tiles: extracted, cached, stored and imported.

mod cache;
mod extract;
mod file;
mod hdf5;
mod import;
mod npy;

pub use cache::FeatureCache;
pub use extract::{Extraction, Progress, backbone_digest, extract, extract_on};
pub use file::{Features, hex, unhex};
pub use import::{ImportOptions, Imported, import};
