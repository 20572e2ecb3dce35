//! The services of a study, each run from a kit: coordinator, site, asker and administrator, and the documents between them.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`coordinator`] | the service that everybody dials: one writer of the state, its worker, and inference |
//! | [`site`] | a hospital's service: asks for tasks, judges, works, answers |
//! | [`asker`] | tokens to predictions, by a head in the clear or an encrypted one |
//! | [`admin`] | jobs and the log, as administrators see them |
//! | [`kit`] | the folder that one process runs from: provisioning, certificates, settings, checks before the start |
//! | [`roster`] | sites come and go: history on the disk, changes, words |
//! | [`plain`], [`rehearsal`] | sums of integers that sites bring themselves; studies of such for tests and measurements |
//! | [`processes`], [`system`] | services as child processes; the clock, the disk and randomness |
//! | [`traces`] | what is done for a step, for tracing tools |
//! | `worker`, `work` | with the feature `scale`: what does pieces of a coordinator's work elsewhere, and what travels between both |
//! | `documents`, `files`, `error` | what crosses the wire beside the protocol; files that are whole or absent; what is refused |

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
pub mod rehearsal;
pub mod roster;
pub mod site;
pub mod system;
pub mod traces;
#[cfg(feature = "scale")]
mod work;
#[cfg(feature = "scale")]
pub mod worker;

pub use blindscope_federation::{
    Cause, Deadlines, Failure, JobId, JobKind, JobSpec, JobStatus, JobView, Phase, SiteId, StepView, Study,
};
pub use blindscope_transport::{Limits, Stop};
pub use documents::{Answered, Machine, Presence, Quotas, SiteView};
pub use error::{Error, Result, is_absent};
// For fuzz targets alone.
#[cfg(feature = "scale")]
#[doc(hidden)]
pub use work::outside;
