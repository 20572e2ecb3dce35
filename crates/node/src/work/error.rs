//! Why a message or a parcel is not taken.

use blindscope_federation::Blob;

/// Shorthand.
pub(crate) type Result<T> = std::result::Result<T, Refused>;

/// What came through the queue or the object store and is not what it has to be, or did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// More bytes than any of ours has.
    #[error("{what}: {found} bytes, at most {most} are taken")]
    TooLong {
        /// What it was meant to be.
        what: &'static str,
        /// Bytes announced or found.
        found: u64,
        /// Bytes allowed.
        most: u64,
    },
    /// Bytes of another form.
    #[error("{what}: {reason}")]
    Form {
        /// What it was meant to be.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Another release's.
    #[error(
        "{what}: version {found}, this release speaks {expected}; run the same release for coordinators and workers"
    )]
    Version {
        /// What it was meant to be.
        what: &'static str,
        /// As found.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// Another study's.
    #[error("{what}: it is of study {found}; give every study a `blobs` of its own")]
    OtherStudy {
        /// What it was meant to be.
        what: &'static str,
        /// As found, cut short.
        found: String,
    },
    /// Bytes that are not those of their name.
    #[error("{what}: the bytes of {named} are {found}")]
    OtherBytes {
        /// Where.
        what: &'static str,
        /// The name.
        named: Blob,
        /// What they are.
        found: Blob,
    },
    /// An outcome that does not belong to the work, or names what is not there.
    #[error("outcome: {0}")]
    Outcome(&'static str),
    /// The worker could not do it; its own log says why.
    #[error("the worker could not do it; its log says why")]
    NotDone,
    /// The object store.
    #[error(transparent)]
    Store(#[from] blindscope_store::Error),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] blindscope_transport::Error),
    /// A task of ours ended, or a machine without randomness.
    #[error("{0}")]
    Machine(String),
}

impl Refused {
    /// Whether it is the message's fault: everybody would refuse it.
    pub(crate) fn is_for_good(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::Queue(_) | Self::Machine(_))
    }

    /// Whether something is not in the object store (any more).
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Self::Store(blindscope_store::Error::Io { source, .. }) => {
                source.kind() == std::io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
}
