//! Curves and results of a job for trackers of experiments: `MLflow` (a folder or a server) and `TensorBoard`.
//!
//! What is shown is what everybody with the log and the result sees already: times, bytes, who was missing, counts of the result. What a
//! site measured for itself is added only from the history files that are named.

mod error;
pub mod mlflow;
mod run;
pub mod tensorboard;

pub use error::{Error, Result};
pub use run::{History, Point, Run, Series, Source};
