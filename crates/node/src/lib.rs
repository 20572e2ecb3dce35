//! The services of a study, each run from a kit: coordinator, site, asker and administrator, and the documents between them.

#![allow(clippy::disallowed_methods, reason = "the clock, the disk and the network are put together here")]

pub mod admin;
pub mod asker;
pub mod coordinator;
mod documents;
mod error;
mod exposition;
mod files;
pub mod kit;
pub mod plain;
pub mod processes;
pub mod site;
pub mod system;
pub mod trial;

pub use blindscope_federation::{
    Deadlines, JobId, JobKind, JobSpec, JobStatus, JobView, Phase, SiteId, StepView, Study,
};
pub use blindscope_transport::{Limits, Stop};
pub use documents::{Answered, Machine, Presence, Quotas, SiteView};
pub use error::{Error, Result, is_absent};
