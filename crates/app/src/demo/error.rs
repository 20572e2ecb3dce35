//! Why a demo could not go on, and the files that it keeps between its steps.

use std::path::{Path, PathBuf};

/// The demo's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a demo could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder holds something else.
    #[error(
        "{} holds {found}; remove it, or name another one with --folder",
        folder.display()
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        found: &'static str,
    },
    /// A file or folder.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The caller asked to stop.
    #[error("stopped; what was done lies in {}", folder.display())]
    Stopped {
        /// The demo's folder.
        folder: PathBuf,
    },
    /// A process of the demo ended by itself.
    #[error("{name} ended ({status}); the last lines of {}:\n{tail}", log.display())]
    Process {
        /// Which one.
        name: String,
        /// How.
        status: String,
        /// What it wrote.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {seconds} s; see the logs in {}", logs.display())]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// Where the processes write.
        logs: PathBuf,
    },
    /// A job ended without a result.
    #[error("job {job} failed: {reason}")]
    Job {
        /// The job.
        job: String,
        /// What the coordinator says.
        reason: String,
    },
    /// Tiles that cannot be shared out among three sites and a test set.
    #[error("splitting the tiles: {reason}")]
    Split {
        /// Why, and the repair.
        reason: String,
    },
    /// From features.
    #[error(transparent)]
    Features(#[from] blindscope_learn::features::Error),
    /// From vision.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// From learning.
    #[error(transparent)]
    Learn(#[from] blindscope_learn::jobs::Error),
    /// From encrypted inference.
    #[error(transparent)]
    Classify(#[from] blindscope_classify::Error),
    /// From a service.
    #[error(transparent)]
    App(#[from] blindscope_node::Error),
    /// From the protocol.
    #[error(transparent)]
    Federation(#[from] blindscope_federation::Error),
    /// From the report.
    #[error(transparent)]
    Report(#[from] blindscope_report::Error),
}

impl Error {
    /// Names the operation and the path of an input or output error.
    pub(super) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }

    /// Whether the caller's cancel flag ended it.
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Features(e) => e.stopped().is_some(),
            _ => false,
        }
    }
}

/// Reads a file that the demo wrote.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::file("reading", path))
}

/// Writes a file; a reader sees the old one or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.to_owned();
    beside.as_mut_os_string().push(".part");
    std::fs::write(&beside, bytes).map_err(Error::file("writing", &beside))?;
    std::fs::rename(&beside, path).map_err(Error::file("writing", path))
}

/// Makes a folder with those above it.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::file("creating", path))
}
