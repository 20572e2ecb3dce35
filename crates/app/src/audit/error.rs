//! Why an audit could not be run.

use std::path::PathBuf;

/// Why an audit could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An attack refused its input.
    #[error("audit: {0}")]
    Attack(#[from] blindscope_audit::Error),
    /// Images, model or features refused.
    #[error("audit: {0}")]
    Vision(#[from] blindscope_vision::Error),
    /// The scheme refused.
    #[error("audit: {0}")]
    Ckks(#[from] blindscope_ckks::Error),
    /// The report refused a picture or a table; a defect.
    #[error("audit: {0}")]
    Report(#[from] blindscope_report::Error),
    /// A job whose head is attacked could not be run.
    #[error("audit: {0}")]
    Jobs(#[from] blindscope_learn::jobs::Error),
    /// A round of sums that is attacked could not be run.
    #[error("audit: {0}")]
    Sums(#[from] blindscope_aggregate::Error),
    /// A question whose answer is attacked could not be asked.
    #[error("audit: {0}")]
    Answers(#[from] blindscope_classify::Error),
    /// A promise of privacy that no job takes; a defect.
    #[error("audit, a job with noise: {reason}")]
    Promise {
        /// Why.
        reason: String,
    },
    /// The caller asked to stop.
    #[error(
        "audit stopped in `{attack}` at {done} of {total}; finished stages are kept where --out was given"
    )]
    Stopped {
        /// The attack that ran.
        attack: String,
        /// Its steps done.
        done: usize,
        /// Its steps.
        total: usize,
    },
    /// Too few tiles for what was asked.
    #[error(
        "audit: {needed} tiles of different groups were asked for and {} holds {found} that can be read; \
         ask for fewer with --images",
        source_name
    )]
    TooFewTiles {
        /// Tiles asked for.
        needed: usize,
        /// Tiles there are.
        found: usize,
        /// Where they were looked for.
        source_name: String,
    },
    /// A file of the output folder could not be read or written.
    #[error("audit: {operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}
