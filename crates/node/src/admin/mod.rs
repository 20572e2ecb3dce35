//! What an administrator does: jobs, and the audit log.

pub mod jobs;
pub mod log;
