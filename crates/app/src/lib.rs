//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod bench;
pub mod learn;
pub mod heads;
pub mod plan;
pub mod features;
pub mod models;
pub mod certificates;
pub mod config;
mod error;
mod files;
mod hex;
pub mod kit;
pub mod preflight;
pub mod provision;
pub mod system;

pub use error::{AppError, Result};
