//! Models fetched from a hub, kept with their digests.

mod store;

pub use store::Store;
