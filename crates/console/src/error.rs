//! Why the console does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the console does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that others could reach.
    #[error(
        "listen on {address}: pages are for this machine alone; take a loopback address, 127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A kit whose owner has no pages.
    #[error("kit {}: pages are for an administrator's or a site's kit; a coordinator is watched through one of these", folder.display())]
    NoPages {
        /// The kit's folder.
        folder: PathBuf,
    },
    /// The operating system gives no random bytes.
    #[error("make a token: the system gives no random bytes; without them anybody could guess it")]
    Entropy,
    /// The kit, the network or the other side.
    #[error(transparent)]
    Node(#[from] blindscope_node::Error),
    /// The listener.
    #[error(transparent)]
    Transport(#[from] blindscope_transport::Error),
}

impl Error {
    /// What the process returns, as `docs/cli.md` lists it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotLoopback { .. } => 2,
            Self::NoPages { .. } => 3,
            Self::Node(error) => error.exit_code(),
            Self::Entropy | Self::Transport(_) => 1,
        }
    }
}
