//! Why a use case failed, with the exit code that the command line gives it.

use std::io;
use std::path::PathBuf;

use blindscope_federation::JobId;
use blindscope_transport::Class;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("{action} {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A settings file that says something else than expected.
    #[error("read {}: {reason}; correct the file", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A project file that no study can be founded on.
    #[error("{key} is {found}, expected {expected}")]
    Project {
        /// The key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: String,
    },
    /// An override on the command line that is none.
    #[error("-c {given}: {reason}; write key=value")]
    Override {
        /// As given.
        given: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key file that holds no key.
    #[error("read key {}: {reason}; restore it from a copy, or request a new certificate", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A certificate could not be made.
    #[error("make certificate of {name}: {reason}")]
    Certificate {
        /// Whose.
        name: String,
        /// What the library says.
        reason: String,
    },
    /// A request whose signature is not its key's.
    #[error(
        "request of {name}: its signature is not its key's; ask the site for a new one, over a way that you trust"
    )]
    Request {
        /// Whose.
        name: String,
    },
    /// Parts of a kit that do not belong together.
    #[error("kit {}: {what} is {found}, {expected} is expected; {repair}", folder.display())]
    Kit {
        /// The kit's folder.
        folder: PathBuf,
        /// Which part.
        what: &'static str,
        /// As found.
        found: String,
        /// As it should be.
        expected: String,
        /// What to do.
        repair: &'static str,
    },
    /// The coordinator's study is not this kit's.
    #[error(
        "join: the coordinator's study is {found}, this kit's {expected}; fetch the kit again, or correct the address"
    )]
    OtherStudy {
        /// The kit's.
        expected: String,
        /// The coordinator's.
        found: String,
    },
    /// A name that no job, site or file has.
    #[error("no {what} is named {name}; {repair}")]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// The name given.
        name: String,
        /// What to do.
        repair: &'static str,
    },
    /// The coordinator's roster is not one that follows from the one that is known here.
    #[error("roster: {reason}")]
    Roster {
        /// What is wrong, with what to do.
        reason: String,
    },
    /// This site is not of the roster in force.
    #[error(
        "roster: this site has left the study, or has new keys elsewhere: nothing is asked of it here any more"
    )]
    Left,
    /// Whoever re-encrypted it, an answer of an encrypted head did not open.
    #[error(
        "ask {job}: the answer did not open, {made} times; {suspects}; tell their operators and who runs the study, and ask again"
    )]
    WrongShares {
        /// The head's job.
        job: String,
        /// Answers that were tried.
        made: usize,
        /// Who gave shares, by name, and who is in all that failed.
        suspects: String,
    },
    /// The job ended without a result.
    #[error("job {name} ({}): {reason}", job.short())]
    JobFailed {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// Why, in a sentence with the sites' names.
        reason: String,
    },
    /// The wait for a job was given up: too few sites are there. The job stays as it is.
    #[error("job {name} ({}): {reason}", job.short())]
    NothingComes {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// Which sites are not there, until when the job waits, and what to do.
        reason: String,
    },
    /// A document from the coordinator that is none.
    #[error(
        "{call}: the coordinator's document is not readable: {reason}; use the same release on both sides"
    )]
    Document {
        /// Which call.
        call: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The audit log does not verify.
    #[error("log: {reason}; the log was altered, cut, or belongs to another study")]
    Log {
        /// What is wrong, with the record's number.
        reason: String,
    },
    /// A task of ours ended by a defect.
    #[error("{what} ended unexpectedly; this is a defect, see the log above")]
    Defect {
        /// Which task.
        what: &'static str,
    },
    /// The operating system gives no random bytes.
    #[error("seed the generator: the system gives no random bytes; keys are not made without them")]
    Entropy,
    /// From learning code.
    #[error(transparent)]
    Learning(#[from] blindscope_learn::jobs::Error),
    /// Features that cannot be read.
    #[error(transparent)]
    Features(#[from] blindscope_learn::features::Error),
    /// Encrypted classification.
    #[error(transparent)]
    Classify(#[from] blindscope_classify::Error),
    /// The network or the other side.
    #[error(transparent)]
    Transport(#[from] blindscope_transport::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] blindscope_store::Error),
    /// The protocol.
    #[error(transparent)]
    Federation(#[from] blindscope_federation::Error),
}

/// Exit codes of the command line; `docs/cli.md` lists them.
impl Error {
    /// Whether it is the caller's to correct: settings, a kit, a key, a file or a name.
    pub fn is_callers(&self) -> bool {
        self.exit_code() == 3
    }

    /// What the process returns.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings { .. }
            | Self::Override { .. }
            | Self::Project { .. }
            | Self::KeyFile { .. }
            | Self::Request { .. }
            | Self::Kit { .. }
            | Self::OtherStudy { .. }
            | Self::Roster { .. }
            | Self::Left
            | Self::Unknown { .. }
            | Self::Store(blindscope_store::Error::Setting { .. })
            | Self::Federation(
                blindscope_federation::Error::File { .. } | blindscope_federation::Error::Field { .. },
            ) => 3,
            Self::File { cause, .. } if cause.kind() == io::ErrorKind::NotFound => 3,
            Self::Learning(error) if error.is_callers() => 3,
            Self::Features(error) if error.is_callers() => 3,
            Self::Transport(blindscope_transport::Error::Refused(refusal))
                if refusal.class != Class::Unavailable =>
            {
                5
            }
            Self::Transport(
                blindscope_transport::Error::Refused(_) | blindscope_transport::Error::Unreachable { .. },
            ) => 4,
            Self::JobFailed { .. } | Self::WrongShares { .. } => 6,
            Self::Log { .. } => 8,
            Self::NothingComes { .. } => 9,
            _ if is_absent(self) => 3,
            _ => 1,
        }
    }
}

/// Whether a file that is not there lies at the bottom of an error, whatever was wrapped around it.
pub fn is_absent(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::NotFound))
}
