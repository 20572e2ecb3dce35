//! Local training: a head on features, or a backbone together with its head, accuracy by epoch.
//!
//! What comes out is a head as encryption evaluates it; every figure of the held-out rows is measured on that very head.

mod backbone;
mod head;
mod report;

pub use backbone::{TuneRequest, TunedBackbone, tune};
pub use blindscope_vision::train::{FitPlan, Tuning};
pub use head::{Activation, HeadKind, HeadRequest, TrainedHead, comparable, train_head};
pub use report::{ClassFigures, EpochFigures, Evaluation, TrainingReport};

use crate::features::FeatureError;
use thiserror::Error;

/// Why nothing was trained.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The vision layer refused; it names what and the repair.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// Features that do not belong together.
    #[error(transparent)]
    Jobs(#[from] crate::jobs::Error),
    /// Features could not be made.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The trained head cannot be evaluated under encryption.
    #[error("the trained head: {0}")]
    Head(#[from] blindscope_classify::ClassifyError),
}
