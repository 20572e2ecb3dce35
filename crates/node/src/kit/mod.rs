//! A party's kit: how it is made, what is in it, and whether this machine can run it.

mod approvals;
pub mod certificates;
pub mod config;
mod folder;
mod history;
mod init;
pub mod preflight;
pub mod provision;
pub mod reference;
mod settings;
mod shared;

pub use approvals::{Approval, Approvals, Consent};
pub use folder::{Kit, Members, Person};
pub(crate) use history::{keep, kept};
pub use init::{Init, init};
pub use settings::{CoordinatorSettings, InferenceSettings, PartySettings};
#[cfg(feature = "scale")]
pub(crate) use shared::queue_name;
pub(crate) use shared::shared;
