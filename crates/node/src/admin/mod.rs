//! What an administrator does: jobs, and the audit log.

mod download;
pub mod jobs;
pub mod log;
mod watch;

pub use download::Downloaded;
