//! `MLflow`: its folder of runs, or its server.

mod folder;
mod server;

pub use folder::write;
pub use server::{Sent, Server};
