//! Learning, from tiles to heads, and where it meets encryption: what a site contributes to a job and what follows from a sum.
//!
//! Nothing here is asynchronous, keeps a store or knows of a transport; the only sockets are those of [`models`], which fetches a
//! backbone from a hub when a user asks for it.

pub mod documented;
pub mod features;
pub mod heads;
pub mod jobs;
pub mod models;
pub mod training;
