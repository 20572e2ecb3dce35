//! The token packing: few tokens, low latency.

mod first;
mod outer;
mod server;

pub(crate) use first::FirstLayer;
pub(crate) use server::{TokenServer, lower, raised};
