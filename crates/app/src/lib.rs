//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod bench;
pub mod certificates;
pub mod config;
pub mod demo;
pub mod coordinator;
mod error;
pub mod features;
mod files;
pub mod heads;
mod hex;
pub mod jobs;
pub mod kit;
pub mod learn;
pub mod models;
pub mod plan;
pub mod provision;
pub mod report;
pub mod log;
pub mod preflight;
pub mod provision;
pub mod site;
pub mod system;

pub use error::{AppError, Result};
pub mod features;
pub mod heads;
pub mod models;
pub mod plan;
pub mod training;
