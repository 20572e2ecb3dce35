//! What keeps a site from contributing, or a sum from becoming a model.

/// The learning code's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What keeps a site from contributing or a sum from becoming a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A job file whose settings cannot be read.
    #[error("job `{job}`, kind {kind}: settings: {reason}")]
    Settings {
        /// The job's name.
        job: String,
        /// Its kind.
        kind: &'static str,
        /// What was found.
        reason: String,
    },
    /// A setting out of range.
    #[error("settings of {kind}: {field} is {}, expected {expected}", if found.is_empty() { "missing" } else { found })]
    Setting {
        /// The job's kind.
        kind: &'static str,
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A job whose announced size is not what its settings need.
    #[error(
        "job `{job}`: {field} is {found}, but its settings need {expected}; leave the key out: it follows from [settings]"
    )]
    Announced {
        /// The job's name.
        job: String,
        /// Which field of the file.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// A job file without a key that its kind needs.
    #[error("job `{job}`: {field} is missing, expected {repair}")]
    Lacks {
        /// The job's name.
        job: String,
        /// The key.
        field: &'static str,
        /// What to write there.
        repair: &'static str,
    },
    /// A job that contradicts its study.
    #[error(
        "job `{job}`: it says {field} = {found}, but the study has {expected}; leave the key out, or correct it"
    )]
    Contradiction {
        /// The job's name.
        job: String,
        /// The key.
        field: &'static str,
        /// What the job says.
        found: String,
        /// What the study says.
        expected: String,
    },
    /// A kind of job that nobody learns from.
    #[error("jobs of kind {kind} carry no learning")]
    Kind {
        /// The kind.
        kind: &'static str,
    },
    /// A job with noise of a kind for which nobody knows how much.
    #[error(
        "kind {kind}: nothing bounds what one patient adds to its sums, so no noise hides it; leave [privacy] out, or take kind \
         statistics, auto or cls-mean"
    )]
    Unbounded {
        /// The kind.
        kind: &'static str,
    },
    /// Values of a job with noise that are asked for without.
    #[error(
        "kind {kind} with [privacy]: its values are made with noise alone; ask for them with the site's key of noise"
    )]
    WithoutNoise {
        /// The kind.
        kind: &'static str,
    },
    /// A file that the study does not take.
    #[error("{}: {cause}", path.display())]
    In {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        cause: Box<Error>,
    },
    /// The site's data does not fit the job.
    #[error("{operation}: {what} is {found}, expected {expected}")]
    Data {
        /// What was being done.
        operation: &'static str,
        /// What differs.
        what: &'static str,
        /// What the site has.
        found: String,
        /// What the job needs.
        expected: String,
    },
    /// Bytes of a model or of a round's start that cannot be read.
    #[error("{what}: {reason}")]
    Bytes {
        /// What the bytes should be.
        what: &'static str,
        /// Why they are not.
        reason: String,
    },
    /// Sums that no data can give: a defect, or a site that does not keep to the protocol.
    #[error("{operation}: {reason}")]
    Sums {
        /// What was computed.
        operation: &'static str,
        /// What is impossible.
        reason: String,
    },
    /// A file or folder of the site.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: std::path::PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// From features and backbones.
    #[error(transparent)]
    Features(Box<crate::features::Error>),
    /// From fixed point and statistics.
    #[error(transparent)]
    Aggregate(#[from] blindscope_aggregate::Error),
    /// From training.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// From a head.
    #[error(transparent)]
    Head(#[from] blindscope_classify::Error),
}

impl Error {
    /// Whether a job file, a setting or a file of the caller's is wrong, and the machine did nothing wrong.
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Settings { .. }
            | Self::Setting { .. }
            | Self::Announced { .. }
            | Self::Contradiction { .. }
            | Self::Lacks { .. }
            | Self::Kind { .. }
            | Self::Unbounded { .. }
            | Self::WithoutNoise { .. }
            | Self::Data { .. } => true,
            Self::In { cause, .. } => cause.is_callers(),
            Self::Features(error) => error.is_callers(),
            _ => false,
        }
    }

    /// Names the operation and the path of an input or output error.
    pub(super) fn file(
        operation: &'static str,
        path: impl Into<std::path::PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}
