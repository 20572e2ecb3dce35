//! The token packing: few tokens, low latency.

mod outer;
mod server;

pub(crate) use server::{TokenServer, first_step, raised};
