//! Models fetched from a hub, kept with their digests.
//!
//! A hub is anything that answers `BASE/OWNER/NAME/resolve/REVISION/FILE`, as Hugging Face does. A file's SHA-256 is either
//! told beforehand or recorded at the first fetch, and every later fetch must meet it.

mod download;
mod error;
mod fetch;
mod lock;
mod store;

pub use error::Error;
pub use fetch::{FetchProgress, FetchRequest, Fetched, FetchedFile, agent, fetch};
pub use store::{ModelName, Store};
