//! What is kept: a coordinator's records or a site's marks in a database, blobs in a folder or a bucket.
//!
//! Whatever an operation here reports as kept survives a power cut. Whatever it refuses leaves everything as it was.
//!
//! There are two of each: SQLite and a folder, for a process by itself, and, with the feature `scale`, PostgreSQL and an object store, for
//! several coordinators of which one leads ([`Home`]).

#![forbid(unsafe_code)]

mod blob_store;
#[cfg(feature = "scale")]
mod bucket;
mod carried;
mod document;
#[cfg(feature = "scale")]
mod engine;
mod entries;
mod error;
mod folder;
mod hold;
mod home;
mod journal;
mod log;
mod look;
mod migrations;
#[cfg(feature = "scale")]
mod postgres;
#[cfg(feature = "scale")]
mod scaled;
mod shelf;
mod small;
mod sqlite;
mod unfinished;

pub use blob_store::{BlobStore, Checked};
#[cfg(feature = "scale")]
pub use bucket::Exchange;
pub use document::Document;
pub use error::{Error, Result};
pub use hold::Hold;
pub use home::{Environment, Home, Shared};
pub use log::{Marks, Records};
pub use look::Look;
pub use unfinished::Unfinished;
