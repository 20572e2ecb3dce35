//! Learning, from tiles to heads, and where it meets encryption: what a site contributes to a job and what follows from a sum.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`features`] | tiles and slides to feature files, by use case |
//! | [`models`] | backbones fetched from a hub, by digest |
//! | [`training`] | heads and backbones trained at one site alone |
//! | [`heads`] | trained heads as they are evaluated under encryption |
//! | [`jobs`] | each kind of job: a site's integers, what follows from their sum, the clear twin |
//! | [`mod@documented`] | settings that say of themselves what each key means |
//!
//! Nothing here is asynchronous, keeps a store or knows of a transport; the only sockets are those of [`models`], which fetches a
//! backbone from a hub when a user asks for it.

pub mod documented;
pub mod features;
pub mod heads;
pub mod jobs;
pub mod models;
pub mod training;
