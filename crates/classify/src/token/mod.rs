//! The token packing: few tokens, low latency.

mod asker;
mod layout;
mod server;

pub use asker::{EvaluationKeys, TokenAsker};
pub use layout::Layout;
pub use server::TokenServer;
