//! What can go wrong between a folder of tiles and a trained head.

use std::path::PathBuf;

use crate::data::Rejected;

/// An operation of this crate that could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is not what its format says.
    #[error("{} is not a readable {format} file: {reason}", path.display())]
    Format {
        /// The format that was expected.
        format: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A model configuration that no transformer can have.
    #[error("model configuration: {field} = {value}, but {rule}")]
    Config {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What must hold, and how to repair it.
        rule: String,
    },
    /// A setting in a model's files that would change its features and is not carried out.
    #[error("{}: `{field}` is {value}, but {rule}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The field, with the fields it lies in.
        field: String,
        /// Its value as JSON.
        value: String,
        /// What is carried out, or what contradicts it.
        rule: String,
    },
    /// A checkpoint does not hold the tensors of the configured model.
    #[error(transparent)]
    Checkpoint(#[from] Box<CheckpointMismatch>),
    /// A weight is NaN or infinite.
    #[error("{}: tensor `{tensor}` holds {count} values that are not finite; the checkpoint is damaged", path.display())]
    NotFinite {
        /// The checkpoint.
        path: PathBuf,
        /// The first tensor with such a value.
        tensor: String,
        /// How many of its values are not finite.
        count: usize,
    },
    /// A graphics processor was asked for and cannot be used.
    #[error("no graphics processor: {reason}; use the processor (--device cpu)")]
    Gpu {
        /// What is missing, or what it reported.
        reason: String,
    },
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
    /// A data set that the operation cannot work with.
    #[error("{operation}: {reason}")]
    Data {
        /// What was being done.
        operation: &'static str,
        /// Why it cannot be done, and the repair.
        reason: String,
    },
    /// A class has fewer groups than a split has parts.
    #[error(
        "splitting: class {class} has {groups} independent group(s) for {parts} parts; add tiles of other patients, drop the class \
         or use fewer parts"
    )]
    FewGroups {
        /// The class: its name, or its number where no names are known.
        class: String,
        /// Its groups.
        groups: usize,
        /// Parts of the split.
        parts: usize,
    },
    /// Not one tile could be used.
    #[error("feature extraction: none of {} tiles could be used: {}", rejected.len(), some(rejected))]
    NoTile {
        /// Every tile, with the reason.
        rejected: Vec<Rejected>,
    },
    /// Another process is at work on a file.
    #[error("{} is in use by {holder}; wait until it ends, or name another folder with --cache", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// The process, as far as it is known.
        holder: String,
    },
    /// The caller asked to stop.
    #[error("{operation} stopped on request after {done} of {total}; what a cache was given stays there")]
    Cancelled {
        /// What was being done.
        operation: &'static str,
        /// Items finished.
        done: usize,
        /// Items there were.
        total: usize,
    },
}

/// Every name and shape by which a checkpoint differs from the model.
#[derive(Debug, thiserror::Error)]
#[error("{} does not fit the model ({naming} names): {}", path.display(), describe(missing, extra, shapes))]
pub struct CheckpointMismatch {
    /// The checkpoint.
    pub path: PathBuf,
    /// The naming scheme that was recognised.
    pub naming: &'static str,
    /// Tensors that the model has and the file has not.
    pub missing: Vec<String>,
    /// Tensors that the file has and the model has not.
    pub extra: Vec<String>,
    /// Tensors whose shapes differ: name, shape of the model, shape in the file.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

fn describe(missing: &[String], extra: &[String], shapes: &[(String, Vec<usize>, Vec<usize>)]) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing {}: {}", missing.len(), missing.join(", ")));
    }
    if !extra.is_empty() {
        parts.push(format!("extra {}: {}", extra.len(), extra.join(", ")));
    }
    for (name, model, file) in shapes {
        parts.push(format!("`{name}` is {model:?} in the model and {file:?} in the file"));
    }
    parts.join("; ")
}

/// The first reasons of many.
fn some(rejected: &[Rejected]) -> String {
    let mut shown: Vec<String> = rejected.iter().take(5).map(|r| format!("{}: {}", r.id, r.reason)).collect();
    if rejected.len() > shown.len() {
        shown.push(format!("and {} more", rejected.len() - shown.len()));
    }
    shown.join("; ")
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether the machine could not do what was asked for: files, other processes, graphics processors, a request to stop. Anything
    /// else is wrong in what the caller gave.
    pub fn is_machines(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Busy { .. } | Self::Gpu { .. } | Self::Cancelled { .. })
    }

    /// The same with a class's name in place of its number.
    #[must_use]
    pub fn of_classes(self, classes: &[String]) -> Self {
        match self {
            Self::FewGroups { class, groups, parts } => {
                let name = class.parse().ok().and_then(|at: usize| classes.get(at));
                let class = name.map_or(class, |name| format!("`{name}`"));
                Self::FewGroups { class, groups, parts }
            }
            other => other,
        }
    }

    /// Names the operation and the path of an input/output error.
    pub(crate) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }

    /// A file that broke its format.
    pub(crate) fn format(format: &'static str, path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::Format { format, path: path.into(), reason: reason.to_string() }
    }

    /// A data set that an operation cannot work with.
    pub(crate) fn data(operation: &'static str, reason: impl Into<String>) -> Self {
        Self::Data { operation, reason: reason.into() }
    }

    /// Refuses a length or shape.
    pub(crate) fn shape(operation: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { operation, expected: expected.to_string(), got: got.to_string() }
    }
}
