//! Blindscope's use cases over its services and its learning, composed once: what the command line offers, without arguments or
//! printing.

pub mod audit;
pub mod bench;
pub mod demo;
pub mod plan;
