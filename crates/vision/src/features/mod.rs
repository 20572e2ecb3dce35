//! Class tokens of tiles: extracted, cached, stored and imported.

mod cache;
mod extract;
mod file;
mod import;
mod npy;

pub use cache::FeatureCache;
pub use extract::{Extraction, Progress, backbone_digest, extract};
pub use file::{Features, hex, unhex};
pub use import::import;
