//! Local training: a head on features, or a backbone together with its head, accuracy by epoch.
//!
//! What comes out is a head as encryption evaluates it; every figure of the held-out rows is measured on that very head.

mod auto;
mod backbone;
mod head;
mod outliers;
mod report;
mod slides;
mod units;

pub use crate::jobs::AttentionSettings;
pub use backbone::{TuneRequest, TunedBackbone, tune};
pub use blindscope_vision::train::{FitPlan, Tuning};
pub use head::{Activation, HeadKind, HeadRequest, TrainedHead, comparable, train_head};
pub use report::{ClassFigures, EpochFigures, Evaluation, TrainingReport};
pub use slides::{TrainedSlides, train_slides};
pub use units::UnitFigures;

/// Why nothing was trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vision layer refused; it names what and the repair.
    #[error(transparent)]
    Vision(#[from] blindscope_vision::Error),
    /// Features that do not belong together.
    #[error(transparent)]
    Jobs(#[from] crate::jobs::Error),
    /// Features could not be made.
    #[error(transparent)]
    Features(#[from] crate::features::Error),
    /// The trained head cannot be evaluated under encryption.
    #[error("the trained head: {0}")]
    Head(#[from] blindscope_classify::Error),
}

impl Error {
    /// Whether the caller named or asked for something wrong, and the machine did nothing wrong.
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Jobs(error) => error.is_callers(),
            Self::Features(error) => error.is_callers(),
            Self::Vision(_) | Self::Head(_) => false,
        }
    }
}
