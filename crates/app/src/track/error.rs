//! Why an export failed.

use std::io;
use std::path::PathBuf;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A job that has not ended.
    #[error("export {job}: it has not ended; wait for it: `blindscope job watch {job}`")]
    NotOver {
        /// Its name.
        job: String,
    },
    /// A job that the log does not have.
    #[error("export {job}: the log has no such job; list the jobs")]
    Unknown {
        /// As given.
        job: String,
    },
    /// A line of a history file that is none.
    #[error("read {}: line {line}: {reason}; name a file that a site wrote as its history", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("{action} {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// A server that cannot be reached, or does not answer as `MLflow` does.
    #[error(
        "{call} at {server}: {reason}; look at the address, and at MLFLOW_TRACKING_TOKEN where the server wants one"
    )]
    Server {
        /// What was asked.
        call: &'static str,
        /// Whom.
        server: String,
        /// What came of it.
        reason: String,
    },
    /// From the study's services.
    #[error(transparent)]
    Node(#[from] blindscope_node::Error),
}

impl Error {
    /// Names the file of a failure.
    pub(super) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { action, path, cause }
    }
}
