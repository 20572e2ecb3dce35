//! A party's kit: how it is made, what is in it, and whether this machine can run it.

pub mod certificates;
pub mod config;
mod folder;
pub mod preflight;
pub mod provision;

pub use folder::{CoordinatorSettings, InferenceSettings, Kit, Member, Members, PartySettings};
