//! What is on disk: a coordinator's records or a site's marks in SQLite, blobs in a folder.
//!
//! Whatever an operation here reports as kept survives a power cut. Whatever it refuses leaves the disk as it was.

#![forbid(unsafe_code)]

mod carried;
mod error;
mod folder;
mod hold;
mod journal;
mod log;
mod migrations;
mod small;
mod sqlite;
mod unfinished;

pub use error::{Error, Result};
pub use folder::{Checked, Folder};
pub use hold::Hold;
pub use log::{Marks, Records};
pub use unfinished::Unfinished;
