//! A study as state machines over messages.
//!
//! No sockets, no clock, no disk, no randomness of its own: a [`Coordinator`] and a [`Site`] take inputs and say what to store,
//! what to compute and what to send. Both are folds over what they stored, so that a crash at any moment loses nothing that
//! was acknowledged. `docs/protocol.md` tells a study's life.
//!
//! - what is agreed: [`Study`], [`Policy`], [`JobSpec`]
//! - what is said: [`Task`] to a site, [`SignedHeader`] with a payload from it, [`Record`] as its receipt
//! - what is computed: [`Work`] at the coordinator, [`Ask`] at a site, over [`Blobs`]

#![forbid(unsafe_code)]

mod blob;
mod circuit;
mod confirm;
mod coordinator;
mod error;
mod explain;
mod header;
mod identity;
mod job;
mod learn;
mod message;
pub mod payload;
mod policy;
mod promise;
mod record;
mod refusal;
mod seal;
mod site;
mod step;
mod study;
pub mod sums;
mod task;
mod text;
mod verify;
mod withstand;

pub use blob::{Blob, BlobHasher, Blobs};
pub use circuit::{Circuit, Evaluation, GaloisDemand, Question};
pub use confirm::{Confirmation, Confirmed, check_confirmed};
pub use coordinator::{
    Admission, Coordinator, Decision, InferenceKey, Input, JobStatus, JobView, Outcome, StepView, SumWork,
    Work,
};
pub use error::{Error, Result};
pub use header::{Answer, Cause, Header, SignedHeader};
pub use identity::{IdentityKey, PublicIdentity, Signature, Signer};
pub use job::{JobKind, JobSpec, SiteTools, Sizes, combine, site_payload};
pub use learn::{Advance, Advanced, Asked, Contribution, LearnError};
pub use policy::{Policy, Rule};
pub use promise::{Promised, common_string, promise_of};
pub use record::{Body, Event, Failure, Missing, NamedSet, Output, Record, SecondRound};
pub use refusal::Refusal;
pub use seal::{PublicSealingKey, SEAL_OVERHEAD, SealingKey};
pub use site::{HeldKey, Mark, Objection, Order, Permit, Site};
pub use step::{JobId, Phase, SiteId, Step};
pub use study::{Deadlines, SiteEntry, Study, StudyLiteral};
pub use task::{Ask, EvaluationShares, Grounds, Opening, SettledProof, SettledRound, Task};
pub use verify::{Verified, verify};
