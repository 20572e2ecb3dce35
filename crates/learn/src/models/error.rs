//! Why a model could not be fetched.

use std::path::PathBuf;

/// Why a model could not be fetched. Files that were there before stay as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no hub has.
    #[error("model name `{name}`: {rule}")]
    Name {
        /// As given.
        name: String,
        /// What must hold.
        rule: &'static str,
    },
    /// A hub that is not reached over TLS.
    #[error(
        "hub {hub}: expected https://…; plain http is taken from this machine alone, since anybody on the way could change it"
    )]
    Insecure {
        /// The hub.
        hub: String,
    },
    /// The system has no certificate authorities.
    #[error(
        "no certificate authority is installed on this system, so no hub can be trusted ({reason}); install ca-certificates, or \
         name a file of authorities in SSL_CERT_FILE"
    )]
    NoAuthorities {
        /// What was tried.
        reason: String,
    },
    /// The hub's certificate is not trusted.
    #[error(
        "{url}: the hub's certificate is not trusted ({reason}); if a hospital's own authority signed it, name that authority's \
         certificate (PEM) in SSL_CERT_FILE or install it among the system's; otherwise somebody on the way may be reading along"
    )]
    Certificate {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The hub has no such file.
    #[error("{url}: not found; check name and revision")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The hub wants to know who asks.
    #[error(
        "{url}: refused with status {status}; accept the model's terms on the hub and give a token (HF_TOKEN)"
    )]
    Refused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// Any other answer that is not the file.
    #[error("{url}: the hub answered with status {status}; try again later")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// The hub answered with another part of the file than was asked for.
    #[error(
        "{url}: asked for bytes from {wanted} on, got `{got}`; what was there was thrown away, fetch again"
    )]
    WrongRange {
        /// What was asked for.
        url: String,
        /// First byte asked for.
        wanted: u64,
        /// The answer's Content-Range.
        got: String,
    },
    /// More bytes than allowed.
    #[error(
        "{url}: {bytes} bytes or more are over the {most} allowed; raise --max-bytes if the model is that large"
    )]
    TooLarge {
        /// What was asked for.
        url: String,
        /// Bytes announced or read.
        bytes: u64,
        /// Bytes allowed.
        most: u64,
    },
    /// The connection failed or ended early.
    #[error("{url}: interrupted after {done} bytes of {}: {reason}; fetch again to take up there", total.map_or("an unknown length".into(), |t| t.to_string()))]
    Interrupted {
        /// What was asked for.
        url: String,
        /// Bytes kept.
        done: u64,
        /// Bytes of the whole file, where known.
        total: Option<u64>,
        /// What happened.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("{url}: stopped on request after {done} bytes; fetch again to take up there")]
    Stopped {
        /// What was being fetched.
        url: String,
        /// Bytes kept.
        done: u64,
    },
    /// The file is not the one that was expected. It was thrown away.
    #[error("{url}: SHA-256 {got} is not the {expected} {source_of}; the file was thrown away")]
    Digest {
        /// What was fetched.
        url: String,
        /// Digest of what came.
        got: String,
        /// Digest expected.
        expected: String,
        /// Who expects it.
        source_of: &'static str,
    },
    /// Another fetch works in the same store.
    #[error("{} is in use by another fetch; wait for it", folder.display())]
    Busy {
        /// The store.
        folder: PathBuf,
    },
    /// A file of the store could not be read or written.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The list of digests is damaged.
    #[error("{}: not a list of digests ({source}); repair it, or delete it to trust the next fetch anew", path.display())]
    Lock {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Error {
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}
