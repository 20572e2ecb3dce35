//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod audit;
pub mod bench;
pub mod certificates;
pub mod config;
pub mod coordinator;
pub mod demo;
mod error;
pub mod features;
mod files;
pub mod heads;
mod hex;
pub mod jobs;
pub mod kit;
pub mod learn;
pub mod log;
pub mod models;
pub mod plain;
pub mod plan;
pub mod predict;
pub mod preflight;
pub mod processes;
pub mod provision;
pub mod report;
pub mod site;
pub mod system;
pub mod training;
pub mod trial;

pub use blindscope_federation::{Deadlines, JobKind, JobSpec, JobStatus, JobView, Phase};
pub use blindscope_transport::{Limits, Stop};
pub use error::{AppError, Result};
