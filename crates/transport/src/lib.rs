//! The only sockets of the project: gRPC over mutual TLS 1.3, one port, sites dial out only; and, where asked for, a second listener
//! for monitors or a browser ([`Pages`]). With the feature `scale`, a client of the queues that workers take from (`queue`).
//!
//! It knows bytes, digests, headers and limits, nothing of their meaning. What is behind a server is a [`Handler`]; the
//! handler learns who calls by the key of the caller's certificate ([`PeerId`]), says from an upload's head how many
//! bytes it takes, and only then are they read, hashed while they come, and dropped at the first byte too many.
//!
//! What a stranger can do to a server is bounded in [`Limits`]: handshakes that dawdle are cut, connections, calls and
//! uploads of one certificate are counted, an upload below a byte rate is refused, and a full server makes callers wait
//! before it reads what they send.

#![allow(clippy::disallowed_methods, reason = "sockets and their deadlines are what this crate is for")]
#![forbid(unsafe_code)]

mod client;
mod error;
mod handler;
mod identity;
mod limits;
mod message;
mod pages;
#[cfg(feature = "scale")]
pub mod queue;
mod refusal;
mod server;
mod stubs;
mod tls;

pub use client::{Backoff, Client, Found};
pub use error::{Error, Result};
pub use handler::{
    Answer, Command, Documents, Errand, Finishing, Handler, Intake, Join, Joined, Source, Stream, Upload,
    Uptake,
};
pub use identity::{Peer, PeerId};
pub use limits::Limits;
pub use pages::Pages;
pub use refusal::{Class, Refusal};
pub use server::{Server, Stop};
pub use tls::{ClientTls, Credentials, ServerTls};
/// What an implementation of [`Handler`] is marked with, so that the application names no RPC library.
pub use tonic::async_trait;
