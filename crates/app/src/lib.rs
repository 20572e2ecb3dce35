//! Blindscope's use cases, composed once: what the command line offers, without arguments or printing.

pub mod bench;
pub mod learn;
pub mod heads;
pub mod plan;
pub mod features;
pub mod models;
