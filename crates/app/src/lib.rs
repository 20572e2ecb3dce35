//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod audit;
pub mod bench;
pub mod features;
pub mod heads;
pub mod models;
pub mod plan;
pub mod training;
