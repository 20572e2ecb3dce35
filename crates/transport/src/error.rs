//! What goes wrong between two machines.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::refusal::Refusal;
use blindscope_wire::Digest;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call, or a service, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other side refused, and said why.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No answer: the network, a proxy, or a coordinator that is down.
    #[error(
        "call {call}: no answer from {address}: {cause}; check the address, the network and that the coordinator runs"
    )]
    Unreachable {
        /// Which call.
        call: &'static str,
        /// Whom.
        address: String,
        /// What the layer below says.
        cause: String,
    },
    /// An answer that does not follow the protocol.
    #[error(
        "call {call}: the answer is no {expected}; the other side runs another version or is no Blindscope"
    )]
    Protocol {
        /// Which call.
        call: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A blob that is not the one asked for.
    #[error("fetch {wanted}: the bytes received have digest {found}; nothing was kept, fetch again")]
    Digest {
        /// Asked for.
        wanted: Digest,
        /// Received.
        found: Digest,
    },
    /// A blob longer than allowed.
    #[error("fetch {wanted}: {len} bytes are announced, at most {max} are expected")]
    TooLong {
        /// Asked for.
        wanted: Digest,
        /// Announced, or received so far.
        len: u64,
        /// Allowed.
        max: u64,
    },
    /// The source or the sink of a blob failed.
    #[error("{action}: {cause}")]
    File {
        /// What was under way.
        action: &'static str,
        /// The failure.
        cause: io::Error,
    },
    /// A certificate or key that cannot be used.
    #[error("TLS: {what} cannot be used: {cause}")]
    Tls {
        /// Which.
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// An address that is none.
    #[error("address {address:?}: not HOST:PORT")]
    Address {
        /// As given.
        address: String,
    },
    /// A server of queues that is away, or refuses.
    #[error("queue, {op}: {reason}; check that NATS runs with JetStream and lets this user in")]
    Queue {
        /// What was asked.
        op: &'static str,
        /// What the client says.
        reason: String,
    },
    /// The port cannot be had.
    #[error("listen on {address}: {cause}; is another coordinator running?")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The service ended by a failure.
    #[error("serve: {cause}")]
    Serve {
        /// What the layer below says.
        cause: String,
    },
}

impl Error {
    /// Whether the same call may work later, and after how long the other side wants it.
    ///
    /// `None`: it will not. A zero leaves the wait to the caller.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry,
            Self::Unreachable { .. } | Self::Digest { .. } => Some(Duration::ZERO),
            _ => None,
        }
    }
}
