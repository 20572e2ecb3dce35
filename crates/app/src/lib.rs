//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod bench;
pub mod certificates;
pub mod config;
pub mod coordinator;
mod error;
mod files;
mod hex;
pub mod jobs;
pub mod kit;
pub mod log;
pub mod plain;
pub mod preflight;
pub mod processes;
pub mod provision;
pub mod site;
pub mod system;
pub mod trial;

pub use blindscope_federation::{Deadlines, JobKind, JobSpec, JobStatus, JobView, Phase};
pub use blindscope_transport::{Limits, Stop};
pub use error::{AppError, Result};
