//! Blindscope's use cases over its services and its learning, composed once: what the command line offers, without arguments or
//! printing.

#![allow(clippy::disallowed_methods, reason = "use cases measure what they do")]

pub mod audit;
pub mod bench;
mod clock;
pub mod demo;
pub mod plan;
pub mod track;
