//! The token packing: few tokens, low latency.

mod layout;
mod outer;
mod server;

pub(crate) use layout::Demand;
pub use layout::{Layout, Outer};
pub(crate) use server::{TokenServer, first_step, raised};
