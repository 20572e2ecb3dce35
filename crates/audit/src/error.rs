//! What can go wrong in an attack. An attack that merely fails to recover anything is a result, not an error.

/// An attack that could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two lengths or shapes that must agree do not.
    #[error("{operation}: expected {expected}, got {got}")]
    Shape {
        /// What was being done.
        operation: &'static str,
        /// The length or shape that was needed.
        expected: String,
        /// The one that was given.
        got: String,
    },
    /// The gradient does not hold what the attack reads.
    #[error("{attack}: the gradient has no {missing}, which this attack needs; {repair}")]
    NotShared {
        /// The attack.
        attack: &'static str,
        /// The tensor that is missing.
        missing: &'static str,
        /// What to do instead.
        repair: &'static str,
    },
    /// A number is NaN or infinite.
    #[error(
        "{operation}: {what} holds a value that is not finite; the update is damaged or training diverged"
    )]
    NotFinite {
        /// What was being done.
        operation: &'static str,
        /// The tensor or figure.
        what: &'static str,
    },
    /// A setting that makes no attack.
    #[error("{attack}: {setting} = {value}, but {rule}")]
    Setting {
        /// The attack.
        attack: &'static str,
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What must hold.
        rule: String,
    },
    /// A decomposition did not converge.
    #[error("{operation}: the eigenvalues of a {size}×{size} matrix did not converge")]
    NotConverged {
        /// What was being done.
        operation: &'static str,
        /// Side of the matrix.
        size: usize,
    },
    /// Model, images or features refused.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// A head refused.
    #[error(transparent)]
    Classify(#[from] blindscope_classify::Error),
    /// The scheme refused.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Refuses a length or shape.
    pub(crate) fn shape(operation: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { operation, expected: expected.to_string(), got: got.to_string() }
    }
}
