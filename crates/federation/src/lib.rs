//! A study as state machines over messages.
//!
//! No sockets, no clock, no disk, no randomness of its own: a [`Coordinator`] and a [`Site`] take inputs and say what to store,
//! what to compute and what to send. Both are folds over what they stored, so that a crash at any moment loses nothing that
//! was acknowledged. `docs/protocol.md` tells a study's life.
//!
//! - what is agreed: [`Study`], [`Policy`], [`JobSpec`]
//! - what is said: [`Task`] to a site, [`SignedHeader`] with a payload from it, [`Record`] as its receipt
//! - what is computed: [`Work`] at the coordinator, [`Ask`] at a site, over [`Blobs`]
//!
//! | room | what is in it |
//! | --- | --- |
//! | `study`, `identity`, `seal`, `policy` | what is agreed once: sites and their keys, what is sealed to whom, a site's own rules |
//! | `privacy` | what a job promises of differential privacy |
//! | `step`, `task`, `header`, `message`, `text` | what is said: a step's name, its task, an answer's header, the one text of each |
//! | `roster` | sites come and go: a change, the words and signatures on it |
//! | `record`, `verify`, `refusal` | the log: its records, whether they follow one another, what is not taken into it |
//! | `explain`, `withstand`, `words`, `compared` | in words: why a job failed, whom a study's numbers withstand, what parsers say; what two people compare |
//! | `job` | kinds of jobs: sizes, what a site makes, how payloads are combined, what follows what |
//! | `coordinator`, `site` | the two state machines, folds over records and marks |
//! | [`payload`] | the bytes of ceremonies and questions |
//! | [`sums`] | one-round sums: parts, committed set, agreements, opening |
//! | `circuit`, `confirm`, `promise` | the inference key: what it is for, who vouches for it, commit and reveal |
//! | `blob`, `learn` | what computation is handed: payloads by digest, a kind's learning |

#![forbid(unsafe_code)]

mod blob;
mod circuit;
mod committee;
mod compared;
mod confirm;
mod coordinator;
mod error;
mod explain;
mod header;
mod identity;
mod job;
mod learn;
mod message;
mod opened;
pub mod payload;
mod policy;
mod privacy;
mod promise;
mod record;
mod refusal;
mod roster;
mod seal;
mod shares;
mod site;
mod step;
mod study;
pub mod sums;
mod task;
mod text;
mod verify;
mod withstand;
mod words;

pub use blob::{Blob, BlobHasher, Blobs};
pub use circuit::{Circuit, Evaluation, GaloisDemand, Question};
pub use compared::{in_groups, request_digest};
pub use confirm::{Confirmation, Confirmed, check_confirmed};
pub use coordinator::{
    Admission, Coordinator, Decision, InferenceKey, Input, JobStatus, JobView, Outcome, StepView, SumWork,
    Work,
};
pub use error::{Error, Result};
pub use header::{Answer, Cause, Header, SignedHeader};
pub use identity::{IdentityKey, PublicIdentity, Signature, Signer};
pub use job::{
    JobKind, JobSpec, Portion, SiteTools, Sizes, combine, combine_portions, divisible, portion, site_payload,
};
pub use learn::{Advance, Advanced, Asked, Contribution, LearnError};
pub use policy::{Policy, Rule};
pub use privacy::{Delta, Epsilon, Privacy, PrivacyUnit};
pub use promise::{Promised, common_string, promise_of};
pub use record::{Body, Event, Failure, Inclusions, Missing, NamedSet, Output, Record, SecondRound};
pub use refusal::Refusal;
pub use roster::{Change, Proposal, RosterView, Says, SignedChange, Word};
pub use seal::{PublicSealingKey, SEAL_OVERHEAD, SealingKey};
pub use shares::check_shares;
pub use site::{HeldKey, Mark, Objection, Order, Permit, Site};
pub use step::{JobId, Line, Phase, SiteId, Step};
pub use study::{Deadlines, SiteEntry, Study, StudyLiteral};
pub use sums::Member;
pub use task::{Ask, EvaluationShares, Grounds, Opening, SettledProof, SettledRound, Task, VoidRound};
pub use verify::{Following, Verified, verify};
pub use words::in_words;
